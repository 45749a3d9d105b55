"""Reading back what a task's predecessor left: its changelog, its tail of the alerts topic, and where its inputs lie.

The changelog is read until a nonce that we have written ourselves comes by: that is the end, whatever offsets say.
The alerts topic needs no nonce: its partition has no other writer, and our producer's start has ended what was open.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

import msgspec
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from slamon.kafka.changelog import Reading, Unreadable
from slamon.kafka.clients import breathe

AT_ONCE = 2000  # records taken in one poll
WAIT = 1000  # ms of one poll


class Stalled(Exception):  # noqa: N818 - reads as what it says
    """A restore made no progress for too long."""


class FellBehind(Exception):  # noqa: N818 - reads as what it says
    """An input was trimmed beyond what had been read of it."""


class AlertSeen(msgspec.Struct, frozen=True):
    """What identifies a record of the alerts topic."""

    id: str
    number: int | None = None
    episode: int = 0
    transition: str = ""

    @property
    def content(self) -> tuple[str, int, str]:
        return self.id, self.episode, self.transition


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of a partition: offset of its first record, and of the next one to come."""

    first: int
    end: int


_decode_seen = msgspec.json.Decoder(AlertSeen).decode


async def bounds(reader: Any, partitions: list[TopicPartition]) -> dict[TopicPartition, Bounds]:
    """Ask before the reader is given anything to read: later, the answer would wait behind its fetches."""
    first = await reader.beginning_offsets(partitions)
    end = await reader.end_offsets(partitions)
    return {tp: Bounds(first[tp], end[tp]) for tp in partitions}


async def read_changelog(
    reader: Any, changelog: TopicPartition, nonce: bytes, stalled_after: float
) -> Reading:
    """What stands in the changelog up to the record with our nonce.

    Raises Stalled after so many seconds without progress, Unreadable, and what aiokafka raises.
    """
    loop = asyncio.get_running_loop()
    while True:
        reading = Reading()
        first = (await reader.beginning_offsets([changelog]))[changelog]
        reader.assign([changelog])
        reader.seek(changelog, first)
        try:
            async with asyncio.timeout(stalled_after) as limit:
                while True:
                    for records in (await reader.getmany(timeout_ms=WAIT, max_records=AT_ONCE)).values():
                        for record in records:
                            if record.key is None:
                                raise Unreadable(
                                    f"the changelog holds a record without key at offset {record.offset} of "
                                    f"partition {changelog.partition}, which slamon never writes: who else does?"
                                )
                            reading.take(record.key, record.value)
                            if reading.owner is not None and reading.owner.nonce == nonce:
                                return reading
                        limit.reschedule(loop.time() + stalled_after)
                    await breathe()
        except OffsetOutOfRangeError:
            # The log was trimmed under us. What was read so far may have been deleted since: begin with nothing.
            continue
        except TimeoutError as error:
            raise Stalled(f"no progress in the changelog for {stalled_after:g} s") from error


async def read_alerts(
    reader: Any, alerts: TopicPartition, start: int, end: int, stalled_after: float
) -> dict[int, AlertSeen]:
    """The transitions [start, end) of the alerts topic by number."""
    seen: dict[int, AlertSeen] = {}
    if start >= end:
        return seen
    reader.assign([alerts])
    reader.seek(alerts, start)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(stalled_after) as limit:
            while await reader.position(alerts) < end:
                batches = await reader.getmany(timeout_ms=WAIT, max_records=AT_ONCE)
                for records in batches.values():
                    for record in records:
                        one = alert_seen(record.value)
                        if one is not None and one.number is not None:
                            seen[one.number] = one
                    limit.reschedule(loop.time() + stalled_after)
                await breathe()
    except TimeoutError as error:
        raise Stalled(f"no progress in the alerts for {stalled_after:g} s") from error
    return seen


def alert_seen(value: bytes | None) -> AlertSeen | None:
    """None: not an alert transition of ours, whoever wrote it."""
    try:
        return _decode_seen(value or b"")
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None


def is_transient(error: BaseException) -> bool:
    """Whether trying again may help: anything that Kafka, the network or time did."""
    return isinstance(error, KafkaError | OSError | TimeoutError | AssertionError | Stalled)
