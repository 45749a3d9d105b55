"""Producers and slamon must agree to the bit on where a customer lives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slamon.kafka.partitioner import Partitioner, partition_for

# From Kafka's own UtilsTest.testMurmur2: what Java's murmur2 says about these keys.
JAVA = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "hashed"), JAVA.items())
def test_murmur2_finds_the_partition_that_java_finds(key: bytes, hashed: int) -> None:
    for partitions in (1, 2, 8, 31, 1000):
        assert partition_for(key, partitions, "murmur2") == (hashed & 0x7FFFFFFF) % partitions


def test_crc32_is_the_one_of_the_standard() -> None:
    """0xCBF43926 is the check value of CRC-32/ISO-HDLC, which librdkafka uses."""
    assert partition_for(b"123456789", 1 << 32, "crc32") == 0xCBF43926


@given(st.binary(), st.integers(1, 10_000), st.sampled_from(["murmur2", "crc32"]))
def test_every_key_has_one_partition_that_exists(key: bytes, partitions: int, kind: Partitioner) -> None:
    assert 0 <= partition_for(key, partitions, kind) < partitions
