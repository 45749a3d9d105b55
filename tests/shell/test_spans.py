"""Spans are read as fast as whoever asks for them can go on, and no faster."""

from collections.abc import Mapping
from random import Random
from types import SimpleNamespace

import pytest
from aiokafka import TopicPartition

from slamon import clock
from slamon.kafka import spans
from slamon.kafka.topics import Refused
from tests.simulation.loop import loop

TP = TopicPartition("letters", 0)


class Reader:
    """What is asked of aiokafka's consumer, over records of one partition that come one at a time."""

    def __init__(self, records: int) -> None:
        self._records = records
        self._next = 0

    def assign(self, tps: list[TopicPartition]) -> None:
        assert tps == [TP]

    def seek(self, tp: TopicPartition, offset: int) -> None:
        assert tp == TP
        self._next = offset

    def pause(self, *tps: TopicPartition) -> None:
        assert set(tps) <= {TP}

    async def position(self, tp: TopicPartition) -> int:
        assert tp == TP
        return self._next

    async def getmany(self, **_: int) -> Mapping[TopicPartition, list[SimpleNamespace]]:
        if self._next == self._records:
            await clock.wait(0.5)
            return {}
        self._next += 1
        return {TP: [SimpleNamespace(offset=self._next - 1)]}


async def read(reader: Reader, end: int, pause: float) -> list[int]:
    found = []
    async for record in spans.records_of(reader, {TP: (0, end)}):
        await clock.wait(pause)
        found.append(record.offset)
    return found


def test_whoever_takes_long_over_a_record_is_not_interrupted() -> None:
    """Between two records a retry waits for brokers, and for longer than they may let a reader wait."""
    time = loop(Random(0))
    with time.running():
        assert time.run(read(Reader(3), end=3, pause=2 * spans.STALLED)) == [0, 1, 2]


def test_records_that_do_not_come_are_not_waited_for_for_ever() -> None:
    time = loop(Random(0))
    with time.running(), pytest.raises(Refused, match="letters/0 cannot be read"):
        time.run(read(Reader(3), end=4, pause=2 * spans.STALLED))
