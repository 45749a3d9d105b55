"""What the laws look at: the topics as they are in the end, what receivers heard, how pods ended, and what follows from it.

Three readers of the same inputs are compared: the pods, by what they left in the topics; a replay of the accepted events,
by `slamon replay` as users run it; and a judge that follows the changelog commit by commit. They are all asked about one
instant T, after everything that any task has seen.
"""

import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from heapq import merge
from pathlib import Path
from typing import Any, NamedTuple

from slamon.agreement_files import load
from slamon.codec import Rejected, RejectReason, decode, format_instant
from slamon.daemon import ON_TIME
from slamon.domain.agreement import Agreement
from slamon.domain.events import SECOND, Event
from slamon.domain.monitor import Monitor
from slamon.kafka.partitioner import partition_for
from slamon.settings import Topics
from tests.faults.cluster import Exit, Loss, Silence, Stop
from tests.faults.faults import Struck
from tests.faults.history import Alert, Task, alerts_of, task_of
from tests.faults.receiver import Heard, LabelSet

Records = Mapping[int, list[Any]]


class Input(NamedTuple):
    """A record of an input: an event, or why it is none."""

    record: Any
    event: Event | None
    reason: RejectReason | None


class OpenAndHeard(NamedTuple):
    """By labels, at one instant: what fires by the alerts topic, at the receiver, and in Alertmanager."""

    told: set[LabelSet]
    receiver: set[LabelSet]
    alertmanager: set[LabelSet]

    @property
    def agree(self) -> bool:
        return self.told == self.receiver == self.alertmanager


@dataclass
class Evidence:
    """All that the laws look at. `topics`: topic → partition → committed records."""

    folder: Path
    seconds: float
    struck: list[Struck]
    names: Topics
    partitions: int
    sent: int  # by the load
    producers: int  # that it took
    topics: Mapping[str, Records]
    unsettled: str  # what had not come to rest when it was time
    heard: list[Heard]
    open_and_heard: "OpenAndHeard"
    exits: list[Exit]
    stops: list[Stop]
    silences: list[Silence]
    losses: list[Loss]
    logs: list[dict[str, Any]]  # of all pods

    @cached_property
    def agreements(self) -> list[Agreement]:
        return list(load([self.folder / "agreements.yaml"]).agreements)

    @cached_property
    def tasks(self) -> dict[int, Task]:
        return {number: task_of(records) for number, records in self.topics[self.names.changelog].items()}

    @cached_property
    def alerts(self) -> dict[int, dict[int, Alert]]:
        return {number: alerts_of(records) for number, records in self.topics[self.names.alerts].items()}

    @cached_property
    def inputs(self) -> list[Input]:
        return [
            self._input(record)
            for topic in (self.names.tickets, self.names.availability)
            for partition in range(self.partitions)
            for record in self.topics[topic][partition]
        ]

    def _input(self, record: Any) -> Input:
        event = decode(record.value, record.headers, now=record.timestamp * 1000)
        if isinstance(event, Rejected):
            return Input(record, None, event.reason)
        if event.customer is not None and self.home(event.customer) != record.partition:
            return Input(record, None, RejectReason.WRONG_PARTITION)
        return Input(record, event, None)

    def task_of(self, labels: Mapping[str, str]) -> int:
        """Whose alert it is: of a customer, or of a task that is behind."""
        return int(labels["partition"]) if "partition" in labels else self.home(labels["customer"])

    def home(self, customer: str) -> int:
        return partition_for(customer.encode(), self.partitions, "murmur2")

    @cached_property
    def until(self) -> int:
        """T."""
        return max(task.positions.now for task in self.tasks.values()) + SECOND

    def monitor(self, partition: int, **how: Any) -> Monitor:
        ours = [one for one in self.agreements if self.home(one.customer) == partition]
        return Monitor(ours, steps=False, on_time=ON_TIME, **how)

    def restored(self, partition: int) -> Monitor:
        """As the next owner of the task would have it, at the instant that the last one had come to."""
        task, monitor = self.tasks[partition], self.monitor(partition)
        for key, facts in task.facts():
            monitor.restore(key, facts)
        monitor.start(task.positions.now)
        return monitor

    @cached_property
    def derived(self) -> dict[int, Monitor]:
        """Restored, and taken to T."""
        found = {partition: self.restored(partition) for partition in self.tasks}
        for monitor in found.values():
            monitor.advance(self.until)
        return found

    @cached_property
    def replayed(self) -> Path:
        """The folder into which the accepted events were replayed, in the order in which they were written."""
        accepted = [one for one in self.inputs if one.event is not None]
        by_log: dict[tuple[str, int], list[Input]] = defaultdict(list)
        for one in accepted:
            by_log[one.record.topic, one.record.partition].append(one)
        events, out = self.folder / "accepted.ndjson", self.folder / "replay"
        with events.open("wb") as file:
            for _, _, _, value in merge(*(_in_their_order(log) for log in by_log.values())):
                file.write(value + b"\n")
        command: list[str | Path] = [
            *(sys.executable, "-m", "slamon", "replay", "--agreements", self.folder / "agreements.yaml"),
            *("--events", events, "--out", out, "--until", format_instant(self.until)),
        ]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr
        return out

    def replayed_lines(self, name: str) -> list[bytes]:
        return (self.replayed / f"{name}.ndjson").read_bytes().splitlines()


def _in_their_order(log: list[Input]) -> Iterator[tuple[int, tuple[str, int], int, bytes]]:
    """When a record was written, never before its predecessor; which log; offset; value."""
    at = 0
    for one in log:
        at = max(at, one.record.timestamp)
        yield at, (one.record.topic, one.record.partition), one.record.offset, one.record.value
