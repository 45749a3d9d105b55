"""The box of dead letters leaves nothing open, also where it cannot be opened."""

import asyncio
from collections.abc import Iterable

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import NotLeaderForPartitionError

from slamon.kafka import clients, dead_letter_box
from slamon.kafka.dead_letter_box import Box, Wanted
from slamon.kafka.topics import Refused, Topic, wanted
from slamon.settings import KafkaSettings


class Reader:
    """One letter lies there, and nobody hands it over."""

    open = False

    async def start(self) -> None:
        self.open = True

    async def stop(self) -> None:
        self.open = False

    async def beginning_offsets(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(tps, 0)

    async def end_offsets(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(tps, 1)

    def assign(self, _: object) -> None:
        assert self.open

    def seek(self, *_: object) -> None:
        assert self.open

    async def getmany(self, **_: object) -> None:
        raise NotLeaderForPartitionError


def test_a_box_that_cannot_be_read_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader()

    async def look(settings: KafkaSettings, _: object) -> dict[str, Topic]:
        return {name: Topic(name, 1, {}) for name in wanted(settings)}

    async def opened() -> None:
        async with Box(KafkaSettings(), Wanted()):
            pass

    monkeypatch.setattr(dead_letter_box, "look", look)
    monkeypatch.setattr(clients, "reader", lambda *_: reader)
    with pytest.raises(Refused, match="cannot be read"):
        asyncio.run(opened())
    assert not reader.open
