"""A period of an objective explained to people: section by section, from what was promised to what was said of it."""

from collections.abc import Callable, Iterator

from rich.console import RenderableType
from rich.text import Text

from slamon.domain.announcements import duration
from slamon.domain.decisions import Standing, Statement
from slamon.domain.explanations.of_attainment import AttainmentExplanation
from slamon.domain.explanations.of_availability import AvailabilityExplanation
from slamon.domain.explanations.of_requests import RequestsExplanation
from slamon.domain.periods import period_at
from slamon.domain.terms import time_window
from slamon.explain import attainment_sections, availability_sections, requests_sections
from slamon.explain.exclusion_sections import exclusions
from slamon.explain.gathering import Explanation, PeriodExplanation
from slamon.explain.layout import heading, indented
from slamon.explain.period_notation import notation_of, unit_of
from slamon.explain.statement_sections import credit, revisions
from slamon.explain.wording import day, moment

Section = tuple[str, Callable[[PeriodExplanation], Iterator[RenderableType]]]

VERDICTS = {
    "met": "bold green",
    "on_track": "bold green",
    "missed": "bold red",
    "breached": "bold red",
    "at_risk": "bold yellow",
    "undetermined": "bold yellow",
    "not_applicable": "bold",
}


def page(period: PeriodExplanation) -> Iterator[RenderableType]:
    """A section that has nothing to say is left out."""
    found = period.found
    agreement, said = found.agreement, found.said
    zone = agreement.zone
    verdict = said.outcome.value if isinstance(said, Statement) else said.standing.value
    yield Text.assemble(
        (
            f"{found.objective.name} of {agreement.name} with {agreement.customer}, {_name(found)}: ",
            "bold underline",
        ),
        (verdict.replace("_", " "), VERDICTS[verdict]),
    )
    start, end = found.period
    yield Text(f"From {moment(start, zone)} until before {moment(end, zone)}.")
    yield Text(f"Judged as of {moment(found.as_of, zone)}. {_state_of(period)} Times are those of {zone}.")
    for title, section in SECTIONS[type(found)]:
        parts = list(section(period))
        if parts:
            yield Text("")
            yield heading(title)
            yield from map(indented, parts)


def _name(found: Explanation) -> str:
    """As `--period` takes it; a period that the agreement cuts is no whole one."""
    agreement, objective = found.agreement, found.objective
    start, end = found.period
    window = time_window(objective)
    if window.rolling is not None:
        return f"{duration(window.rolling)} until {day(end, agreement.zone)}"
    unit = unit_of(agreement, objective)
    name = notation_of(unit, agreement.zone, start)
    whole = found.period == period_at(unit, agreement.zone, start)
    return name if whole else f"{name}, as far as these terms hold"


def _state_of(period: PeriodExplanation) -> str:
    if isinstance(period.found.said, Standing):
        return "The period runs: these are the figures to date, not a verdict."
    if period.settles_at is not None:
        zone = period.found.agreement.zone
        return f"Not settled: the statement is due {moment(period.settles_at, zone)}."
    count = len(period.revisions)
    return f"Settled; this is revision {count}." if count > 1 else "Settled."


ATTAINMENT: tuple[Section, ...] = (
    ("What was promised", attainment_sections.promised),
    ("Cycles decided in the period", attainment_sections.cycles),
    ("Pending", attainment_sections.pending),
    ("Sum", attainment_sections.summed),
    ("Verdict", attainment_sections.verdict),
    ("Credit", credit),
    ("Statements", revisions),
)
REQUESTS: tuple[Section, ...] = (
    ("What was promised", requests_sections.promised),
    ("Requests that count", requests_sections.dates),
    ("Exclusions", exclusions),
    ("Sum", requests_sections.summed),
    ("Verdict", requests_sections.verdict),
    ("Credit", credit),
    ("Statements", revisions),
)
AVAILABILITY: tuple[Section, ...] = (
    ("What was promised", availability_sections.promised),
    ("Outages", availability_sections.outages),
    ("Exclusions", exclusions),
    ("Not measured", availability_sections.unknown),
    ("Sum", availability_sections.summed),
    ("Error budget", availability_sections.budget),
    ("Ratios", availability_sections.ratios),
    ("Verdict", availability_sections.verdict),
    ("Credit", credit),
    ("Statements", revisions),
)
SECTIONS: dict[type[Explanation], tuple[Section, ...]] = {
    AttainmentExplanation: ATTAINMENT,
    AvailabilityExplanation: AVAILABILITY,
    RequestsExplanation: REQUESTS,
}
