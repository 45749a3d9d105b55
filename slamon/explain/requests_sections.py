"""What the page of a period of a requests objective says of its requests."""

from collections.abc import Iterator
from fractions import Fraction

from rich.console import RenderableType
from rich.text import Text

from slamon.domain.announcements import percent
from slamon.domain.decisions import Outcome
from slamon.domain.explanations.of_requests import RequestsExplanation
from slamon.explain.exclusion_sections import EXCLUDED
from slamon.explain.gathering import PeriodExplanation
from slamon.explain.layout import ledger, table_of
from slamon.explain.wording import counted, if_it_ended, percent_of, request_count, window_named

MOST_DATES = 31


def _requests(period: PeriodExplanation) -> RequestsExplanation:
    assert isinstance(period.found, RequestsExplanation)
    return period.found


def promised(period: PeriodExplanation) -> Iterator[RenderableType]:
    objective = _requests(period).objective
    hours = "" if objective.calendar.always else f", in the hours of {objective.calendar.name}"
    yield Text(
        f"{percent(objective.target)} of the requests to {objective.service} succeed, over {window_named(objective.window)}"
        f"{hours}. Excluded time {EXCLUDED[objective.exclusions_count_as]}."
    )


def dates(period: PeriodExplanation) -> Iterator[RenderableType]:
    """Where there are many dates, those with failures, and the others together."""
    dates = _requests(period).dates
    if not dates:
        yield Text("None.")
        return
    shown = dates if len(dates) <= MOST_DATES else [one for one in dates if one.bad]
    lines = [(f"{one.day:%a %-d %b %Y}", request_count(one.total), request_count(one.bad)) for one in shown]
    if len(shown) < len(dates):
        others = sum((one.total for one in dates if not one.bad), Fraction(0))
        lines.append((f"{counted(len(dates) - len(shown), 'other date')}", request_count(others), "0"))
    yield table_of(("date", "requests", "failed"), lines)


def summed(period: PeriodExplanation) -> Iterator[RenderableType]:
    found = _requests(period)
    total, bad = Fraction(*found.counts.total), Fraction(*found.counts.bad)
    allowed = (1 - found.objective.target) * total
    yield ledger(
        [
            ("requests", request_count(total)),
            ("failed", request_count(bad)),
            (f"allowed, 100 % - {percent(found.objective.target)} of the requests", request_count(allowed)),
            ("attained, 1 - failed / requests", percent_of(found.said.ratios.attained)),
            ("target", percent(found.objective.target)),
        ]
    )


def verdict(period: PeriodExplanation) -> Iterator[RenderableType]:
    yield Text(
        if_it_ended(period.found.said)
        + {
            Outcome.NOT_APPLICABLE: "There were no requests, so there is nothing to judge: not applicable.",
            Outcome.MET: "No more failed than is allowed: met.",
            Outcome.MISSED: "More failed than is allowed: missed.",
        }[_requests(period).outcome]
    )
