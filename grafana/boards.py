"""What all boards share: their variables, the links between them, and the events marked on every graph.

The boards are one place with three doors: a link keeps the time shown and whom it is shown for, so the board about
slamon itself has the choice of customer too, unseen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    Panel,
    VariableHide,
    VariableModel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)
from panels import PROMETHEUS
from promql import CHOSEN, OBJECTIVE

ON_CALL = "slamon-on-call"
SERVICE_MANAGER = "slamon-service-manager"
ITSELF = "slamon-itself"
TAG = "slamon"
TITLES = {
    ON_CALL: "slamon / on call",
    SERVICE_MANAGER: "slamon / service manager",
    ITSELF: "slamon / itself",
}

Panels = list[Builder[Panel]]

# Twice the step at which Grafana asks for marks: nothing falls between two windows, what falls into both is one mark.
MARK_STEP = "60s"
_SINCE = "[2m]"


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened, drawn on every graph for as long as `expr` has a value; `title` and `text` name labels."""

    name: str
    expr: str
    colour: str
    title: str
    text: str


BREACHES = Mark(
    "Breaches",
    f'max by ({OBJECTIVE}) (slamon_objective_standing{{{CHOSEN}, standing="breached"}} == 1 and '
    f'min_over_time(slamon_objective_standing{{{CHOSEN}, standing="breached"}}{_SINCE}) == 0)',
    "red",
    "Breached: {{customer}} · {{objective}}",
    "{{agreement}}",
)  # fmt: skip
EXCLUSIONS = Mark(
    "Exclusions",
    f"max by (customer, agreement) (slamon_objective_excluded{{{CHOSEN}}}) == 1",
    "blue",
    "Time that does not count: {{customer}}",
    "{{agreement}}",
)
RESTARTS = Mark(
    "Restarts",
    "max by (instance) (time() - process_start_time_seconds < 120 and on (instance) slamon_build_info)",
    "purple",
    "slamon started: {{instance}}",
    "What it knew it reads back; until then nothing is announced for its customers.",
)


def board(
    uid: str,
    description: str,
    rows: Sequence[tuple[str, Panels]],
    marks: Sequence[Mark],
    *,
    since: str,
    refresh: str,
    choice: bool = True,
    more: Sequence[Builder[VariableModel]] = (),
    links: Sequence[dashboard.DashboardLink] = (),
) -> dashboard.Dashboard:
    """`since` as in "now-6h"; without `choice` the customer cannot be chosen here; `more` variables, `links` of its own."""
    hidden = VariableHide.DONT_HIDE if choice else VariableHide.HIDE_VARIABLE
    built = (
        dashboard.Dashboard(TITLES[uid])
        .uid(uid)
        .description(description)
        .tags([TAG, "sla"])
        .timezone("browser")
        .time(since, "now")
        .refresh(refresh)
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
        .with_variable(_labels("namespace", "Namespace", "slamon_build_info", VariableHide.DONT_HIDE))
        .with_variable(_labels("customer", "Customer", "slamon_objective_info", hidden))
        .with_variable(
            _labels("agreement", "Agreement", 'slamon_objective_info{customer=~"$customer"}', hidden)
        )
        .link(
            dashboard.DashboardLink("Boards of slamon")
            .type(DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .include_vars(True)
            .keep_time(True)
        )
    )
    for variable in more:
        built.with_variable(variable)
    for link in links:
        built.link(link)
    for mark in marks:
        built.annotation(
            dashboard.AnnotationQuery()
            .name(mark.name)
            .datasource(PROMETHEUS)
            .enable(True)
            .icon_color(mark.colour)
            .expr(mark.expr)
            .step(MARK_STEP)
            .title_format(mark.title)
            .text_format(mark.text)
        )
    for title, panels in rows:
        built.with_row(dashboard.Row(title))
        for panel in panels:
            built.with_panel(panel)
    return built


def _labels(label: str, title: str, series: str, hidden: VariableHide) -> dashboard.QueryVariable:
    query = f"label_values({series}, {label})"
    return (
        dashboard.QueryVariable(label)
        .label(title)
        .hide(hidden)
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
