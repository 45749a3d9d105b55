"""The text Prometheus scrapes: which format was asked for, and the page of objectives and tickets.

A page of 100,000 series is written while events go on being judged, so it is rendered in chunks between which other
tasks run. What is given to render must therefore not change on the way: sequences of frozen values, never iterators over
live state. From one page to the next hardly any objective changes: the lines of those that do not are kept, and joined.

What is not applicable has no series: an objective with nothing to judge is not at 100 %. An objective has either all of
its series or, when the page's limit is reached, none.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import NamedTuple

import prometheus_client.exposition
import prometheus_client.openmetrics.exposition
from prometheus_client import CollectorRegistry

from slamon import clock
from slamon.domain.agreement import (
    Agreement,
    AvailabilityObjective,
    Objective,
    RequestsObjective,
    TicketObjective,
)
from slamon.domain.decisions import Credit, Standing, StandingState
from slamon.domain.intervals import Span
from slamon.outputs.metrics import BY_NAME, Kind, Metric

OBJECTIVES_AT_ONCE = 50  # some 750 series, rendered in a ms: the loop's other tasks wait no longer
KNOWN_AT_ONCE = 2_000  # of which nothing has changed, likewise
ROWS_AT_ONCE = 250  # joined in one go: some 64 KiB
BLOCK = 1 << 16  # bytes handed out at once, so that compressing or sending one does not hold the loop


# What was asked for.


@dataclass(frozen=True, slots=True)
class TextFormat:
    """A format of the exposition, and how names outside [a-zA-Z0-9_:] would be written; slamon has none such."""

    media_type: str
    version: str
    escaping: str = "underscores"

    @property
    def open_metrics(self) -> bool:
        return self.media_type == _OPEN_METRICS

    @property
    def content_type(self) -> str:
        return f"{self.media_type}; version={self.version}; charset=utf-8; escaping={self.escaping}"


_OPEN_METRICS = "application/openmetrics-text"
_CLASSIC = TextFormat("text/plain", "0.0.4")
_KNOWN = (
    (_OPEN_METRICS, "1.0.0"),
    ("text/plain", "0.0.4"),
    ("text/plain", "1.0.0"),
)  # without a version the first is meant
_ESCAPINGS = ("allow-utf-8", "underscores", "dots", "values")


def negotiate(accept: str) -> TextFormat:
    """The format that an `Accept` header likes best; what cannot be read or had is answered in the classic text."""
    best, liking = _CLASSIC, 0.0
    for part in accept.split(","):
        media_type, *parameters = (piece.strip() for piece in part.split(";"))
        given = dict(pair for parameter in parameters if len(pair := parameter.split("=", 1)) == 2)
        try:
            quality = float(given.get("q", "1"))
        except ValueError:
            continue
        version = given.get("version") or next((known for name, known in _KNOWN if name == media_type), "")
        if (media_type, version) not in _KNOWN or quality <= liking:
            continue
        escaping = given.get("escaping", "")
        liking = quality
        best = TextFormat(media_type, version, escaping if escaping in _ESCAPINGS else "underscores")
    return best


def process_page(registry: CollectorRegistry, text_format: TextFormat) -> bytes:
    """The metrics of the process; a few hundred series, so in one go."""
    if text_format.open_metrics:
        return _open_metrics_page(registry)
    return prometheus_client.exposition.generate_latest(registry)


def _open_metrics_page(registry: CollectorRegistry) -> bytes:
    page: bytes = prometheus_client.openmetrics.exposition.generate_latest(registry)  # type: ignore[no-untyped-call]  # - the library leaves it untyped
    return page


# What is shown.


@dataclass(frozen=True, slots=True)
class ObjectiveFacts:
    """What was promised. `target` in the agreement's words; `monitored` is False where nothing is measured here."""

    customer: str
    agreement: str
    objective: str
    kind: str
    target: str
    monitored: bool = True


class OpenClocks(NamedTuple):
    """Open ticket clocks of one objective; a breached one counts as breached, whether it runs or is paused."""

    running: int
    paused: int
    breached: int


class Stake(NamedTuple):
    """The money of the running period: what is due as it stands, the most that can become due, and the fee."""

    credit: Credit
    most: Fraction | None  # share of the fee; None: nothing limits it
    fee: Fraction | None  # in the currency's main unit; None: none is agreed


class ObjectiveView(NamedTuple):
    """An objective as it is now; `burn_rates` by window, as `("1h", 14.4)`; without `standing` there is only its info."""

    facts: ObjectiveFacts
    standing: Standing | None
    burn_rates: tuple[tuple[str, Fraction], ...] = ()
    clocks: OpenClocks | None = None
    stake: Stake | None = None  # None: no remedy names it
    period: Span | None = None  # the running one of the calendar
    excluded: bool | None = None  # None: nothing ever excludes its time


class DueClock(NamedTuple):
    """A clock that runs, and when it runs out."""

    customer: str
    agreement: str
    objective: str
    ticket: str
    priority: str  # empty: it has none
    due_at: int


class View(NamedTuple):
    """All that the page shows, of running tasks only. `due_left_out`: clocks that are due later than those in `due`.

    Who gives the same `ObjectiveView` again, not an equal one, says that nothing about it has changed.
    """

    objectives: Sequence[ObjectiveView]
    due: Sequence[DueClock]
    due_left_out: int = 0


def objective_facts(agreement: Agreement) -> Iterator[ObjectiveFacts]:
    """The facts about each objective that is measured; kinds are named as in agreement files."""
    for objective in agreement.objectives:
        kind, target = _kind_and_target(objective)
        yield ObjectiveFacts(agreement.customer, agreement.name, objective.name, kind, target)


def _kind_and_target(objective: Objective) -> tuple[str, str]:
    match objective:
        case TicketObjective():
            return "ticketClock", duration_text(objective.target)
        case AvailabilityObjective():
            return "availability", percent_text(objective.target)
        case RequestsObjective():
            return "requests", percent_text(objective.target)


@cache
def duration_text(microseconds: int) -> str:
    """`15m`, `1h30m`, `48h`: never in days, because a target of 24 business hours is not a day."""
    minutes, seconds = divmod(Fraction(microseconds, clock.MICROSECONDS), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "m"), (seconds, "s"))
    return "".join(f"{float(count):g}{unit}" for count, unit in parts if count) or "0s"


def percent_text(share: Fraction) -> str:
    """`99.95%`, exact where it ends within nine decimals."""
    return f"{float(share * 100):.9f}".rstrip("0").rstrip(".") + "%"


# How it is written.

_OBJECTIVE_FAMILIES = (
    "slamon_objective_info",
    "slamon_objective_target_ratio",
    "slamon_objective_attained_ratio",
    "slamon_objective_best_case_ratio",
    "slamon_objective_worst_case_ratio",
    "slamon_objective_coverage_ratio",
    "slamon_objective_excluded_seconds",
    "slamon_objective_budget_remaining_ratio",
    "slamon_objective_budget_remaining_seconds",
    "slamon_objective_misses_left",
    "slamon_objective_burn_rate_ratio",
    "slamon_objective_budget_exhausted_timestamp_seconds",
    "slamon_objective_credit_ratio",
    "slamon_objective_credit_limit_ratio",
    "slamon_objective_credit_amount",
    "slamon_objective_fee_amount",
    "slamon_objective_period_start_timestamp_seconds",
    "slamon_objective_period_end_timestamp_seconds",
    "slamon_objective_excluded",
    "slamon_objective_standing",
    "slamon_tickets",
)
(
    _INFO,
    _TARGET,
    _ATTAINED,
    _BEST,
    _WORST,
    _COVERAGE,
    _EXCLUDED_SECONDS,
    _BUDGET_RATIO,
    _BUDGET_SECONDS,
    _MISSES,
    _BURN,
    _EXHAUSTED,
    _CREDIT_RATIO,
    _CREDIT_LIMIT,
    _CREDIT_AMOUNT,
    _FEE,
    _PERIOD_START,
    _PERIOD_END,
    _EXCLUDED,
    _STANDING,
    _TICKETS,
) = range(len(_OBJECTIVE_FAMILIES))
_STARTS = tuple(name + "{" for name in _OBJECTIVE_FAMILIES)
_STANDING_ENDS = {
    state: tuple(f',standing="{each.value}"}} {int(each is state)}\n' for each in StandingState)
    for state in StandingState
}

Sample = tuple[int, str]  # which family, and what follows the objective's labels: `} 0.999\n`


def escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _pair(ratio: tuple[int, int]) -> float:
    return ratio[0] / ratio[1]


def _float(exact: Fraction, divisor: Fraction | int = 1) -> float:
    """Rounded once; a hundred thousand times a page, so without making a fraction in between."""
    return (exact.numerator * divisor.denominator) / (exact.denominator * divisor.numerator)


def _samples(view: ObjectiveView) -> list[Sample]:
    """Every series that applies to one objective. Ratios are exact until here, and floats from here on."""
    facts = view.facts
    monitored = "true" if facts.monitored else "false"
    target = escaped(facts.target)
    samples: list[Sample] = [
        (_INFO, f',kind="{escaped(facts.kind)}",monitored="{monitored}",target="{target}"}} 1\n')
    ]
    add = samples.append
    if view.clocks is not None:
        add((_TICKETS, f',state="running"}} {view.clocks.running}\n'))
        add((_TICKETS, f',state="paused"}} {view.clocks.paused}\n'))
        add((_TICKETS, f',state="breached"}} {view.clocks.breached}\n'))
    if view.stake is not None:
        samples += _of_stake(view.stake)
    if view.period is not None:
        start, end = view.period
        add((_PERIOD_START, f"}} {start / clock.MICROSECONDS}\n"))
        add((_PERIOD_END, f"}} {end / clock.MICROSECONDS}\n"))
    if view.excluded is not None:
        add((_EXCLUDED, f"}} {int(view.excluded)}\n"))
    standing = view.standing
    if standing is None:
        return samples
    add((_TARGET, f"}} {_float(standing.target)}\n"))
    samples += [(_STANDING, end) for end in _STANDING_ENDS[standing.standing]]
    if standing.standing is StandingState.NOT_APPLICABLE:
        return samples
    ratios = standing.ratios
    if ratios.attained is not None:
        add((_ATTAINED, f"}} {_pair(ratios.attained)}\n"))
    if ratios.best_case is not None:
        add((_BEST, f"}} {_pair(ratios.best_case)}\n"))
    if ratios.worst_case is not None:
        add((_WORST, f"}} {_pair(ratios.worst_case)}\n"))
    if ratios.coverage is not None:
        add((_COVERAGE, f"}} {_pair(ratios.coverage)}\n"))
    if standing.seconds is not None:
        add((_EXCLUDED_SECONDS, f"}} {standing.seconds.excluded / clock.MICROSECONDS}\n"))
    if (budget := standing.budget) is not None:
        if budget.whole:
            add((_BUDGET_RATIO, f"}} {_float(budget.remaining, budget.whole)}\n"))
        add((_BUDGET_SECONDS, f"}} {_float(budget.remaining, clock.MICROSECONDS)}\n"))
    if standing.misses_left is not None:
        add((_MISSES, f"}} {standing.misses_left}\n"))
    for window, rate in view.burn_rates:
        add((_BURN, f',window="{escaped(window)}"}} {_float(rate)}\n'))
    if standing.exhausted_at is not None:
        add((_EXHAUSTED, f"}} {standing.exhausted_at / clock.MICROSECONDS}\n"))
    return samples


def _of_stake(stake: Stake) -> Iterator[Sample]:
    credit, most, fee = stake
    yield _CREDIT_RATIO, f"}} {_pair(credit.share)}\n"
    if most is not None:
        yield _CREDIT_LIMIT, f"}} {_float(most)}\n"
    if credit.amount is not None and credit.currency is not None and fee is not None:
        currency = f',currency="{escaped(credit.currency)}"}}'
        yield _CREDIT_AMOUNT, f"{currency} {float(credit.amount)}\n"
        yield _FEE, f"{currency} {_float(fee)}\n"


def _header(metric: Metric, text_format: TextFormat) -> str:
    """HELP and TYPE; only OpenMetrics knows infos, by a name without `_info`."""
    name, kind = metric.name, metric.kind.value
    if metric.kind is Kind.INFO:
        name, kind = (name.removesuffix("_info"), kind) if text_format.open_metrics else (name, "gauge")
    text = metric.help.replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n"


class _Lines(NamedTuple):
    """What an objective adds to each family, and how many series that is in all."""

    view: ObjectiveView
    series: int
    by_family: Sequence[bytes]


def _lines(view: ObjectiveView) -> _Lines:
    facts = view.facts
    labels = _escaped_labels(facts.customer, facts.agreement, facts.objective)
    samples = _samples(view)
    by_family = [""] * len(_OBJECTIVE_FAMILIES)
    for family, rest in samples:
        by_family[family] += _STARTS[family] + labels + rest
    return _Lines(view, len(samples), [text.encode(errors="replace") for text in by_family])


class SlaPage:
    """Renders views; keeps the lines of the objectives it saw last."""

    def __init__(self, series_limit: int) -> None:
        self._series_limit = series_limit
        self._known: dict[int, _Lines] = {}  # by identity of the view, which they hold

    async def render(self, view: View, text_format: TextFormat) -> AsyncIterator[bytes]:
        """The page in pieces of some 64 KiB; other tasks run before each."""
        rows, left_out = await self._rows(view.objectives)
        out = bytearray()
        for family, name in enumerate(_OBJECTIVE_FAMILIES):
            out += _header(BY_NAME[name], text_format).encode()
            for start in range(0, len(rows), ROWS_AT_ONCE):
                out += b"".join([row[family] for row in rows[start : start + ROWS_AT_ONCE]])
                if len(out) >= BLOCK:
                    yield bytes(out)
                    out.clear()
                    await clock.wait(0)
        out += _header(BY_NAME["slamon_ticket_due_timestamp_seconds"], text_format).encode()
        out += "".join(map(_due_line, view.due)).encode(errors="replace")
        for name, value in (
            ("slamon_ticket_series_left_out", view.due_left_out),
            ("slamon_series_limit", self._series_limit),
            ("slamon_series_left_out", left_out),
        ):
            out += f"{_header(BY_NAME[name], text_format)}{name} {value}\n".encode()
        if text_format.open_metrics:
            out += b"# EOF\n"
        yield bytes(out)

    async def _rows(self, views: Sequence[ObjectiveView]) -> tuple[list[Sequence[bytes]], int]:
        """The lines of as many objectives as the limit has room for; and the number of series left out."""
        room, left_out = self._series_limit, 0
        rows: list[Sequence[bytes]] = []
        known: dict[int, _Lines] = {}
        fresh = 0
        for number, view in enumerate(views):
            lines = self._known.get(id(view))
            if lines is None:
                lines = _lines(view)
                fresh += 1
            known[id(view)] = lines
            if left_out or lines.series > room:
                left_out += lines.series
            else:
                room -= lines.series
                rows.append(lines.by_family)
            if fresh == OBJECTIVES_AT_ONCE or number % KNOWN_AT_ONCE == KNOWN_AT_ONCE - 1:
                fresh = 0
                await clock.wait(0)
        self._known = known
        return rows, left_out


def _due_line(due: DueClock) -> str:
    labels = _escaped_labels(due.customer, due.agreement, due.objective)
    return (
        f'slamon_ticket_due_timestamp_seconds{{{labels},ticket="{escaped(due.ticket)}",'
        f'priority="{escaped(due.priority)}"}} {due.due_at / clock.MICROSECONDS}\n'
    )


def _escaped_labels(customer: str, agreement: str, objective: str) -> str:
    return f'customer="{escaped(customer)}",agreement="{escaped(agreement)}",objective="{escaped(objective)}"'
