"""Which partition, and so which task, a customer belongs to: the same answer as the producers' own partitioners."""

import zlib
from typing import Literal

from aiokafka.partitioner import murmur2

Partitioner = Literal["murmur2", "crc32"]


def partition_for(key: bytes, partitions: int, kind: Partitioner) -> int:
    """The partition of a record with this key.

    murmur2: Java's default (`org.apache.kafka.common.utils.Utils.murmur2`, its sign bit cleared, modulo partitions).
    crc32: librdkafka's `consistent_random`, the default of everything built on it.
    """
    if kind == "murmur2":
        return int(murmur2(key) & 0x7FFFFFFF) % partitions
    return zlib.crc32(key) % partitions
