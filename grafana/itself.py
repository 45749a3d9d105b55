"""The board about slamon itself, for who runs it: is every partition judged, does it keep up, is everybody told."""

from boards import ITSELF, RESTARTS, Panels
from boards import board as frame
from grafana_foundation_sdk.builders import dashboard
from panels import NONE_IS_GOOD, PLAIN, Column, Query, Words, lines, numbers, rows
from promql import CLOCK_BEHIND, NO_TASK, NOT_SCRAPED, lately, of_slamon, quantile

RATE = "[$__rate_interval]"
NOBODY_TO_NOTIFY = f"{NOT_SCRAPED}, or it has nobody to notify"


def board() -> dashboard.Dashboard:
    return frame(
        ITSELF,
        "Whether slamon judges everything, keeps up, and reaches those who must be told.",
        (
            ("Is every partition judged?", _tasks()),
            ("Does it keep up?", _keeping_up()),
            ("What does it read?", _events()),
            ("Is everybody told, and how soon?", _telling()),
            ("What does it need?", _needs()),
        ),
        (RESTARTS,),
        since="now-6h",
        refresh="30s",
        choice=False,
    )


def _tasks() -> Panels:
    running = 'slamon_task_state{state="running"}'
    seen = "count(group by (partition) (max_over_time(slamon_task_state[$__range])))"
    return [
        rows(
            Words(
                "Pods",
                "Every pod that is scraped: its release, since when it runs, the tasks it runs, and what it takes. A pod "
                "without tasks stands by.",
                NOT_SCRAPED,
            ),
            [
                Column("Pod", label="instance"),
                Column("Release", label="version"),
                Column("Python", label="python"),
                Column("Started", expr=f"{of_slamon('process_start_time_seconds')} * 1000", unit="instant"),
                Column("Tasks running", expr=f"sum by (instance) ({running})"),
                Column("Memory", expr=of_slamon("process_resident_memory_bytes"), unit="bytes"),
                Column("CPU", expr=of_slamon(f"rate(process_cpu_seconds_total{RATE})"), unit="cores"),
                Column("Open files", expr=of_slamon("process_open_fds")),
            ],
            of="max by (instance, version, python) (slamon_build_info)", sort="Pod", width=14, height=7,
        ),
        numbers(
            Words(
                "Partitions",
                "Judged now: with a running task. Not judged: seen with a task in the time shown, and without a running one "
                "now; their customers' events wait. Judged twice: must not be, but for the seconds of a move.",
                NO_TASK,
            ),
            "number",
            [
                Query(f"count(max by (partition) ({running}) == 1)", "judged now"),
                Query(f"{seen} - (count(max by (partition) ({running}) == 1) or 0 * {seen})", "not judged"),
                Query(f"count(sum by (partition) ({running}) > 1) or 0 * {seen}", "judged twice"),
            ],
            width=5, height=7, steps=NONE_IS_GOOD, colours={"judged now": ((None, "red"), (1, "green"))},
        ),
        numbers(
            Words(
                "Agreement files",
                "Whether the newest agreement files are in use; refused ones have faults, which the log and `slamon check` name, "
                "and the earlier ones stay in use.",
                NOT_SCRAPED,
            ),
            "number", [Query("min(slamon_config_last_reload_successful)")], width=5, height=7, steps=((None, "red"), (1, "green")),
            texts={1: ("newest in use", "green"), 0: ("newest refused", "red")},
        ),
        lines(
            Words(
                "Tasks by state",
                "A task restores when it comes to a pod, is parked when it waits for what it needs, and has failed when it gave up.",
                f"{NOT_SCRAPED}, or no pod has a task",
            ),
            "number", Query("sum by (state) (slamon_task_state)", "{{state}}"), width=8, height=8, stacked=True,
        ),
        lines(
            Words("Tasks running, by pod", "How the partitions are spread over the pods.", NO_TASK),
            "number", Query(f"sum by (instance) ({running})", "{{instance}}"), width=8, height=8, stacked=True,
        ),
        lines(
            Words(
                "Time since agreement files were taken into use",
                "Of each pod; a line that does not fall after a change is a pod that did not take it.",
                NOT_SCRAPED,
            ),
            "seconds",
            Query("time() - max by (instance) (slamon_config_last_reload_success_timestamp_seconds)", "{{instance}}"),
            width=8, height=8,
        ),
    ]  # fmt: skip


def _keeping_up() -> Panels:
    return [
        lines(
            Words(
                "Waiting to be read, by partition",
                "Records of each input partition that wait to be read. A line that only rises is a task that does not keep up.",
                NO_TASK,
            ),
            "number", Query("max by (topic, partition) (slamon_partition_lag)", "{{topic}} {{partition}}"), width=8, height=8,
        ),
        lines(
            Words(
                "Clock behind, by partition",
                "How old each task's view was when scraped. A line that rises by a second each second is a clock that stands.",
                NO_TASK,
            ),
            "seconds", Query(f"max by (partition) ({CLOCK_BEHIND})", "{{partition}}"), width=8, height=8,
        ),
        lines(
            Words(
                "Commits",
                "Time within which half, and 99 of 100, of the transactions of the hour before were done. It adds to the delay of every alert.",
                f"Nothing was committed, or: {NOT_SCRAPED.lower()}",
            ),
            "seconds",
            Query(quantile("0.5", "slamon_commit_duration_seconds"), "half"),
            Query(quantile("0.99", "slamon_commit_duration_seconds"), "99 of 100"),
            width=8, height=8,
        ),
        lines(
            Words("Commits a second", "Transactions committed, by pod.", NOT_SCRAPED),
            "a second", Query(f"sum by (instance) (rate(slamon_commit_duration_seconds_count{RATE}))", "{{instance}}"),
            width=8, height=7,
        ),
        numbers(
            Words(
                "Restores in the time shown",
                "Tasks that rebuilt their state, the records read for it, restores that were given up and begun again, and running "
                "tasks that were given up and read back because a commit failed.",
                NOT_SCRAPED,
            ),
            "number",
            [
                Query(lately("slamon_restore_duration_seconds_count", window="$__range"), "restores"),
                Query(lately("slamon_restore_records_total", window="$__range"), "records read"),
                Query(lately("slamon_restore_failures_total", window="$__range"), "given up"),
                Query(lately("slamon_tasks_lost_total", window="$__range"), "running tasks given up"),
            ],
            width=8, height=7, steps=PLAIN, colours={"given up": NONE_IS_GOOD, "running tasks given up": NONE_IS_GOOD},
        ),
        numbers(
            Words(
                "Time a restore takes",
                "Of the restores of each pod that runs now, on average since it started. So long nothing is announced for a "
                "task's customers after a move.",
                f"No pod that runs has restored a task, or: {NOT_SCRAPED.lower()}",
            ),
            "seconds",
            [
                Query(
                    "max by (instance) (slamon_restore_duration_seconds_sum / (slamon_restore_duration_seconds_count > 0))",
                    "{{instance}}",
                )
            ],
            width=8, height=7, steps=PLAIN,
        ),
    ]  # fmt: skip


def _events() -> Panels:
    odd = (
        ("late", "slamon_events_late_total"),
        ("seen before", "slamon_events_duplicate_total"),
        ("same id, other contents", "slamon_events_conflicting_total"),
        ("about nobody's agreement", "slamon_events_unmatched_total"),
    )
    return [
        lines(
            Words("Events, by type", "Events read a second.", f"No event was read yet, or: {NOT_SCRAPED.lower()}"),
            "a second", Query(f"sum by (type) (rate(slamon_events_total{RATE}))", "{{type}}"), width=8, height=8, stacked=True,
        ),
        lines(
            Words(
                "Events that are odd",
                "Within the hour before each instant. Late ones count all the same, those seen before change nothing; of two with "
                "one id the first counts and the source needs mending; and who sends about nobody's agreement, or what the "
                "agreements lack, is worth a look.",
                NOT_SCRAPED,
            ),
            "number", *(Query(lately(counter), legend) for legend, counter in odd), width=8, height=8,
        ),
        lines(
            Words(
                "Records rejected, by reason",
                "Records sent to the dead letters within the hour before each instant.",
                f"No record was rejected, or: {NOT_SCRAPED.lower()}",
            ),
            "number", Query(lately("slamon_events_rejected_total", "reason"), "{{reason}}"), width=5, height=8,
        ),
        numbers(
            Words(
                "Rejected or lost, last hour",
                "Records that cannot be events; of these what was more than the limits of a minute let into the dead letters: counted "
                "there, with their offsets; and spans of the input that were deleted before they were read: that time counts "
                "as not measured.",
                NOT_SCRAPED,
            ),
            "number",
            [
                Query(lately("slamon_events_rejected_total"), "rejected"),
                Query(lately("slamon_dead_letters_tallied_total"), "not kept"),
                Query(lately("slamon_input_gaps_total"), "spans lost"),
            ],
            width=3, height=8, steps=NONE_IS_GOOD,
        ),
    ]  # fmt: skip


def _telling() -> Panels:
    return [
        lines(
            Words(
                "Detection delay",
                "Time from the instant an alert became true until slamon knew it; half, and 99 of 100, of the hour before lay within.",
                f"No alert fired in time in the hour before, or: {NOT_SCRAPED.lower()}",
            ),
            "seconds",
            Query(quantile("0.5", "slamon_detection_delay_seconds"), "half"),
            Query(quantile("0.99", "slamon_detection_delay_seconds"), "99 of 100"),
            width=8, height=8,
        ),
        lines(
            Words("Alerts that fire", "Alerts that fire at each instant, by name and severity.", f"No alert fires, or: {NO_TASK.lower()}"),
            "number", Query("sum by (alertname, severity) (slamon_alerts_firing) > 0", "{{alertname}} · {{severity}}"),
            width=8, height=8, stacked=True,
        ),
        lines(
            Words(
                "Alerts that fired and resolved",
                "Within the hour before each instant, by name.",
                f"No alert fired or resolved, or: {NOT_SCRAPED.lower()}",
            ),
            "number",
            Query(lately("slamon_alert_transitions_total", "alertname", "transition"), "{{alertname}} {{transition}}"),
            width=8, height=8,
        ),
        lines(
            Words(
                "Notifications",
                "Alerts a second that each receiver has taken; an Alertmanager is told again of what fires, each minute.",
                NOBODY_TO_NOTIFY,
            ),
            "a second", Query(f"sum by (receiver) (rate(slamon_notifications_total{RATE}))", "{{receiver}}"),
            width=8, height=8,
        ),
        lines(
            Words(
                "Notifications not taken, by receiver",
                "Within the hour before each instant: alerts in deliveries that failed, which are tried again, and alerts given up.",
                NOBODY_TO_NOTIFY,
            ),
            "number",
            Query("sum by (receiver) (round(increase(slamon_notifications_failed_total[1h])))", "{{receiver}}: failed"),
            Query("sum by (receiver) (round(increase(slamon_notifications_dropped_total[1h])))", "{{receiver}}: given up"),
            width=8, height=8,
        ),
        lines(
            Words(
                "Queue of notifications",
                "Alerts that wait to be taken, on the pod where most do; of a receiver that is no Alertmanager, records of the "
                "alerts topic that it is behind. A line that stays above 0 is somebody who is not told.",
                NOBODY_TO_NOTIFY,
            ),
            "number", Query("max by (receiver) (slamon_notification_queue_length)", "{{receiver}}"), width=5, height=8,
        ),
        numbers(
            Words(
                "Fullest queue",
                "Share of the room that is taken in the fullest queue of an Alertmanager; when it is full, the oldest are given up.",
                f"{NOT_SCRAPED}, or it notifies no Alertmanager",
            ),
            "share", [Query("max(slamon_notification_queue_length / slamon_notification_queue_capacity)")],
            width=3, height=8, steps=((None, "green"), (0.5, "red")),
        ),
    ]  # fmt: skip


def _needs() -> Panels:
    return [
        lines(
            Words("Memory", "Memory that each pod holds.", NOT_SCRAPED),
            "bytes", Query(of_slamon("process_resident_memory_bytes"), "{{instance}}"), width=8, height=8,
        ),
        lines(
            Words("CPU", "Cores that each pod uses; one is the most that judging can use.", NOT_SCRAPED),
            "cores", Query(of_slamon(f"rate(process_cpu_seconds_total{RATE})"), "{{instance}}"), width=8, height=8,
        ),
        numbers(
            Words(
                "Series of objectives",
                "The most that a pod may show (setting metrics.series_limit), what was left out because of it, and running clocks "
                "without a series of their own (setting metrics.ticket_series).",
                NOT_SCRAPED,
            ),
            "number",
            [
                Query("min(slamon_series_limit)", "limit of a pod"),
                Query("sum(slamon_series_left_out)", "left out"),
                Query("sum(slamon_ticket_series_left_out)", "clocks without"),
            ],
            width=8, height=8, steps=PLAIN, colours={"left out": NONE_IS_GOOD},
        ),
    ]  # fmt: skip
