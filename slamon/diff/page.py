"""A comparison as people read it: agreement by agreement its terms and what they make another, then money and consequences.

One line for each figure that differs, the old one before the new one. What there may be thousands of (tickets, alerts) is
named up to a number and counted beyond it; programs get all of it.
"""

import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import groupby, zip_longest
from typing import Any, NamedTuple, TextIO

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from slamon.agreement_files import Difference
from slamon.agreement_files.comparison_texts import told
from slamon.diff.comparing import Compared, Consequences
from slamon.diff.differences import KINDS, Differences, Money, Pair, Restated, in_sum, is_open
from slamon.diff.judging import PeriodKey, Sides
from slamon.domain.agreement import Agreement
from slamon.domain.announcements import duration, percent
from slamon.domain.decisions import (
    AlertTransition,
    ClockRecord,
    Credit,
    Standing,
    Statement,
    TicketCounts,
    Transition,
)
from slamon.domain.periods import period_at
from slamon.domain.service_credits import money
from slamon.domain.terms import time_window
from slamon.explain.layout import heading, indented, width_of
from slamon.explain.layout import write as write_page
from slamon.explain.period_notation import notation_of, unit_of
from slamon.explain.wording import (
    clock,
    counted,
    lasting_about,
    listed,
    local,
    moment,
    percent_of,
    request_count,
)

TICKETS, ALERTS = 10, 10  # named of an agreement
NAMED = 3  # of decided tickets of a kind
NONE = "-"
WIDEST = (28, 11, 0, 0)  # characters in which names are not broken, by column of the table

Row = tuple[str, str, str, str]  # of what, which figure, old, new


class _Figure(NamedTuple):
    """A figure of a record, in a zone. `exactly`: as it is told where the short words for old and new are the same.

    `alone`: told even if there is no other side.
    """

    name: str
    read: Callable[[Any, str], str]
    exactly: Callable[[Any, str], str] | None = None
    alone: bool = False


def _word(value: Any) -> str:
    return str(value.value).replace("_", " ")


def _day(t: int, zone: str) -> str:
    return f"{local(t, zone):%-d %b %Y}"


def _instant(name: str, of: Callable[[Any], int | None], *, alone: bool = False) -> _Figure:
    """`24 Nov 2026 14:32`."""

    def read(tell: Callable[[int, str], str]) -> Callable[[Any, str], str]:
        def told(one: Any, zone: str) -> str:
            t = of(one)
            return NONE if t is None else f"{_day(t, zone)} {tell(t, zone)}"

        return told

    return _Figure(name, read(lambda t, zone: f"{local(t, zone):%H:%M}"), read(clock), alone)


def _length(name: str, of: Callable[[Any], int | Fraction | None]) -> _Figure:
    def read(tell: Callable[[Fraction], str]) -> Callable[[Any, str], str]:
        def told(one: Any, _: str) -> str:
            length = of(one)
            return NONE if length is None else tell(Fraction(length))

        return told

    def about(length: Fraction) -> str:
        return f"{'-' if length < 0 else ''}{duration(int(length))}"

    return _Figure(name, read(about), read(lasting_about))


def _seconds(name: str, member: str) -> _Figure:
    return _length(name, lambda one: None if one.seconds is None else getattr(one.seconds, member))


def _ratio(name: str, member: str, *, alone: bool = False) -> _Figure:
    return _Figure(name, lambda one, _: percent_of(getattr(one.ratios, member)), alone=alone)


def _tickets(one: Any, _: str) -> str:
    counts: TicketCounts | None = one.tickets
    return NONE if counts is None else f"{counts.met} met, {counts.missed} missed, {counts.pending} pending"


def _failed(one: Any, _: str) -> str:
    if one.requests is None:
        return NONE
    bad, total = Fraction(*one.requests.bad), Fraction(*one.requests.total)
    return f"{request_count(bad)} of {request_count(total)}"


def _credit(one: Any, _: str) -> str:
    credit: Credit | None = one.credit
    if credit is None:
        return "none agreed"
    share = percent(Fraction(*credit.share))
    if credit.amount is None or credit.currency is None:
        return share
    return f"{_amount(Fraction(credit.amount), credit.currency)} ({share})"


def _amount(amount: Fraction, currency: str, *, signed: bool = False) -> str:
    """`1,200.00 EUR`."""
    whole, point, rest = money(abs(amount), currency).partition(".")
    sign = "-" if amount < 0 else "+" if signed and amount else ""
    return f"{sign}{int(whole):,}{point}{rest} {currency}"


# The first is told whenever anything differs; those of the second list only if nothing of the first does.
_MORE = (
    _ratio("best case", "best_case"),
    _ratio("worst case", "worst_case"),
    _ratio("coverage", "coverage"),
    _seconds("service time", "applicable"),
    _seconds("excluded", "excluded"),
    _seconds("unknown", "unknown"),
)
_STANDING = (
    _Figure("standing", lambda one, _: _word(one.standing), alone=True),
    _ratio("attained", "attained", alone=True),
    _Figure("tickets", _tickets),
    _Figure("misses left", lambda one, _: NONE if one.misses_left is None else str(one.misses_left)),
    _seconds("down", "down"),
    _Figure("failed", _failed),
    _length("budget left", lambda one: None if one.budget is None else one.budget.remaining),
    _instant("budget ends", lambda one: one.exhausted_at),
)
_MORE_OF_STANDING = (
    _instant("since", lambda one: one.period[0]),
    _instant("until", lambda one: one.period[1]),
    *_MORE,
    _length("budget", lambda one: None if one.budget is None else one.budget.whole),
)
_STATEMENT = (
    _Figure("outcome", lambda one, _: _word(one.outcome), alone=True),
    _ratio("attained", "attained", alone=True),
    _Figure("tickets", _tickets),
    _seconds("down", "down"),
    _Figure("failed", _failed),
    _Figure("credit", _credit, alone=True),
)
_MORE_OF_STATEMENT = (*_MORE, _instant("claim until", lambda one: one.claim_until))
_CLOCK = (
    _instant("due", lambda one: one.due_at, alone=True),
    _Figure("state", lambda one, _: _word(one.state if is_open(one) else one.outcome)),
    _Figure("objective", lambda one, _: one.objective, alone=True),
)
_MORE_OF_CLOCK = (
    _length("target", lambda one: one.target),
    _instant("started", lambda one: one.started_at),
    _length("elapsed", lambda one: one.elapsed),
    _length("paused", lambda one: one.paused),
)


def _figures(
    pair: Pair[Any, Any], zone: str, figures: Sequence[_Figure], more: Sequence[_Figure]
) -> list[tuple[str, str, str]]:
    """Name, old, new."""
    if pair.old is None or pair.new is None:
        return [_both(pair, zone, one) for one in figures if one.alone]
    first, *others = (_both(pair, zone, one) for one in figures)
    differing = [one for one in others if one[1] != one[2]]
    if first[1] == first[2] and not differing:
        differing = [told for one in more if (told := _both(pair, zone, one))[1] != told[2]]
    return [first, *differing]


def _both(pair: Pair[Any, Any], zone: str, figure: _Figure) -> tuple[str, str, str]:
    def read(by: Callable[[Any, str], str]) -> tuple[str, str]:
        old, new = (NONE if one is None else by(one, zone) for one in (pair.old, pair.new))
        return old, new

    old, new = read(figure.read)
    if old == new and figure.exactly is not None:
        exactly = read(figure.exactly)
        old, new = exactly if exactly[0] != exactly[1] else (old, new)
    return figure.name, old, new


def _rows(of: Sequence[str], figures: Sequence[tuple[str, str, str]]) -> Iterator[Row]:
    """What they are of stands beside them, a line for each of its words."""
    for name, figure in zip_longest(of, figures, fillvalue=None):
        yield (name or "", *(figure or ("", "", "")))


# An agreement ---------------------------------------------------------------------------------------------------------


class _Of(NamedTuple):
    """What differs under one agreement, all versions together."""

    customer: str
    agreement: str
    terms: list[Difference]


def _groups(compared: Compared) -> list[_Of]:
    """In the order of the files."""
    found: dict[tuple[str, str], _Of] = {}
    for one in compared.terms:
        key = one.agreement.customer, one.agreement.name
        found.setdefault(key, _Of(*key, [])).terms.append(one)
    if compared.consequences is not None:
        differences = compared.consequences.differences
        for kind in ("standings", "statements", "clocks"):
            for pair in getattr(differences, kind):
                key = pair.key.customer, pair.key.agreement
                found.setdefault(key, _Of(*key, []))
        for alert in differences.alerts:
            key = alert.either.labels["customer"], alert.either.labels["agreement"]
            found.setdefault(key, _Of(*key, []))
    return list(found.values())


def _verdicts(of: _Of, found: Differences, versions: Sequence[Agreement]) -> Iterator[Row]:
    """The lines of the table, under the titles of its sections."""
    zone = versions[0].zone

    def ours(pairs: Iterable[Pair[Any, Any]]) -> list[Pair[Any, Any]]:
        return [one for one in pairs if (one.key.customer, one.key.agreement) == (of.customer, of.agreement)]

    clocks = ours(found.clocks)
    still_open = [one for one in clocks if any(side is not None and is_open(side) for side in one[1:])]
    sections: tuple[tuple[str, Iterator[Row]], ...] = (
        ("Standings", _standings(ours(found.standings), zone)),
        ("Statements", _statements(ours(found.statements), versions)),
        ("Open tickets", _open(still_open, zone)),
        ("Decided tickets", _decided([one for one in clocks if one not in still_open])),
        ("Alerts", _alerts([one for one in found.alerts if _labels(one) == (of.customer, of.agreement)])),
    )
    for title, rows in sections:
        lines = list(rows)
        if lines:
            yield from ((title, "", "OLD", "NEW"), *lines)


def _standings(pairs: Iterable[Pair[Any, Standing]], zone: str) -> Iterator[Row]:
    for pair in pairs:
        yield from _rows([pair.key.objective], _figures(pair, zone, _STANDING, _MORE_OF_STANDING))


def _statements(pairs: Iterable[Pair[Any, Statement]], versions: Sequence[Agreement]) -> Iterator[Row]:
    """Periods in a row of which the same is told stand together."""
    zone = versions[0].zone
    told = ((pair, _verdict(pair, zone)) for pair in pairs)
    for (objective, figures), alike in groupby(told, key=lambda one: (one[0].key.objective, one[1])):
        periods = [_period(pair.key, versions) for pair, _ in alike]
        span = f"{periods[0]} to {periods[-1]}" if len(periods) > 1 else periods[0]
        count = [f"  {len(periods)} periods"] if len(periods) > 1 else []
        yield from _rows([objective, f"  {span}", *count], figures)


def _verdict(pair: Pair[Any, Statement], zone: str) -> list[tuple[str, str, str]]:
    """Where the verdict is the same, what else differs is named only: there may be a statement for each month of years."""
    first, *others = _figures(pair, zone, _STATEMENT, _MORE_OF_STATEMENT)
    besides = {figure.name for figure in _MORE_OF_STATEMENT} & {name for name, _, _ in others}
    return (
        [first, ("besides", listed(name for name, _, _ in others), "differ")] if besides else [first, *others]
    )


def _period(key: PeriodKey, versions: Sequence[Agreement]) -> str:
    """`2026-10`; of a window that rolls, its last day; of what is no whole period, the first and the last."""
    zone = versions[0].zone
    last = f"{local(key.end - 1, zone):%Y-%m-%d}"
    for version in versions:
        for one in version.objectives:
            if one.name != key.objective:
                continue
            if time_window(one).rolling is not None:
                return last
            unit = unit_of(version, one)
            if period_at(unit, version.zone, key.start) == (key.start, key.end):
                return notation_of(unit, version.zone, key.start)
    return f"{local(key.start, zone):%Y-%m-%d}/{last}"


def _open(pairs: Sequence[Pair[Any, ClockRecord]], zone: str) -> Iterator[Row]:
    """The next to be due first."""

    def due(pair: Pair[Any, ClockRecord]) -> tuple[bool, int]:
        instants = [one.due_at for one in (pair.old, pair.new) if one is not None and one.due_at is not None]
        return not instants, min(instants, default=0)

    for pair in sorted(pairs, key=due)[:TICKETS]:
        cycle = "" if pair.key.cycle == 1 else f" {pair.key.cycle}"
        of = [pair.key.ticket, f"  {pair.key.measure}{cycle}"]
        yield from _rows(of, _figures(pair, zone, _CLOCK, _MORE_OF_CLOCK))
    yield from _left_out(len(pairs) - TICKETS)


def _decided(pairs: Sequence[Pair[Any, ClockRecord]]) -> Iterator[Row]:
    """Those that came out alike together."""
    alike: dict[tuple[str, str, str], list[str]] = {}
    for pair in pairs:
        old, new = (NONE if one is None else _word(one.outcome) for one in (pair.old, pair.new))
        if pair.old is not None and pair.new is not None and pair.old.objective != pair.new.objective:
            old, new = f"{old} ({pair.old.objective})", f"{new} ({pair.new.objective})"
        alike.setdefault((pair.either.objective, old, new), []).append(pair.key.ticket)
    for (objective, old, new), tickets in sorted(alike.items()):
        more = [f"{len(tickets) - NAMED:,} more"] if len(tickets) > NAMED else []
        yield (objective, listed([*tickets[:NAMED], *more]), old, new)


def _labels(pair: Pair[str, AlertTransition]) -> tuple[str, str]:
    labels = pair.either.labels
    return labels["customer"], labels["agreement"]


def _alerts(pairs: Sequence[Pair[str, AlertTransition]]) -> Iterator[Row]:
    def of(pair: Pair[str, AlertTransition]) -> tuple[str, ...]:
        labels = pair.either.labels
        return tuple(labels.get(name, "") for name in ("objective", "ticket", "alertname", "step"))

    for pair in sorted(pairs, key=of)[:ALERTS]:
        objective, ticket, name, step = of(pair)
        old, new = (
            NONE if one is None else f"fires, {one.labels['severity']}" for one in (pair.old, pair.new)
        )
        yield (name, " ".join(filter(None, (ticket or objective, step))), old, new)
    yield from _left_out(len(pairs) - ALERTS)


def _left_out(count: int) -> Iterator[Row]:
    if count > 0:
        yield (f"and {count:,} more", "", "", "")


def _table(rows: Iterable[Row]) -> Table:
    lines = list(rows)
    table = Table.grid(padding=(0, 2, 0, 0))
    for column, widest in enumerate(WIDEST):
        longest = max(len(line[column]) for line in lines)
        table.add_column(overflow="fold", min_width=min(longest, widest))
    for row in lines:
        if row[2:] == ("OLD", "NEW"):
            table.add_row()
            table.add_row(*(Text(cell, style="italic") for cell in row))
        else:
            table.add_row(*map(Text, row))
    return table


def _terms(difference: Difference, width: int, *, judged: bool) -> Text:
    """Where it stands, and each term; what follows from it is told here unless it was `judged`."""
    whole = str(told(difference._replace(changes=(), anew=() if judged else difference.anew), width))
    head, *notes = whole.split("\n  = ")
    if judged:
        notes = [one for one in notes if not one.startswith("note: ")]
    lines = [head]
    for one in difference.changes:
        judges = "" if one.judges else " (judges nothing)"
        text = f"{one.path}: {one.old} → {one.new}{judges}"
        lines.append(textwrap.fill(text, width, initial_indent="  = ", subsequent_indent="      "))
    return Text("\n".join([*lines, *(f"  = {note}" for note in notes)]))


# The whole ------------------------------------------------------------------------------------------------------------


def write(compared: Compared, out: TextIO) -> None:
    """On a terminal as wide as it is, up to a limit; elsewhere always the same."""
    write_page(out, page(compared, width_of(out)))


def page(compared: Compared, width: int) -> Iterator[RenderableType]:
    """`width`: of a line, in characters."""
    consequences = compared.consequences
    for of in _groups(compared):
        versions = [
            one for one in compared.agreements if (one.customer, one.name) == (of.customer, of.agreement)
        ]
        yield heading(f"{of.agreement} of {of.customer}, in the time of {versions[0].zone}")
        for one in of.terms:
            yield Text("")
            yield _terms(one, width, judged=consequences is not None)
        if consequences is not None:
            rows = list(_verdicts(of, consequences.differences, versions))
            yield _table(rows) if rows else Text("\nNothing that was judged comes out otherwise.")
        yield Text("")
    if consequences is not None:
        if any(one.old != one.new or one.booked for one in consequences.money.values()):
            yield heading("Credits")
            yield indented(_money(consequences))
            yield Text("")
        elif consequences.money:
            sums = (_amount(one.old, currency) for currency, one in in_sum(consequences.money).items())
            yield Text(f"Credits stay as they are: {listed(sums)}.\n")
        taken_up = list(_taken_up(consequences.restated, consequences.sides))
        if taken_up:
            yield heading("When a running slamon takes it into use")
            yield from (indented(Text(line)) for line in taken_up)
            yield Text("")
    yield from map(Text, _summary(compared))


def _money(consequences: Consequences) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column()
    for _ in range(3):
        table.add_column(justify="right", no_wrap=True)
    table.add_row(*(Text(cell, style="italic") for cell in ("customer", "OLD", "NEW", "booked then")))

    def add(name: str, currency: str, one: Money) -> None:
        booked = _amount(one.booked, currency, signed=True)
        table.add_row(name, _amount(one.old, currency), _amount(one.new, currency), booked)

    for account, one in consequences.money.items():
        add(account.customer, account.currency, one)
    sums = in_sum(consequences.money)
    if len(consequences.money) > len(sums):
        for currency, one in sums.items():
            add("in sum", currency, one)
    return table


def _taken_up(found: Restated, sides: Sides) -> Iterator[str]:
    said = sides.taken_up
    if found.again:
        otherwise = f"{found.otherwise:,}" if found.otherwise else "none"
        yield (
            f"{counted(found.again, 'statement')} given again, as `agreement_corrected`; "
            f"{otherwise} with another verdict or credit."
        )
    if found.first:
        yield f"{counted(found.first, 'statement')} given for the first time."
    if found.left:
        yield f"{counted(found.left, 'statement')} left as given: the period is judged no longer, and nothing is taken back."
    ends = Counter(one.reason.value for one in said.alerts if one.transition is Transition.RESOLVED)
    fired = [one for one in said.alerts if one.transition is Transition.FIRED]
    if fired:
        late = sum(one.late for one in fired)
        yield f"{counted(len(fired), 'alert')} fired, {late:,} late."
    if ends:
        why = listed(f"{count:,} as `{reason}`" for reason, count in sorted(ends.items()))
        yield f"{counted(ends.total(), 'alert')} resolved: {why}."
    if said.unheard:
        yield (
            f"{counted(said.unheard, 'event')} of which OLD does not speak: they were counted and not kept, so a running "
            "slamon knows nothing of them. Publish them again to have them judged."
        )
    if sides.foreign:
        yield (
            f"{counted(sides.foreign, 'statement')} of the running slamon given by other terms than OLD: "
            "it is not what is in use."
        )


def _summary(compared: Compared) -> Iterator[str]:
    terms = counted(len(compared.terms), "document")
    untouched = f"; {counted(compared.untouched, 'customer')} untouched" if compared.untouched else ""
    if not compared.terms:
        yield f"no term differs{untouched}"
        return
    yield f"{terms} of {counted(compared.customers, 'customer')} changed{untouched}"
    consequences = compared.consequences
    if consequences is None:
        return
    sides = consequences.sides
    yield f"judged by {sides.heard}, as of {moment(sides.now, 'UTC')}"
    differing, same = consequences.differences.count(), consequences.differences.same
    names = dict(zip(KINDS, ("standing", "statement", "ticket clock", "alert"), strict=True))
    for lead, count in (("otherwise", differing), ("the same", same)):
        yield f"{lead}: " + ", ".join(counted(count[kind], name) for kind, name in names.items())
