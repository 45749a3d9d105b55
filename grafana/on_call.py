"""The board for the person on call: can I trust this, who breaches next and when, since when, how fast does it burn.

What must be read first stands on top and fits one screen; what the machinery does in detail is on the board about slamon
itself.
"""

from boards import BREACHES, EXCLUSIONS, ON_CALL, RESTARTS, SERVICE_MANAGER, Panels
from boards import board as frame
from grafana_foundation_sdk.builders import dashboard
from panels import NONE_IS_GOOD, PLAIN, Column, Query, Texts, Words, lines, numbers, rows, timeline
from promql import (
    AT_STAKE,
    CHOSEN,
    CLOCK_BEHIND,
    CREDIT,
    HOUR,
    MONEY,
    NO_OBJECTIVES,
    NO_TASK,
    NOT_SCRAPED,
    OBJECTIVE,
    lately,
    one,
    or_none,
    standing,
    stirred,
)

# Worst first: should two pods for a moment disagree, the worse is shown.
STANDINGS: Texts = {
    5: ("breached", "red"),
    4: ("at risk", "orange"),
    3: ("undetermined", "purple"),
    2: ("on track", "green"),
    1: ("not applicable", "text"),
}
BY_STANDING = {
    "breached": ((None, "text"), (1, "red")),
    "at_risk": ((None, "text"), (1, "orange")),
    "undetermined": ((None, "text"), (1, "purple")),
    "on_track": ((None, "text"), (1, "green")),
}
STANDING_MEANS = "Undetermined: not measured well enough to say. Not applicable: nothing to judge yet; neither is a good result."


def board() -> dashboard.Dashboard:
    return frame(
        ON_CALL,
        "Which promises are at risk, when they are due, and whether slamon's own word can be trusted.",
        (
            ("Can I trust this?", _trust()),
            ("Who breaches next, and when?", _next()),
            ("Who is at risk or breached, since when, and what does it cost?", _at_risk()),
            ("How did it come about?", _over_time()),
        ),
        (BREACHES, EXCLUSIONS, RESTARTS),
        since="now-6h",
        refresh="30s",
    )


# What makes the rest of the board worth less, and when it holds. Each has a value then, and no series else.
DOUBTS = {
    f"{NOT_SCRAPED}: all numbers are missing or old": "absent(slamon_build_info)",
    "No task runs: nothing is judged": 'max(slamon_build_info) unless sum(slamon_task_state{state="running"}) > 0',
    "A task restores, is parked or has failed: nothing is announced for its customers": (
        'sum(slamon_task_state{state!="running"}) > 0'
    ),
    "A clock is behind by more than a minute: what happened since is not judged": f"max({CLOCK_BEHIND}) > 60",
    "Deliveries failed within five minutes; they are tried again": (
        "sum(increase(slamon_notifications_failed_total[5m])) > 0"
    ),
    "Alerts have waited for five minutes to be delivered": "max(min_over_time(slamon_notification_queue_length[5m])) > 0",
    "Alerts were given up within the hour": "sum(increase(slamon_notifications_dropped_total[1h])) > 0",
    "Records were rejected within the hour: what they say counts nowhere": f"{lately('slamon_events_rejected_total')} > 0",
    "Input was deleted before it was read, within the hour: that time counts as not measured": (
        f"{lately('slamon_input_gaps_total')} > 0"
    ),
    "The newest agreement files were refused; the earlier ones are in use": (
        "min(slamon_config_last_reload_successful) == 0"
    ),
    "Objectives are left out here: more than the setting metrics.series_limit lets in": "max(slamon_series_left_out) > 0",
}


def _trust() -> Panels:
    doubts = " or ".join(
        f'label_replace({expr}, "reason", "{reason}", "", "")' for reason, expr in DOUBTS.items()
    )
    return [
        rows(
            Words(
                "Reasons to doubt this board",
                "Everything slamon and Prometheus know that makes the rest of this board incomplete or old; one line each.",
                "None is known",
            ),
            [Column("Reason", label="reason")],
            of=doubts, sort="Reason", width=9, height=6,
        ),
        numbers(
            Words(
                "Tasks by state",
                "A task judges the customers of one partition. While it restores or has failed, nothing is announced for them.",
                f"{NOT_SCRAPED}, or no pod has a task",
            ),
            "number", [Query("sum by (state) (slamon_task_state)", "{{state}}")], width=6, height=6, steps=PLAIN,
            colours={
                "running": ((None, "red"), (1, "green")),
                "restoring": ((None, "text"), (1, "orange")),
                "parked": ((None, "text"), (1, "orange")),
                "failed": ((None, "text"), (1, "red")),
            },
        ),
        numbers(
            Words(
                "Clock behind by",
                "How old the oldest task's view of the world was when it was last scraped: what happened since is not judged yet.",
                NO_TASK,
            ),
            "seconds", [Query(f"max({CLOCK_BEHIND})")], width=3, height=6,
            steps=((None, "green"), (10, "orange"), (60, "red")),
        ),
        numbers(
            Words(
                "Waiting to be read",
                "Records of the input partition that is furthest behind. What they say is not judged yet.",
                NO_TASK,
            ),
            "number", [Query("max(slamon_partition_lag)")], width=3, height=6,
            steps=((None, "green"), (1_000, "orange"), (100_000, "red")),
        ),
        numbers(
            Words(
                "Notifications, last hour",
                "Alerts that were taken, alerts in deliveries that failed (they are tried again), and alerts given up.",
                f"{NOT_SCRAPED}, or it has nobody to notify",
            ),
            "number",
            [
                Query(stirred("slamon_notifications_total", "1h"), "taken"),
                Query(stirred("slamon_notifications_failed_total", "1h"), "failed"),
                Query(stirred("slamon_notifications_dropped_total", "1h"), "given up"),
            ],
            width=3, height=6, steps=NONE_IS_GOOD, colours={"taken": PLAIN},
        ),
    ]  # fmt: skip


def _next() -> Panels:
    due = one("slamon_ticket_due_timestamp_seconds", "ticket", "priority")
    ends = f"{one('slamon_objective_budget_exhausted_timestamp_seconds')} > time()"
    coming = f"({due} or {ends})"
    breached = one("slamon_objective_standing", where='standing="breached"')
    over = one("slamon_tickets", where='state="breached"')
    of_those_shown = (
        "Of the clocks that are due soonest on each pod, the only ones with an instant of their own."
    )
    return [
        numbers(
            Words(
                "Objectives breached now",
                "Objectives whose period can no longer be met, or stands below its target.",
                NO_OBJECTIVES,
            ),
            "number", [Query(f"sum({breached})")], width=4, steps=NONE_IS_GOOD,
        ),
        numbers(
            Words(
                "Tickets breached now",
                "Clocks of open tickets that have run past their target.",
                f"No ticket objectives are known for this choice, or: {NOT_SCRAPED.lower()}",
            ),
            "number", [Query(f"sum({over})")], width=4, steps=NONE_IS_GOOD,
        ),
        numbers(
            Words("Tickets due within 1 hour", f"Running clocks that are due within the hour. {of_those_shown}", NOT_SCRAPED),
            "number", [Query(or_none(f"count({due} - time() <= {HOUR})"))], width=4, steps=((None, "green"), (1, "orange")),
        ),
        numbers(
            Words("Tickets due within 4 hours", f"Running clocks that are due within four hours. {of_those_shown}", NOT_SCRAPED),
            "number", [Query(or_none(f"count({due} - time() <= {4 * HOUR})"))], width=4, steps=((None, "green"), (1, "yellow")),
        ),
        numbers(
            Words(
                "Budgets that end within 4 hours",
                "Objectives with an outage that runs now and will have used up the error budget within four hours if it goes on.",
                NOT_SCRAPED,
            ),
            "number", [Query(or_none(f"count(({ends}) - time() <= {4 * HOUR})"))], width=4, steps=((None, "green"), (1, "orange")),
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
            Words(
                "Next to breach",
                "Running clocks of tickets, and outages that use up an error budget (without a ticket here); what is due first "
                f"stands on top. At stake: the most that the objective's credits can still grow by in this period. {of_those_shown}",
                f"No running clock and no outage is known for this choice, or: {NOT_SCRAPED.lower()}",
            ),
            [
                Column(
                    "Time left", expr=f"{coming} - time()", unit="left",
                    steps=((None, "red"), (HOUR, "orange"), (4 * HOUR, "text")),
                ),
                Column("Due", expr=f"{coming} * 1000", unit="instant"),
                Column("Customer", label="customer", to=SERVICE_MANAGER),
                Column("Ticket", label="ticket"),
                Column("Priority", label="priority"),
                Column("Objective", label="objective"),
                Column("At stake", expr=f"{coming} * 0 + on ({OBJECTIVE}) group_left ({MONEY}) {AT_STAKE}", unit="money"),
                Column("Currency", label=MONEY),
                Column("Agreement", label="agreement"),
            ],
            sort="Time left", height=10,
        ),
    ]  # fmt: skip


def _at_risk() -> Panels:
    worst = standing("at_risk|breached", "standing")
    of_those = f" and on ({OBJECTIVE}) {worst}"
    # When it was last seen to stand otherwise; as fine as a graph of the time shown.
    otherwise = f'timestamp(slamon_objective_standing{{{CHOSEN}, standing=~"at_risk|breached"}} == 0)'
    since = (
        f"max by ({OBJECTIVE}, standing) (max_over_time(({otherwise})[$__range:$__interval])) * 1000 "
        f"and on ({OBJECTIVE}, standing) {worst}"
    )
    return [
        numbers(
            Words(
                "Objectives by standing",
                f"How the chosen customers' objectives stand now. {STANDING_MEANS}",
                NO_OBJECTIVES,
            ),
            "number",
            [Query(f"sum by (standing) ({one('slamon_objective_standing', 'standing')})", "{{standing}}")],
            width=16, steps=PLAIN, colours=BY_STANDING,
        ),
        numbers(
            Words(
                "Credits due as it stands",
                "What the chosen customers are owed for their running periods, by currency: of time, were the rest of the period "
                "good; of tickets and requests, if it ended now.",
                f"No objective of this choice has credits and a fee, or: {NOT_SCRAPED.lower()}",
            ),
            "money", [Query(f"sum by ({MONEY}) ({CREDIT})", "{{currency}}")], width=8, steps=PLAIN,
        ),
        rows(
            Words(
                "At risk or breached",
                "Objectives that are at risk or breached in their running period, what changed last on top. Since: a "
                "dash is longer than the time shown. Attained: to date. Budget ends: when the error budget "
                "is used up if the running outage goes on, or when it was. Credit due: for this period as it stands.",
                "No objective at risk or breached is known; whether that can be trusted is said above",
            ),
            [
                Column("Standing", label="standing"),
                Column("Since", expr=since, unit="instant"),
                Column("Customer", label="customer", to=SERVICE_MANAGER),
                Column("Agreement", label="agreement"),
                Column("Objective", label="objective"),
                Column("Attained", expr=one("slamon_objective_attained_ratio") + of_those, unit="share"),
                Column("Target", expr=one("slamon_objective_target_ratio") + of_those, unit="share"),
                Column(
                    "Misses left", expr=one("slamon_objective_misses_left") + of_those,
                    steps=((None, "red"), (1, "text")),
                ),
                Column(
                    "Budget left", expr=one("slamon_objective_budget_remaining_seconds") + of_those, unit="left",
                    steps=((None, "red"), (600, "orange"), (HOUR, "text")),
                ),
                Column(
                    "Budget ends",
                    expr=one("slamon_objective_budget_exhausted_timestamp_seconds") + " * 1000" + of_those,
                    unit="instant",
                ),
                Column("Credit due", expr=CREDIT + of_those, unit="money"),
                Column("Currency", label=MONEY),
                Column(
                    "Period ends",
                    expr=one("slamon_objective_period_end_timestamp_seconds") + " * 1000" + of_those,
                    unit="instant",
                ),
            ],
            of=worst, sort="Since", descending=True, height=10,
        ),
    ]  # fmt: skip


def _over_time() -> Panels:
    rate = one("slamon_objective_burn_rate_ratio", "window")
    last = one("slamon_objective_burn_rate_ratio", "window", at=" @ end()")
    left = one("slamon_objective_budget_remaining_ratio")
    left_last = one("slamon_objective_budget_remaining_ratio", at=" @ end()")
    undetermined = standing("undetermined")
    stood = " or ".join(
        f"{standing(text.replace(' ', '_'))} * {number}" for number, (text, _) in STANDINGS.items()
    )
    troubled = (
        f"max by ({OBJECTIVE}) (max_over_time(slamon_objective_standing"
        f'{{{CHOSEN}, standing=~"at_risk|breached"}}[$__range] @ end())) == 1'
    )
    return [
        lines(
            Words(
                "Objectives by standing, over time",
                f"How many of the chosen customers' objectives stood how. {STANDING_MEANS}",
                NO_OBJECTIVES,
            ),
            "number",
            Query(f"sum by (standing) ({one('slamon_objective_standing', 'standing')})", "{{standing}}"),
            width=10, height=9, stacked=True,
        ),
        timeline(
            Words(
                "Standing of each objective, over time",
                "Of objectives that were at risk or breached in the time shown, twenty at most. " + STANDING_MEANS,
                f"None was at risk or breached, or: {NOT_SCRAPED.lower()}",
            ),
            Query(f"({stood}) and on ({OBJECTIVE}) topk(20, {troubled})", "{{customer}} · {{objective}}"),
            STANDINGS, width=14, height=9,
        ),
        lines(
            Words(
                "Error budget left, over time",
                "Share of the period's error budget that is left, for the ten objectives with least at the end of the time "
                "shown; below 0 it is overspent. Not shown: what is undetermined, or has no error budget.",
                f"No error budget is known for this choice, or: {NOT_SCRAPED.lower()}",
            ),
            "share",
            Query(
                f"({left} unless on ({OBJECTIVE}) {undetermined}) and on ({OBJECTIVE}) bottomk(10, {left_last})",
                "{{customer}} · {{objective}}",
            ),
            width=12, height=10, signed=True, steps=((None, "red"), (0, "green")),
        ),
        lines(
            Words(
                "Burn rate",
                "How many times faster than evenly the error budget is spent, over each window; at 1 it lasts exactly the "
                "period. The ten highest at the end of the time shown.",
                f"No burn rate is known for this choice, or: {NOT_SCRAPED.lower()}",
            ),
            "times", Query(f"{rate} and topk(10, {last})", "{{customer}} · {{objective}} · {{window}}"),
            width=12, height=10, steps=((None, "green"), (1, "red")),
        ),
    ]  # fmt: skip
