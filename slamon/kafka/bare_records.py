"""Records as aiokafka's C parser gives them, with `offset`, `timestamp`, `timestamp_type`, `key`, `value` and `headers`.

For each of them aiokafka makes an object of its own, which takes longer than to read it. That alone is left out: checksums,
control batches, aborted transactions and positions stay aiokafka's. Topic and partition are those of the batch.
"""

from collections import OrderedDict
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.consumer.fetcher import FetchResult


def hand_over_bare_records(consumer: Any) -> None:
    """From now on `getmany` does so; of a consumer that has started, and has fetched nothing yet."""
    fetcher = consumer._fetcher  # noqa: SLF001 - there is no other way in
    assert not fetcher._records  # noqa: SLF001 - as above
    fetcher._records = _Fetched()  # noqa: SLF001 - as above


class _Fetched(OrderedDict[TopicPartition, Any]):
    """What was fetched and not yet taken."""

    def __setitem__(self, tp: TopicPartition, fetched: Any) -> None:
        if isinstance(fetched, FetchResult):
            fetched._partition_records._consumer_record = _as_it_is  # noqa: SLF001 - the wrapping of one record
        super().__setitem__(tp, fetched)


def _as_it_is(_: TopicPartition, record: Any) -> Any:
    return record


def whole_record(tp: TopicPartition, record: Any) -> Any:
    """The bare record as aiokafka would have handed it over."""
    return ConsumerRecord(
        tp.topic,
        tp.partition,
        record.offset,
        record.timestamp,
        record.timestamp_type,
        record.key,
        record.value,
        record.checksum,
        -1 if record.key is None else len(record.key),
        -1 if record.value is None else len(record.value),
        tuple(record.headers),
    )
