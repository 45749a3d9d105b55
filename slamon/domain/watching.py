"""What the watches of objectives have in common.

A watch looks after one objective of one version of an agreement: its statements, its standing, and its own alerts. It reads
what its customer's facts come to (`CustomerFacts`), and keeps nothing that could not be derived from them again but the
statements it issued.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple, Protocol

from slamon.domain.agreement import Agreement, Objective, RequestsObjective, ServiceObjective, TicketFilter
from slamon.domain.alerts import Subject, Wanted
from slamon.domain.attainment import Tally
from slamon.domain.decisions import Standing
from slamon.domain.events import DAY
from slamon.domain.exclusions import Declared
from slamon.domain.intervals import FOREVER, Span
from slamon.domain.request_log import RequestLog
from slamon.domain.service_timeline import ServiceTimeline
from slamon.domain.terms import period_to_date
from slamon.domain.ticket_downtime import TicketDowntime


class Judgement(NamedTuple):
    """What a watch says at an instant: alerts that are true, and when to ask again (half microseconds, see `monitor`)."""

    wanted: list[Wanted]
    wake_at: int | None


class Glance(NamedTuple):
    """An objective in effect at an instant, and until when all of this is the same if the version of its watch stays."""

    standing: Standing
    until: int  # at least the next microsecond
    # Over each pair's long window (microseconds); windows of which nothing is known are left out.
    burn_rates: Sequence[tuple[int, Fraction]] = ()
    excluded: bool | None = (
        None  # whether an exclusion takes the time out of the service hours; None: nothing ever does
    )


class CustomerFacts(Protocol):
    """What the watches of a customer read."""

    def tally(self, agreement: str, objective: str) -> Tally: ...
    def timeline(self, service: str) -> ServiceTimeline: ...
    def request_log(self, service: str) -> RequestLog: ...
    def ticket_downtime(self, wanted: TicketFilter) -> TicketDowntime: ...
    def declared(self, now: int) -> tuple[Declared, ...]: ...
    def next_exclusion(self, now: int) -> int | None: ...


def subject_of(agreement: Agreement, objective: Objective) -> Subject:
    """What the alerts of an objective speak of: one version of it."""
    return ("objective", agreement.customer, agreement.name, objective.name, str(agreement.start))


def scope_of(span: Span) -> str:
    """Names a period in the identity of its alerts."""
    return f"{span[0]}/{span[1]}"


def range_of(agreement: Agreement, objective: ServiceObjective, now: int) -> Span:
    """What has to be measured to speak about `now`; the same for a while, so that it is seldom made anew."""
    pairs = objective.burn_rates if isinstance(objective, RequestsObjective) else objective.alerts.burn_rates
    longest = max((pair.long for pair in pairs), default=0)
    rolling = objective.window.rolling
    if rolling is None:
        start, end = period_to_date(agreement, objective, now)
        return start - longest, end
    day = now - now % DAY
    return day - rolling - max(rolling, longest), day + DAY + rolling


def is_forgotten(agreement: Agreement, objective: ServiceObjective, at: int, horizon: int) -> bool:
    """Whether some of what spoke about `at` may be forgotten: what was said of it then cannot be found untrue any more."""
    return range_of(agreement, objective, at)[0] < horizon


def excluded_since(before: Sequence[Declared], after: Sequence[Declared]) -> int:
    """The earliest instant whose meaning differs between two sets of exclusions; FOREVER: none does."""
    if before is after:
        return FOREVER
    return min((one.start for one in {*before} ^ {*after}), default=FOREVER)
