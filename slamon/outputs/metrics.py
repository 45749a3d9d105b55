"""Every metric slamon has, declared once in one list, and the counters of this process.

Two pages, because they grow with different things: `/metrics` is about this process and small, `/metrics/sla` is about
objectives and tickets and may hold a hundred thousand series; it is rendered by `exposition`. Both take name, kind,
help and labels from `METRICS`, and so does the documentation.

Counters on the way of every event are bound to their labels once and raised once per batch, never per record.
"""

import enum
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.process_collector import ProcessCollector

from slamon.clock import MICROSECONDS


class Kind(enum.Enum):
    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"


class Page(enum.Enum):
    PROCESS = "/metrics"
    SLA = "/metrics/sla"


@dataclass(frozen=True, slots=True)
class Metric:
    """`name` as it is scraped and queried; `buckets` are upper bounds in the metric's unit."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    page: Page = Page.PROCESS
    buckets: tuple[float, ...] = ()


EVENT_TYPES = ("ticket", "availability", "requests", "exclusion")
TASK_STATES = ("restoring", "running", "parked", "failed")
_OBJECTIVE = ("customer", "agreement", "objective")
_SECONDS = (
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
)  # a commit takes 5 ms to 20 s
_DELAY_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)  # an hour of backlog
_RESTORE_SECONDS = (
    0.1,
    0.5,
    1.0,
    2.0,
    5.0,
    10.0,
    30.0,
    60.0,
    120.0,
    300.0,
)  # up to the default limit of a restore


def _counter(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, Kind.COUNTER, text, labels)


def _gauge(name: str, text: str, *labels: str) -> Metric:
    return Metric(name, Kind.GAUGE, text, labels)


def _histogram(name: str, text: str, buckets: tuple[float, ...]) -> Metric:
    return Metric(name, Kind.HISTOGRAM, text, buckets=buckets)


def _objective(name: str, text: str, *labels: str, kind: Kind = Kind.GAUGE) -> Metric:
    return Metric(name, kind, text, (*_OBJECTIVE, *labels), Page.SLA)


def _of_page(name: str, text: str) -> Metric:
    return Metric(name, Kind.GAUGE, text, page=Page.SLA)


METRICS = (
    # The process.
    Metric("slamon_build_info", Kind.INFO, "The running release; always 1.", ("version", "python")),
    _gauge("slamon_config_last_reload_successful", "1 if the newest agreement files are in use, 0 if they were refused."),
    _gauge("slamon_config_last_reload_success_timestamp_seconds", "When agreement files were last taken into use."),
    # Events.
    _counter("slamon_events_total", "Events read, by type.", "type"),
    _counter("slamon_events_rejected_total", "Records that cannot be used, by reason.", "reason"),
    _counter(
        "slamon_dead_letters_tallied_total",
        "Rejected records beyond the limits of a minute: not kept as dead letters, but counted there with their offsets.",
        "reason",
    ),
    _counter("slamon_events_late_total", "Events older than what was known of their subject; they count all the same."),
    _counter("slamon_events_duplicate_total", "Events seen before; they change nothing."),
    _counter(
        "slamon_events_conflicting_total",
        "Events with the id of an earlier one and other contents; the first counts, and the source needs mending.",
    ),
    _counter("slamon_events_unmatched_total", "Events about customers or services that no agreement speaks of."),
    # Tasks.
    _counter(
        "slamon_input_gaps_total",
        "Spans of an input that were deleted before they were read; that time is shown as not measured.",
    ),
    _gauge("slamon_partition_lag", "Records of an input partition that wait to be read.", "topic", "partition"),
    _gauge(
        "slamon_watermark_timestamp_seconds",
        "The task's clock: every record that stood in its inputs at this instant has been judged.",
        "partition",
    ),
    _gauge("slamon_task_state", "1 for the state a task is in, 0 for the others.", "partition", "state"),
    _counter(
        "slamon_tasks_lost_total",
        "Times a running task had to be given up and read back, because a commit failed or its outcome is unknown.",
    ),
    _histogram("slamon_commit_duration_seconds", "Time one transaction took, from begin to commit.", _SECONDS),
    _histogram("slamon_restore_duration_seconds", "Time a task took to rebuild its state.", _RESTORE_SECONDS),
    _counter("slamon_restore_records_total", "Changelog records read by restores."),
    _counter("slamon_restore_failures_total", "Restores that were given up and begun again."),
    # Alerts.
    _histogram(
        "slamon_detection_delay_seconds", "Time from the instant an alert became true until it was known.", _DELAY_SECONDS
    ),
    _gauge("slamon_alerts_firing", "Alerts that fire now, of this pod's tasks.", "alertname", "severity"),
    _counter("slamon_alert_transitions_total", "Alerts that fired or resolved.", "alertname", "transition", "reason"),
    # `receiver` is an Alertmanager, by host, port and path, or the name of a receiver in the settings.
    _counter("slamon_notifications_total", "Alerts that a receiver, or an Alertmanager, has taken.", "receiver"),
    _counter(
        "slamon_notifications_failed_total",
        "Alerts in requests that failed; they wait and are sent again.",
        "receiver",
    ),
    _counter(
        "slamon_notifications_dropped_total",
        "Alerts given up: refused for good, no longer in the topic, or an Alertmanager's queue was full or left at the end.",
        "receiver",
    ),
    _gauge(
        "slamon_notification_queue_length",
        "Alerts that wait for an Alertmanager, or offsets of the alerts topic that a receiver is behind.",
        "receiver",
    ),
    _gauge(
        "slamon_notification_queue_capacity",
        "Alerts that may wait for an Alertmanager before the oldest are dropped; for receivers the topic keeps them.",
        "receiver",
    ),
    # Objectives. What does not apply to an objective, or has nothing to be judged by, has no series.
    _objective(
        "slamon_objective_info",
        "What was promised, in the agreement's words; monitored=false: promised, but not measured here. Always 1.",
        "kind", "monitored", "target",
        kind=Kind.INFO,
    ),
    _objective("slamon_objective_target_ratio", "Share of time or of tickets that must be good in the period."),
    _objective("slamon_objective_attained_ratio", "Share that was good in the period to date."),
    _objective("slamon_objective_best_case_ratio", "Share if all that is not known was good."),
    _objective("slamon_objective_worst_case_ratio", "Share if all that is not known was bad."),
    _objective("slamon_objective_coverage_ratio", "Share of the period to date for which there are measurements."),
    _objective("slamon_objective_excluded_seconds", "Time that exclusions have taken out of the period to date."),
    _objective("slamon_objective_budget_remaining_ratio", "Share of the period's error budget that is left; below 0: overspent."),
    _objective("slamon_objective_budget_remaining_seconds", "Downtime the period can still bear; below 0: overspent."),
    _objective("slamon_objective_misses_left", "Tickets that may still be missed in the period."),
    _objective(
        "slamon_objective_burn_rate_ratio",
        "Speed at which the error budget is spent; at 1 it lasts exactly the period.",
        "window",
    ),
    _objective(
        "slamon_objective_budget_exhausted_timestamp_seconds",
        "When the error budget was used up, or will be if the running outage goes on.",
    ),
    _objective(
        "slamon_objective_credit_ratio",
        "Share of the period's fee that is due as a credit as it stands: of time, were the rest of the period good; of "
        "tickets and requests, if it ended now. 0 while nothing is proven; without a remedy there is no series.",
    ),
    _objective(
        "slamon_objective_credit_limit_ratio",
        "The greatest share of the period's fee that can become due; no series if nothing limits it.",
    ),
    _objective("slamon_objective_credit_amount", "What is due as a credit as it stands, in the currency's main unit.", "currency"),
    _objective("slamon_objective_fee_amount", "What is paid for the whole running period, in the currency's main unit.", "currency"),
    _objective(
        "slamon_objective_period_start_timestamp_seconds",
        "When the running calendar period began; a rolling window has none.",
    ),
    _objective(
        "slamon_objective_period_end_timestamp_seconds",
        "When the running calendar period ends; a rolling window has none.",
    ),
    _objective("slamon_objective_excluded", "1 while an exclusion takes the time out of the objective, else 0."),
    _objective("slamon_objective_standing", "1 for the objective's standing, 0 for the others.", "standing"),
    # Tickets.
    _objective("slamon_tickets", "Open ticket clocks; a breached one is counted as breached only.", "state"),
    _objective(
        "slamon_ticket_due_timestamp_seconds",
        "When a running clock is due, for those that are due soonest and not yet breached.",
        "ticket", "priority",
    ),
    _of_page("slamon_ticket_series_left_out", "Running clocks without a series, because others are due sooner."),
    _of_page("slamon_series_limit", "Objective series that may stand on this page."),
    _of_page("slamon_series_left_out", "Objective series left out because of the limit."),
)  # fmt: skip

BY_NAME: Mapping[str, Metric] = {metric.name: metric for metric in METRICS}


@dataclass(frozen=True, slots=True)
class NotificationMetrics:
    """The counters of one receiver, or Alertmanager."""

    sent: Counter
    failed: Counter
    dropped: Counter
    queue_length: Gauge


class Metrics:
    """The metrics of this process, in a registry of their own: two of them in one test do not meet."""

    def __init__(self, version: str) -> None:
        # `_created` is a second series per counter that nobody reads.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # - the library leaves it untyped
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        Info(*self._declared("slamon_build_info", Kind.INFO), registry=self.registry).info(
            {"version": version, "python": platform.python_version()}
        )
        self._reload_successful = self._gauge("slamon_config_last_reload_successful")
        self._reload_success_at = self._gauge("slamon_config_last_reload_success_timestamp_seconds")

        events = self._counter("slamon_events_total")
        self.events: Mapping[str, Counter] = {name: events.labels(name) for name in EVENT_TYPES}
        self._rejected = self._counter("slamon_events_rejected_total")
        self._tallied = self._counter("slamon_dead_letters_tallied_total")
        self.events_late = self._counter("slamon_events_late_total")
        self.events_duplicate = self._counter("slamon_events_duplicate_total")
        self.events_conflicting = self._counter("slamon_events_conflicting_total")
        self.events_unmatched = self._counter("slamon_events_unmatched_total")

        self.input_gaps = self._counter("slamon_input_gaps_total")
        self._lag = self._gauge("slamon_partition_lag")
        self._watermark = self._gauge("slamon_watermark_timestamp_seconds")
        self._task_state = self._gauge("slamon_task_state")
        self.tasks_lost = self._counter("slamon_tasks_lost_total")
        self.commit_duration = self._histogram("slamon_commit_duration_seconds")
        self.restore_duration = self._histogram("slamon_restore_duration_seconds")
        self.restore_records = self._counter("slamon_restore_records_total")
        self.restore_failures = self._counter("slamon_restore_failures_total")

        self.detection_delay = self._histogram("slamon_detection_delay_seconds")
        self._firing = self._gauge("slamon_alerts_firing")
        self._transitions = self._counter("slamon_alert_transitions_total")
        self._sent = self._counter("slamon_notifications_total")
        self._failed = self._counter("slamon_notifications_failed_total")
        self._dropped = self._counter("slamon_notifications_dropped_total")
        self._queue_length = self._gauge("slamon_notification_queue_length")
        self._queue_capacity = self._gauge("slamon_notification_queue_capacity")

    def rejected(self, reason: str) -> Counter:
        return self._rejected.labels(reason)

    def tallied(self, reason: str) -> Counter:
        return self._tallied.labels(reason)

    def config_taken(self, at: int) -> None:
        """Agreement files are in use since `at` (microseconds)."""
        self._reload_successful.set(1)
        self._reload_success_at.set(at / MICROSECONDS)

    def config_refused(self) -> None:
        """The newest agreement files have faults; the earlier ones stay in use."""
        self._reload_successful.set(0)

    def task_state(self, partition: int, state: str) -> None:
        for each in TASK_STATES:
            self._task_state.labels(str(partition), each).set(1 if each == state else 0)

    def watermark(self, partition: int, now: int) -> None:
        """`now` is the task's clock in microseconds."""
        self._watermark.labels(str(partition)).set(now / MICROSECONDS)

    def lag(self, topic: str, partition: int, records: int) -> None:
        self._lag.labels(topic, str(partition)).set(records)

    def task_gone(self, partition: int) -> None:
        """Another pod speaks about this partition from now on: here it leaves no series behind."""
        for gauge in (self._watermark, self._task_state, self._lag):
            gauge.remove_by_labels({"partition": str(partition)})

    def firing(self, alertname: str, severity: str, number: int) -> None:
        self._firing.labels(alertname, severity).set(number)

    def transition(self, alertname: str, transition: str, reason: str) -> None:
        self._transitions.labels(alertname, transition, reason).inc()

    def notifications(self, receiver: str, capacity: int | None = None) -> NotificationMetrics:
        """The counters of one receiver; they are there, at 0, from the first scrape on. `capacity`: of its queue, if it has one."""
        if capacity is not None:
            self._queue_capacity.labels(receiver).set(capacity)
        return NotificationMetrics(
            self._sent.labels(receiver),
            self._failed.labels(receiver),
            self._dropped.labels(receiver),
            self._queue_length.labels(receiver),
        )

    def _declared(self, name: str, kind: Kind) -> tuple[str, str]:
        """Name and help as the client library wants them: it adds `_info` itself, and minds no `_total`."""
        metric = BY_NAME[name]
        assert metric.kind is kind and metric.page is Page.PROCESS, name  # noqa: PT018 - one statement: declared as it is used
        return name.removesuffix("_info"), metric.help

    def _labels(self, name: str) -> Sequence[str]:
        return BY_NAME[name].labels

    def _counter(self, name: str) -> Counter:
        return Counter(*self._declared(name, Kind.COUNTER), self._labels(name), registry=self.registry)

    def _gauge(self, name: str) -> Gauge:
        return Gauge(*self._declared(name, Kind.GAUGE), self._labels(name), registry=self.registry)

    def _histogram(self, name: str) -> Histogram:
        declared = self._declared(name, Kind.HISTOGRAM)
        return Histogram(*declared, self._labels(name), registry=self.registry, buckets=BY_NAME[name].buckets)
