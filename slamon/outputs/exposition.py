"""The text Prometheus scrapes: which format was asked for, and the page of objectives and tickets.

A page of 100,000 series is written while events go on being judged, so it is rendered in chunks between which other
tasks run, and labels are escaped once in an objective's life. What is given to render must therefore not change on the
way: sequences of frozen values, never iterators over live state.

What is not applicable has no series: an objective with nothing to judge is not at 100 %. An objective has either all of
its series or, when the page's limit is reached, none.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from heapq import nsmallest

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
from slamon.domain.decisions import ClockRecord, ClockState, Standing, StandingState
from slamon.domain.intervals import Span
from slamon.domain.service_credits import Stake
from slamon.outputs.metrics import BY_NAME, Kind, Metric
from slamon.settings import MetricsSettings

OBJECTIVES_AT_ONCE = 100  # some 1,500 series, rendered in under 2 ms: the loop's other tasks wait no longer
CLOCKS_AT_ONCE = 2_000  # looked at for their due instant, in under 2 ms
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


@dataclass(frozen=True, slots=True)
class OpenClocks:
    """Open ticket clocks of one objective; a breached one counts as breached, whether it runs or is paused."""

    running: int
    paused: int
    breached: int


@dataclass(frozen=True, slots=True)
class ObjectiveView:
    """An objective as it is now; `burn_rates` by window, as `("1h", 14.4)`; without `standing` there is only its info."""

    facts: ObjectiveFacts
    standing: Standing | None
    burn_rates: tuple[tuple[str, Fraction], ...] = ()
    clocks: OpenClocks | None = None
    stake: Stake | None = None  # None: no remedy names it
    period: Span | None = None  # the running one of the calendar
    excluded: bool | None = None  # None: nothing ever excludes its time


@dataclass(frozen=True, slots=True)
class DueClock:
    clock: ClockRecord
    priority: str | None


@dataclass(frozen=True, slots=True)
class View:
    """All that the page shows, of running tasks only; `due_elsewhere`: clocks the caller has left out of `due` itself."""

    objectives: Sequence[ObjectiveView]
    due: Sequence[DueClock]
    due_elsewhere: int = 0


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


class SlaPage:
    """Renders views; keeps the escaped labels of the objectives it saw last."""

    def __init__(self, settings: MetricsSettings) -> None:
        self._settings = settings
        self._labels: dict[tuple[str, str, str], str] = {}

    async def render(self, view: View, text_format: TextFormat) -> AsyncIterator[bytes]:
        """The page in pieces of some 64 KiB; other tasks run before each."""
        families: list[list[bytes]] = [[] for _ in _OBJECTIVE_FAMILIES]
        left_out = await self._objectives(view.objectives, families)
        due, due_left_out = await self._soonest(view)
        out = bytearray()
        for name, blocks in zip(_OBJECTIVE_FAMILIES, families, strict=True):
            out += _header(BY_NAME[name], text_format).encode()
            for block in blocks:
                out += block
                if len(out) >= BLOCK:
                    yield bytes(out)
                    out.clear()
                    await clock.wait(0)
            blocks.clear()
        out += _header(BY_NAME["slamon_ticket_due_timestamp_seconds"], text_format).encode()
        out += "".join(map(self._due_line, due)).encode(errors="replace")
        for name, value in (
            ("slamon_ticket_series_left_out", due_left_out),
            ("slamon_series_limit", self._settings.series_limit),
            ("slamon_series_left_out", left_out),
        ):
            out += f"{_header(BY_NAME[name], text_format)}{name} {value}\n".encode()
        if text_format.open_metrics:
            out += b"# EOF\n"
        yield bytes(out)

    async def _objectives(self, views: Sequence[ObjectiveView], families: list[list[bytes]]) -> int:
        """Renders into `families` as far as the limit goes; answers the number of series left out."""
        room, left_out = self._settings.series_limit, 0
        used: dict[tuple[str, str, str], str] = {}
        for start in range(0, len(views), OBJECTIVES_AT_ONCE):
            lines: list[list[str]] = [[] for _ in families]
            for view in views[start : start + OBJECTIVES_AT_ONCE]:
                samples = _samples(view)
                if left_out or len(samples) > room:
                    left_out += len(samples)
                    continue
                room -= len(samples)
                labels = self._objective_labels(view.facts, used)
                for family, rest in samples:
                    lines[family].append(_STARTS[family] + labels + rest)
            for blocks, some in zip(families, lines, strict=True):
                if some:
                    blocks.append("".join(some).encode(errors="replace"))
            await clock.wait(0)
        self._labels = used
        return left_out

    def _objective_labels(self, facts: ObjectiveFacts, used: dict[tuple[str, str, str], str]) -> str:
        key = (facts.customer, facts.agreement, facts.objective)
        labels = self._labels.get(key)
        if labels is None:
            labels = _escaped_labels(*key)
        used[key] = labels
        return labels

    async def _soonest(self, view: View) -> tuple[list[DueClock], int]:
        """The running clocks that are due next, and how many more there are."""
        most = self._settings.ticket_series
        soonest: list[DueClock] = []
        running = 0
        for start in range(0, len(view.due), CLOCKS_AT_ONCE):
            some = [each for each in view.due[start : start + CLOCKS_AT_ONCE] if _is_due(each)]
            running += len(some)
            soonest = nsmallest(most, soonest + some, key=_due_order)
            await clock.wait(0)
        return soonest, running - len(soonest) + view.due_elsewhere

    def _due_line(self, due: DueClock) -> str:
        each = due.clock
        assert each.due_at is not None
        key = (each.customer, each.agreement, each.objective)
        labels = self._labels.get(key) or _escaped_labels(*key)
        return (
            f'slamon_ticket_due_timestamp_seconds{{{labels},ticket="{escaped(each.ticket)}",'
            f'priority="{escaped(due.priority or "")}"}} {each.due_at / clock.MICROSECONDS}\n'
        )


def _escaped_labels(customer: str, agreement: str, objective: str) -> str:
    return f'customer="{escaped(customer)}",agreement="{escaped(agreement)}",objective="{escaped(objective)}"'


def _is_due(due: DueClock) -> bool:
    """A breached clock would hold its place for as long as the ticket is open, and is not due any more."""
    return (
        due.clock.state is ClockState.RUNNING
        and due.clock.due_at is not None
        and due.clock.breached_at is None
    )


def _due_order(due: DueClock) -> tuple[int, str, str, str, str]:
    each = due.clock
    return (each.due_at or 0, each.customer, each.agreement, each.objective, each.ticket)
