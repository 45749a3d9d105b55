"""Builds the parts and lets them run: event, step, commit, deliver; and says how it goes.

What is decided is the domain's, what survives is Kafka's; here they meet the notifier, the receivers, the metrics and the
probes.
"""

import asyncio
import contextlib
import gc
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

import structlog

from slamon import __version__, clock
from slamon.agreement_files import AgreementsInUse, AgreementsRefused
from slamon.domain.agreement import Agreement
from slamon.domain.decisions import Transition
from slamon.domain.events import DAY, SECOND
from slamon.domain.monitor import Monitor
from slamon.kafka import clients
from slamon.kafka.deliveries import Deliveries
from slamon.kafka.observations import Committed, Observations, Proved, Restored
from slamon.kafka.partitioner import partition_for
from slamon.kafka.source import Source, only
from slamon.kafka.tasks import Task
from slamon.outputs.current_view import Sight
from slamon.outputs.exposition import View
from slamon.outputs.http import Progress, Pulse, Readiness, liveness, serving
from slamon.outputs.metrics import Metrics
from slamon.outputs.notifier import Notifier
from slamon.outputs.receivers import connected, receivers_of
from slamon.settings import Settings

ON_TIME = 10 * SECOND  # the clock moves by polls and commits; what is known within this is not called late
LOOP_LIMIT = 30.0  # s the loop may stand still before the process is to be restarted
FIGURES_EVERY = 1.0  # s
# Nearly all garbage here is freed by counting references. The collector of cycles, by its own thresholds, would look
# through the state of all tasks again and again, for a third of the time that events take; so it comes seldom.
# New objects between two looks at the youngest ones; looks between two at the older ones.
CYCLES = (50_000, 20, 100)

log = structlog.get_logger()


class Daemon:
    """`run` it until `stop`; ports and tasks can be asked for meanwhile."""

    def __init__(self, settings: Settings, in_use: AgreementsInUse, *, pace: int = 1) -> None:
        """`pace`: how much faster than the wall the clock runs (only the demo's does)."""
        self.port: int | None = None
        self.liveness_port: int | None = None
        self._settings = settings
        self._in_use = in_use
        self._by_partition: dict[int, list[Agreement]] | None = None  # once their number is known
        self._on_time = ON_TIME * pace
        self._metrics = Metrics(__version__)
        self._metrics.config_taken(clock.wall())
        self._pulse = Pulse()
        self._proved_at: dict[int, float] = {}  # by the monotonic clock: the partition was surely ours then
        self._told: Counter[tuple[str, str]] = Counter()  # figures already counted in the metrics
        self._sight = Sight(settings.metrics.ticket_series)
        self._notifier = Notifier(settings.notifier, self._metrics, self._may_send)
        self._source = Source(
            settings,
            self._monitor_for,
            Observations(
                committed=self._committed,
                restored=self._restored,
                proved=self._proved,
                entered=self._entered,
            ),
        )
        self._receivers = receivers_of(settings.notifier, lambda: self._in_use.agreements, self._metrics)
        self._deliveries = Deliveries(settings, self._receivers, self._may_send, self._partitions)
        self._stopping = asyncio.Event()
        self._reload_asked = asyncio.Event()

    # What Kafka's side asks for ---------------------------------------------------------------------------------------

    def _monitor_for(self, partition: int, hourly: bool) -> Monitor:
        if self._by_partition is None:
            self._by_partition = self._sorted()
        facts = self._settings.facts
        return Monitor(
            self._by_partition.get(partition, []),
            steps=False,
            on_time=self._on_time,
            keep=facts.keep * DAY,
            subject_limit=facts.subject_limit,
            hourly=hourly,
        )

    def _partitions(self) -> int:
        assert self._source.layout is not None, "a task has begun"
        return self._source.layout.partitions

    def _sorted(self) -> dict[int, list[Agreement]]:
        """The agreements in use, by the partition to which their customer belongs."""
        layout = self._source.layout
        assert layout is not None
        found: dict[int, list[Agreement]] = {}
        for agreement in self._in_use.agreements:
            key = agreement.customer.encode(errors="surrogatepass")
            partition = partition_for(key, layout.partitions, self._settings.kafka.partitioner)
            found.setdefault(partition, []).append(agreement)
        return found

    def _entered(self, partition: int, state: str) -> None:
        shown = {"finishing": "running", "proving": "parked"}.get(state, state)
        if shown == "closed":
            self._metrics.task_gone(partition)
        else:
            self._metrics.task_state(partition, shown)
        task = self._source.tasks.get(partition)
        if state == "running" and task is not None and task.monitor is not None:
            self._proved_at[partition] = task.proved_at or 0.0
            firing = tuple(task.firing())
            self._notifier.begin(partition, firing)
            self._deliveries.begin(partition, task.alerts.seen_to, firing)
        elif state in ("parked", "failed", "closed") and not self._stopping.is_set():
            self._deliveries.forget(partition)
            self._notifier.forget(partition)  # while stopping, the last transitions are still to be told

    def _committed(self, committed: Committed) -> None:
        self._proved_at[committed.partition] = committed.proved_at
        self._metrics.commit_duration.observe(committed.seconds)
        transitions = [announced.transition for announced in committed.alerts]
        for transition in transitions:
            if transition.transition is Transition.FIRED and not transition.late:
                self._metrics.detection_delay.observe(max(committed.at - transition.at, 0) / SECOND)
            log.info(
                "alert",
                transition=transition.transition.value,
                reason=transition.reason.value,
                late=transition.late,
                **transition.labels,
            )
        self._notifier.commit(committed.partition, transitions)
        self._deliveries.commit(committed.partition, transitions)

    def _restored(self, restored: Restored) -> None:
        self._metrics.restore_duration.observe(restored.seconds)
        self._metrics.restore_records.inc(restored.records)

    def _proved(self, proved: Proved) -> None:
        self._proved_at[proved.partition] = proved.proved_at
        if proved.told is not None:
            self._notifier.begin(proved.partition, [proved.told])

    def _may_send(self, partition: int) -> bool:
        """Whether the task was surely ours less than half a session timeout ago: a process that was frozen says nothing."""
        return (
            clock.monotonic() - self._proved_at.get(partition, 0.0) < self._settings.kafka.session_timeout / 2
        )

    # Agreements that change -------------------------------------------------------------------------------------------

    def reload(self) -> None:
        """Read the agreement files now, changed or not."""
        self._reload_asked.set()

    async def _keep_agreements(self) -> None:
        """Take changed files into use as they come; those with faults are refused, and what was in use stays."""
        while True:
            asked = await clients.within(self._reload_asked, self._settings.agreements_poll)
            self._reload_asked.clear()
            try:
                read = await asyncio.to_thread(self._in_use.look, anyway=asked)
            except (AgreementsRefused, OSError, ValueError) as error:
                self._refuse(error)
            else:
                if read:
                    self._take_into_use()

    def _refuse(self, error: AgreementsRefused | OSError | ValueError) -> None:
        self._metrics.config_refused()
        for fault in error.faults if isinstance(error, AgreementsRefused) else ():
            log.error(
                "agreement_fault",
                file=fault.file,
                line=fault.line,
                column=fault.column,
                path=fault.path,
                message=fault.message,
                help=fault.help,
            )
        log.error("agreements_refused", error=str(error))

    def _take_into_use(self) -> None:
        """Only where the agreements of a partition have changed, its task goes on by another monitor.

        What was known stays known. But events that came before any agreement spoke of them were counted as unmatched and
        not kept: a customer whose agreement comes late begins with what comes from then on.
        """
        self._metrics.config_taken(clock.wall())
        changed: list[int] = []
        if self._by_partition is not None:
            before, now = self._by_partition, self._sorted()
            changed = [one for one in sorted(before.keys() | now.keys()) if before.get(one) != now.get(one)]
            self._by_partition = now
            self._source.renew(changed)
        log.info("agreements_taken", agreements=len(self._in_use.agreements), changed_partitions=changed)

    # What is shown ----------------------------------------------------------------------------------------------------

    def _readiness(self) -> Readiness:
        states = {str(partition): task.state.value for partition, task in sorted(self._source.tasks.items())}
        return Readiness(self._source.ready and not self._stopping.is_set(), {"tasks": states})

    def _progress(self) -> Iterator[Progress]:
        yield Progress("loop", self._pulse.at, LOOP_LIMIT)
        # A poll that fails goes on turning; only one that never comes back stands still.
        yield Progress("poll", self._source.last_turn, self._settings.kafka.poll_stall * 2)

    async def _view(self) -> View:
        return await self._sight.look(
            (task.monitor, partial(_clock_of, task, task.monitor))
            for task in list(self._source.running())
            if task.monitor is not None
        )

    async def _keep_figures(self) -> None:
        """Carry Kafka's figures over into the metrics."""
        while True:
            self._carry_over()
            await clock.wait(FIGURES_EVERY)

    def _carry_over(self) -> None:
        metrics, figures = self._metrics, self._source.observations.figures
        for name, count in figures.events.items():
            self._raise_by("event", name, count, metrics.events[name].inc)
        taken = {
            "late": metrics.events_late,
            "duplicate": metrics.events_duplicate,
            "conflicting_duplicate": metrics.events_conflicting,
            "unmatched": metrics.events_unmatched,
        }
        for name, counter in taken.items():
            self._raise_by("taken", name, figures.taken[name], counter.inc)
        for name, count in figures.rejected.items():
            self._raise_by("rejected", name, count, metrics.rejected(name).inc)
        for name, count in figures.tallied.items():
            self._raise_by("tallied", name, count, metrics.tallied(name).inc)
        self._raise_by("restores", "failed", figures.restores_failed.total(), metrics.restore_failures.inc)
        self._raise_by("tasks", "lost", figures.tasks_lost.total(), metrics.tasks_lost.inc)
        self._raise_by("inputs", "gaps", figures.gaps, metrics.input_gaps.inc)
        for task in self._source.running():
            if task.now:
                metrics.watermark(task.partition, task.now)
            for topic, records in task.lag.items():
                if records is not None:
                    metrics.lag(topic, task.partition, records)

    def _raise_by(self, kind: str, name: str, count: int, by: Callable[[float], None]) -> None:
        before = self._told[kind, name]
        if count > before:
            by(count - before)
            self._told[kind, name] = count

    # Its life ---------------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Finish what was begun: last commits, then last notifications; `run` returns."""
        if not self._stopping.is_set():
            log.info("stopping")
            self._stopping.set()

    async def run(self) -> None:
        """Until `stop`, or until something fails for good.

        Raises what `Source.run` raises, and outputs.http.AddressError; the text says what to do.
        """
        settings = self._settings
        with liveness(settings.http, lambda: list(self._progress())) as self.liveness_port:
            async with serving(
                settings.http,
                series_limit=settings.metrics.series_limit,
                metrics=self._metrics,
                view=self._view,
                readiness=self._readiness,
            ) as self.port:
                log.info(
                    "started",
                    port=self.port,
                    liveness_port=self.liveness_port,
                    agreements=len(self._in_use.agreements),
                )
                async with connected(self._receivers), asyncio.TaskGroup() as group:
                    pulse = group.create_task(self._pulse.run(), name="pulse")
                    figures = group.create_task(self._keep_figures(), name="figures")
                    reloading = group.create_task(self._keep_agreements(), name="agreements")
                    notifier = group.create_task(self._notifier.run(), name="notifier")
                    deliveries = group.create_task(self._deliveries.run(), name="deliveries")
                    source = group.create_task(self._source.run(), name="source")
                    await self._stopping.wait()
                    self._source.stop()
                    await source
                    self._notifier.stop(settings.shutdown_timeout / 4)
                    self._deliveries.stop(settings.shutdown_timeout / 4)
                    await notifier
                    await deliveries
                    self._carry_over()
                    pulse.cancel()
                    figures.cancel()
                    reloading.cancel()
        log.info("stopped")


def _clock_of(task: Task, monitor: Monitor) -> int | None:
    """How late it is for the monitor of a task; None: it knows not yet, or is in the midst of judging."""
    return None if monitor.now is None or not task.judged else max(task.now, monitor.now)


async def run(settings: Settings, in_use: AgreementsInUse, *, pace: int = 1) -> None:
    """The daemon until SIGTERM or SIGINT; SIGHUP makes it read the agreement files."""
    gc.set_threshold(*CYCLES)
    daemon = Daemon(settings, in_use, pace=pace)
    handlers = {signal.SIGTERM: daemon.stop, signal.SIGINT: daemon.stop, signal.SIGHUP: daemon.reload}
    loop = asyncio.get_running_loop()
    for number, handler in handlers.items():
        loop.add_signal_handler(number, handler)
    try:
        await daemon.run()
    except BaseExceptionGroup as failures:
        raise only(failures) from failures
    finally:
        for number in handlers:
            with contextlib.suppress(ValueError):
                loop.remove_signal_handler(number)
