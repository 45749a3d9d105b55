"""The board for the person on call: can I trust this, who is at risk, when is it due, how fast does it burn.

Rules of its queries:
- A series carries the pod that exports it; while a task moves, two pods may show one objective. Every query therefore
  begins by taking one value for each set of slamon's own labels.
- Nothing to show is said in words, and never looks like a good number. A zero that means "none" is given only
  while a slamon is scraped (`_or_none`).
"""

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    Panel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)
from panels import NONE_IS_GOOD, PLAIN, PROMETHEUS, Column, Query, Words, bars, lines, numbers, rows

OBJECTIVE = "customer, agreement, objective"
CHOSEN = 'customer=~"$customer", agreement=~"$agreement"'

Panels = list[Builder[Panel]]

HOUR = 3600
NOT_SCRAPED = "No slamon is scraped"


def board() -> dashboard.Dashboard:
    built = (
        dashboard.Dashboard("slamon / on call")
        .uid("slamon-on-call")
        .description(
            "Which promises are at risk, when they are due, and whether slamon's own word can be trusted."
        )
        .tags(["slamon", "sla"])
        .timezone("browser")
        .time("now-6h", "now")
        .refresh("30s")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(_labels("customer", "Customer", "slamon_objective_info"))
        .with_variable(_labels("agreement", "Agreement", 'slamon_objective_info{customer=~"$customer"}'))
    )
    for title, panels in (
        ("Can I trust this?", _trust()),
        ("Who is at risk?", _at_risk()),
        ("Due when?", _due()),
        ("How fast does it burn?", _burn()),
    ):
        built.with_row(dashboard.Row(title))
        for panel in panels:
            built.with_panel(panel)
    return built


def _labels(label: str, title: str, series: str) -> dashboard.QueryVariable:
    query = f"label_values({series}, {label})"
    return (
        dashboard.QueryVariable(label)
        .label(title)
        .datasource(PROMETHEUS)
        .query({"qryType": 1, "query": query, "refId": label})
        .definition(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(VariableOption(text=["All"], value=["$__all"]))
    )


def _one(metric: str, *labels: str, where: str = "", at: str = "") -> str:
    """One value for each objective (and each of `labels`), whichever pods export it."""
    return f"max by ({', '.join((OBJECTIVE, *labels))}) ({metric}{{{', '.join(filter(None, (CHOSEN, where)))}}}{at})"


def _or_none(expr: str) -> str:
    """`expr`, or 0 where it has no series; still nothing when no slamon is scraped."""
    return f"({expr} or 0 * max(slamon_build_info))"


def _lately(counter: str, *labels: str) -> str:
    """How far the counter was raised within an hour.

    A counter with labels appears when it is first raised, at its first value, and `increase` sees no rise in that:
    the first value of series that were not there an hour ago is added.
    """
    by = f" by ({', '.join(labels)})" if labels else ""
    risen = f"sum{by} (increase({counter}[1h]))"
    begun = f"sum{by} (min_over_time({counter}[1h]) unless {counter} offset 1h)"
    if not labels:
        return f"{_or_none(risen)} + {_or_none(begun)}"
    return f"{risen} + {begun} or {risen} or {begun}"


def _trust() -> Panels:
    return [
        numbers(
            Words("Processes", "Pods of slamon that Prometheus scrapes.", NOT_SCRAPED),
            "number", [Query("count(max by (instance) (slamon_build_info))")], width=3, steps=PLAIN,
        ),
        numbers(
            Words(
                "Tasks by state",
                "A task judges the customers of one partition. While it restores or has failed, nothing is announced for them.",
                f"{NOT_SCRAPED}, or no pod has a task",
            ),
            "number", [Query("sum by (state) (slamon_task_state)", "{{state}}")], width=8, steps=PLAIN,
            colours={
                "running": ((None, "red"), (1, "green")),
                "restoring": ((None, "text"), (1, "orange")),
                "failed": ((None, "text"), (1, "red")),
            },
        ),
        numbers(
            Words(
                "Waiting to be read",
                "Records of the input partition that is furthest behind. What they say is not judged yet.",
                f"{NOT_SCRAPED}, or no task runs",
            ),
            "number", [Query("max(slamon_partition_lag)")], width=3,
            steps=((None, "green"), (1_000, "orange"), (100_000, "red")),
        ),
        numbers(
            Words(
                "Clock behind by",
                "How old the oldest task's view of the world was when it was last scraped: what happened since is not judged yet.",
                f"{NOT_SCRAPED}, or no task runs",
            ),
            "seconds",
            [Query("max(timestamp(slamon_watermark_timestamp_seconds) - slamon_watermark_timestamp_seconds)")],
            width=3, steps=((None, "green"), (10, "orange"), (60, "red")),
        ),
        numbers(
            Words(
                "Notifications, last hour",
                "Alerts in requests that an Alertmanager did not take (they are sent again), and alerts given up.",
                f"{NOT_SCRAPED}, or it knows no Alertmanager",
            ),
            "number",
            [
                Query("sum(increase(slamon_notifications_failed_total[1h]))", "failed"),
                Query("sum(increase(slamon_notifications_dropped_total[1h]))", "given up"),
            ],
            width=4, steps=NONE_IS_GOOD,
        ),
        numbers(
            Words(
                "Records rejected, last hour",
                "Records sent to the dead letters because they cannot be events; what they would have said counts nowhere.",
                NOT_SCRAPED,
            ),
            "number", [Query(_lately("slamon_events_rejected_total"))], width=3, steps=NONE_IS_GOOD,
        ),
        lines(
            Words(
                "Waiting to be read, by partition",
                "Records of each input partition that wait to be read. A line that only rises is a task that does not keep up.",
                f"{NOT_SCRAPED}, or no task runs",
            ),
            "number", Query("max by (topic, partition) (slamon_partition_lag)", "{{topic}} {{partition}}"), width=8, height=6,
        ),
        lines(
            Words(
                "Clock behind, by partition",
                "How old each task's view was when scraped. A line that rises by a second each second is a clock that stands.",
                f"{NOT_SCRAPED}, or no task runs",
            ),
            "seconds",
            Query(
                "max by (partition) (timestamp(slamon_watermark_timestamp_seconds) - slamon_watermark_timestamp_seconds)",
                "{{partition}}",
            ),
            width=8, height=6,
        ),
        lines(
            Words(
                "Records rejected, by reason",
                "Records sent to the dead letters within the hour before each instant.",
                f"No record was rejected, or: {NOT_SCRAPED.lower()}",
            ),
            "number", Query(_lately("slamon_events_rejected_total", "reason"), "{{reason}}"), width=8, height=6,
        ),
    ]  # fmt: skip


def _at_risk() -> Panels:
    worst = _one("slamon_objective_standing", "standing", where='standing=~"at_risk|breached"') + " == 1"
    of_those = f" and on ({OBJECTIVE}) ({worst})"
    return [
        numbers(
            Words(
                "Objectives by standing",
                "How the chosen customers' objectives stand now. Undetermined: not measured well enough to say. "
                "Not applicable: nothing to judge yet; neither is a good result.",
                f"No objectives are known: none agreed for this choice, or: {NOT_SCRAPED.lower()}",
            ),
            "number",
            [Query(f"sum by (standing) ({_one('slamon_objective_standing', 'standing')})", "{{standing}}")],
            width=24, steps=PLAIN,
            colours={
                "breached": ((None, "text"), (1, "red")),
                "at_risk": ((None, "text"), (1, "orange")),
                "undetermined": ((None, "text"), (1, "purple")),
                "on_track": ((None, "text"), (1, "green")),
            },
        ),
        rows(
            Words(
                "At risk or breached",
                "Objectives that are at risk or breached in their running period. Attained: to date. Budget ends: when the "
                "error budget is used up if the running outage goes on, or when it was.",
                "No objective at risk or breached is known; whether that can be trusted is said above",
            ),
            [
                Column("Standing", label="standing"),
                Column("Customer", label="customer"),
                Column("Agreement", label="agreement"),
                Column("Objective", label="objective"),
                Column("Attained", expr=_one("slamon_objective_attained_ratio") + of_those, unit="share"),
                Column("Target", expr=_one("slamon_objective_target_ratio") + of_those, unit="share"),
                Column("Misses left", expr=_one("slamon_objective_misses_left") + of_those, steps=((None, "red"), (1, "text"))),
                Column(
                    "Budget left",
                    expr=_one("slamon_objective_budget_remaining_seconds") + of_those,
                    unit="left",
                    steps=((None, "red"), (600, "orange"), (HOUR, "text")),
                ),
                Column(
                    "Budget ends",
                    expr=_one("slamon_objective_budget_exhausted_timestamp_seconds") + " * 1000" + of_those,
                    unit="instant",
                ),
            ],
            of=worst, sort="Standing", descending=True, height=9,
        ),
    ]  # fmt: skip


def _due() -> Panels:
    due = _one("slamon_ticket_due_timestamp_seconds", "ticket", "priority")
    left = f"{due} - time()"
    breached = _one("slamon_objective_standing", where='standing="breached"')
    over = _one("slamon_tickets", where='state="breached"')
    of_those_shown = (
        "Of the clocks that are due soonest on each pod, the only ones with an instant of their own."
    )
    no_clocks = f"No running clock is known for this choice, or: {NOT_SCRAPED.lower()}"
    return [
        numbers(
            Words(
                "Objectives breached now",
                "Objectives whose period can no longer be met, or stands below its target.",
                f"No objectives are known: none agreed for this choice, or: {NOT_SCRAPED.lower()}",
            ),
            "number", [Query(f"sum({breached})")], width=5, steps=NONE_IS_GOOD,
        ),
        numbers(
            Words(
                "Tickets breached now",
                "Clocks of open tickets that have run past their target.",
                f"No ticket objectives are known for this choice, or: {NOT_SCRAPED.lower()}",
            ),
            "number", [Query(f"sum({over})")], width=5, steps=NONE_IS_GOOD,
        ),
        numbers(
            Words("Due within 1 hour", f"Running clocks that are due within the hour. {of_those_shown}", NOT_SCRAPED),
            "number", [Query(_or_none(f"count({left} <= {HOUR})"))], width=5, steps=((None, "green"), (1, "orange")),
        ),
        numbers(
            Words("Due within 4 hours", f"Running clocks that are due within four hours. {of_those_shown}", NOT_SCRAPED),
            "number", [Query(_or_none(f"count({left} <= {4 * HOUR})"))], width=5, steps=((None, "green"), (1, "yellow")),
        ),
        numbers(
            Words(
                "Clocks not shown",
                "Running clocks of all customers that have no instant of their own here, because others are due sooner "
                "(setting metrics.ticket_series).",
                NOT_SCRAPED,
            ),
            "number", [Query("sum(slamon_ticket_series_left_out)")], width=4, steps=PLAIN,
        ),
        rows(
            Words("Next to breach", f"Running clocks, the one that is due first on top. {of_those_shown}", no_clocks),
            [
                Column("Time left", expr=left, unit="left", steps=((None, "red"), (HOUR, "orange"), (4 * HOUR, "text"))),
                Column("Due", expr=f"{due} * 1000", unit="instant"),
                Column("Customer", label="customer"),
                Column("Ticket", label="ticket"),
                Column("Priority", label="priority"),
                Column("Objective", label="objective"),
                Column("Agreement", label="agreement"),
            ],
            sort="Time left", height=10,
        ),
    ]  # fmt: skip


def _burn() -> Panels:
    rate = _one("slamon_objective_burn_rate_ratio", "window")
    last = _one("slamon_objective_burn_rate_ratio", "window", at=" @ end()")
    undetermined = _one("slamon_objective_standing", where='standing="undetermined"') + " == 1"
    return [
        lines(
            Words(
                "Burn rate",
                "How many times faster than evenly the error budget is spent, over each window; at 1 it lasts exactly the "
                "period. The ten highest at the end of the time shown.",
                f"No burn rate is known for this choice, or: {NOT_SCRAPED.lower()}",
            ),
            "times", Query(f"{rate} and topk(10, {last})", "{{customer}} · {{objective}} · {{window}}"),
            width=14, height=10, steps=((None, "green"), (1, "red")),
        ),
        bars(
            Words(
                "Error budget left",
                "Share of the period's error budget that is left; the fifteen lowest. Not shown: objectives that are "
                "undetermined, and those without an error budget.",
                f"No error budget is known for this choice, or: {NOT_SCRAPED.lower()}",
            ),
            "share",
            Query(
                f"sort(bottomk(15, {_one('slamon_objective_budget_remaining_ratio')} unless on ({OBJECTIVE}) ({undetermined})))",
                "{{customer}} · {{objective}}",
            ),
            width=10, height=10, steps=((None, "red"), (0.1, "orange"), (0.5, "green")),
        ),
    ]  # fmt: skip
