"""The board for the service manager: what was promised and kept in the running period, what is left, what is not known,
and how it was before.

An instant query answers for the end of the time shown: "Month before" turns the board to the last instant of that month,
at which the tables hold what its periods came to.
"""

from boards import BREACHES, EXCLUSIONS, ON_CALL, RESTARTS, SERVICE_MANAGER, Panels
from boards import board as frame
from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models.dashboard import DashboardLinkType, VariableOption
from on_call import BY_STANDING, STANDING_MEANS
from panels import PLAIN, Column, Query, Words, bars, lines, numbers, rows
from promql import CREDIT, FEE, HOUR, MONEY, NO_OBJECTIVES, NOT_SCRAPED, OBJECTIVE, one, standing

CHOICES_OF_BEFORE = ("1d", "7d", "28d", "30d", "31d", "91d", "365d")
BEFORE = "30d"
ATTAINED = one("slamon_objective_attained_ratio")
MARGIN = f"{ATTAINED} - {one('slamon_objective_target_ratio')}"
UNKNOWN = f"{one('slamon_objective_best_case_ratio')} - {one('slamon_objective_worst_case_ratio')}"
LOW: tuple[tuple[float | None, str], ...] = ((None, "red"), (0, "text"))


def board() -> dashboard.Dashboard:
    before = (
        dashboard.CustomVariable("before")
        .label("Compared with")
        .values(",".join(CHOICES_OF_BEFORE))
        .current(VariableOption(text=BEFORE, value=BEFORE))
        .options(
            [VariableOption(text=each, value=each, selected=each == BEFORE) for each in CHOICES_OF_BEFORE]
        )
    )
    return frame(
        SERVICE_MANAGER,
        "What was promised to each customer, what was kept in the running period, what is left, and how it was before.",
        (
            ("Who keeps what was promised?", _kept()),
            ("The running period, to date", _to_date()),
            ("What does it cost?", _costs()),
            ("What is not known, and what does not count", _not_known()),
            ("Compared with before", _compared()),
        ),
        (BREACHES, EXCLUSIONS, RESTARTS),
        since="now-30d",
        refresh="5m",
        more=(before,),
        links=(_to_month("This month", "now/M", "now"), _to_month("Month before", "now-1M/M", "now-1M/M")),
    )


def _to_month(title: str, since: str, until: str) -> dashboard.DashboardLink:
    return (
        dashboard.DashboardLink(title)
        .type(DashboardLinkType.LINK)
        .icon("calendar-alt")
        .url(f"/d/{SERVICE_MANAGER}?from={since}&to={until}")
        .include_vars(True)
    )


def _by_customer(state: str) -> str:
    stands = one("slamon_objective_standing", where=f'standing="{state}"')
    return f"sum by (customer) ({stands})"


def _kept() -> Panels:
    return [
        numbers(
            Words("Objectives by standing", f"How the chosen customers' objectives stand. {STANDING_MEANS}", NO_OBJECTIVES),
            "number",
            [Query(f"sum by (standing) ({one('slamon_objective_standing', 'standing')})", "{{standing}}")],
            width=24, steps=PLAIN, colours=BY_STANDING,
        ),
        rows(
            Words(
                "Customers",
                "How many of each customer's objectives stand how, the least that is left of one error budget, and the least "
                f"margin of one objective: what was attained minus what was promised. {STANDING_MEANS}",
                NO_OBJECTIVES,
            ),
            [
                Column("Customer", label="customer", to=ON_CALL),
                Column("Breached", expr=_by_customer("breached"), steps=((None, "text"), (1, "red"))),
                Column("At risk", expr=_by_customer("at_risk"), steps=((None, "text"), (1, "orange"))),
                Column("Undetermined", expr=_by_customer("undetermined"), steps=((None, "text"), (1, "purple"))),
                Column("On track", expr=_by_customer("on_track")),
                Column("Not applicable", expr=_by_customer("not_applicable")),
                Column("Least budget left", expr=f"min by (customer) ({one('slamon_objective_budget_remaining_ratio')})", unit="share", steps=LOW),
                Column("Least margin", expr=f"min by (customer) ({MARGIN})", unit="share", steps=LOW),
                Column("Least coverage", expr=f"min by (customer) ({one('slamon_objective_coverage_ratio')})", unit="share"),
            ],
            sort="Breached", descending=True, height=10,
        ),
    ]  # fmt: skip


def _to_date() -> Panels:
    promised = one("slamon_objective_info", "kind", "target")
    stands = standing(".+", "standing")
    return [
        rows(
            Words(
                "Every objective, in its running period to date",
                "Promised: in the agreement's words. Attained, target, and the margin between them, below 0 if it were "
                "missed by the period's end as it stands. Unknown: how far what was attained may be off, because nothing was measured. Excluded: time "
                "that exclusions took out. Credit: share of the fee that is due as it stands. A dash: does not apply to this kind of objective, or nothing to judge yet.",
                NO_OBJECTIVES,
            ),
            [
                Column("Customer", label="customer", to=ON_CALL),
                Column("Agreement", label="agreement"),
                Column("Objective", label="objective"),
                Column("Kind", label="kind"),
                Column("Promised", label="target"),
                Column("Standing", label="standing"),
                Column("Attained", expr=ATTAINED, unit="share"),
                Column("Target", expr=one("slamon_objective_target_ratio"), unit="share"),
                Column("Margin", expr=MARGIN, unit="share", steps=LOW),
                Column("Misses left", expr=one("slamon_objective_misses_left"), steps=((None, "red"), (1, "text"))),
                Column("Budget left", expr=one("slamon_objective_budget_remaining_seconds"), unit="left", steps=((None, "red"), (HOUR, "text"))),
                Column("Coverage", expr=one("slamon_objective_coverage_ratio"), unit="share"),
                Column("Unknown", expr=UNKNOWN, unit="share"),
                Column("Excluded", expr=one("slamon_objective_excluded_seconds"), unit="left"),
                Column("Credit", expr=one("slamon_objective_credit_ratio"), unit="share"),
                Column("Period ends", expr=f"{one('slamon_objective_period_end_timestamp_seconds')} * 1000", unit="instant"),
            ],
            of=f"{stands} * on ({OBJECTIVE}) group_left (kind, target) {promised}", sort="Standing", then="Margin", height=16,
        ),
        bars(
            Words(
                "Error budget left",
                "Share of the period's error budget that is left; the twenty lowest, and an empty bar where it is overspent. "
                "Not shown: objectives that are undetermined, and those without an error budget.",
                f"No error budget is known for this choice, or: {NOT_SCRAPED.lower()}",
            ),
            "share",
            Query(
                f"sort(bottomk(20, {one('slamon_objective_budget_remaining_ratio')} unless on ({OBJECTIVE}) {standing('undetermined')}))",
                "{{customer}} · {{objective}}",
            ),
            width=12, height=10, steps=((None, "red"), (0.1, "orange"), (0.5, "green")),
        ),
        lines(
            Words(
                "Open tickets",
                "Open clocks of the chosen customers' tickets; a breached one counts as breached, whether it runs or is paused.",
                f"No ticket objectives are known for this choice, or: {NOT_SCRAPED.lower()}",
            ),
            "number", Query(f"sum by (state) ({one('slamon_tickets', 'state')})", "{{state}}"),
            width=12, height=10, stacked=True,
        ),
    ]  # fmt: skip


def _costs() -> Panels:
    by_agreement = "customer, agreement, currency"
    stands = (
        "As it stands: of time, were the rest of the period good; of tickets and requests, if it ended now."
    )
    nothing = f"No objective of this choice has credits and a fee, or: {NOT_SCRAPED.lower()}"
    return [
        numbers(
            Words("Credits due", f"What is owed for the running periods, by currency. {stands}", nothing),
            "money", [Query(f"sum by ({MONEY}) ({CREDIT})", "{{currency}}")], width=8, height=9, steps=PLAIN,
        ),
        rows(
            Words(
                "Credits by agreement",
                f"What is owed for the running period of each agreement, its common cap taken into account, and the fee. {stands}",
                nothing,
            ),
            [
                Column("Customer", label="customer", to=ON_CALL),
                Column("Agreement", label="agreement"),
                Column("Credit due", expr=f"sum by ({by_agreement}) ({CREDIT})", unit="money"),
                Column("Fee", expr=f"max by ({by_agreement}) ({FEE})", unit="money"),
                Column("Currency", label=MONEY),
            ],
            sort="Credit due", descending=True, width=16, height=9,
        ),
        lines(
            Words(
                "Credits over time",
                f"Share of its fee that each agreement owes; only those that owe any. {stands}",
                f"Nothing was owed in the time shown, or: {NOT_SCRAPED.lower()}",
            ),
            "share",
            Query(
                f"sum by (customer, agreement) ({one('slamon_objective_credit_ratio')}) > 0", "{{customer}} · {{agreement}}"
            ),
            width=24, height=8,
        ),
    ]  # fmt: skip


def _not_known() -> Panels:
    return [
        lines(
            Words(
                "Coverage",
                "Share of the period to date that was measured; of the ten objectives with least at the end of the time shown.",
                NO_OBJECTIVES,
            ),
            "share",
            Query(
                f"{one('slamon_objective_coverage_ratio')} and on ({OBJECTIVE}) "
                f"bottomk(10, {one('slamon_objective_coverage_ratio', at=' @ end()')})",
                "{{customer}} · {{objective}}",
            ),
            width=8, height=9,
        ),
        bars(
            Words(
                "Unknown",
                "How far what was attained may be off: if all that is not known was good, less if all of it was bad. "
                "The fifteen highest.",
                f"Nothing is unknown of what is judged, or: {NOT_SCRAPED.lower()}",
            ),
            "share", Query(f"sort_desc(topk(15, {UNKNOWN} > 0))", "{{customer}} · {{objective}}"),
            width=8, height=9, steps=((None, "text"),),
        ),
        lines(
            Words(
                "Excluded",
                "Time that exclusions took out of the period to date, of objectives of which some was. It rises while an "
                "exclusion lasts, and when one is declared afterwards.",
                f"No exclusion took anything out of a running period, or: {NOT_SCRAPED.lower()}",
            ),
            "seconds", Query(f"{one('slamon_objective_excluded_seconds')} > 0", "{{customer}} · {{objective}}"),
            width=8, height=9,
        ),
    ]  # fmt: skip


def _compared() -> Panels:
    ago = " offset $before"
    then = one("slamon_objective_attained_ratio", at=ago)
    return [
        rows(
            Words(
                "Attained, now and before",
                'What was attained in the period to date, at the end of the time shown and as long before as "Compared with" '
                "says; what became most worse is on top. As far back as Prometheus keeps its data.",
                "Prometheus has nothing from so long ago: choose a shorter time, or wait; "
                f"or: {NOT_SCRAPED.lower()}",
            ),
            [
                Column("Change", expr=f"{ATTAINED} - {then}", unit="share", steps=LOW),
                Column("Attained now", expr=f"{ATTAINED} and on ({OBJECTIVE}) {then}", unit="share"),
                Column("Attained before", expr=f"{then} and on ({OBJECTIVE}) {ATTAINED}", unit="share"),
                Column("Target before", expr=f"{one('slamon_objective_target_ratio', at=ago)} and on ({OBJECTIVE}) ({ATTAINED} and {then})", unit="share"),
                Column("Customer", label="customer", to=ON_CALL),
                Column("Agreement", label="agreement"),
                Column("Objective", label="objective"),
            ],
            sort="Change", height=11,
        ),
        lines(
            Words(
                "Margin over time",
                "What was attained in the period to date minus what was promised; below 0 it is missed so far. The ten lowest "
                "at the end of the time shown. The last value before a jump is what a period came to.",
                NO_OBJECTIVES,
            ),
            "share",
            Query(
                f"{MARGIN} and on ({OBJECTIVE}) bottomk(10, {one('slamon_objective_attained_ratio', at=' @ end()')} "
                f"- {one('slamon_objective_target_ratio', at=' @ end()')})",
                "{{customer}} · {{objective}}",
            ),
            width=12, height=10, signed=True, steps=((None, "red"), (0, "green")),
        ),
        lines(
            Words(
                "Objectives breached, by customer",
                "How many of each customer's objectives were breached at each instant; only customers with any.",
                f"No objective was breached in the time shown, or: {NOT_SCRAPED.lower()}",
            ),
            "number", Query(f"{_by_customer('breached')} > 0", "{{customer}}"), width=12, height=10, stacked=True,
        ),
    ]  # fmt: skip
