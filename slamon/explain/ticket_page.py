"""A ticket explained to people: what happened, what each fact did to each clock, and the sum of every clock."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import assert_never

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from slamon.domain.agreement import Measure, TicketFilter
from slamon.domain.calendars import Calendar
from slamon.domain.decisions import ClockOutcome, ClockRecord, ClockState
from slamon.domain.events import Reply
from slamon.domain.explanations.counted_days import Row, rows
from slamon.domain.explanations.of_ticket import (
    Change,
    ClockStory,
    Effect,
    Entry,
    Fact,
    Kind,
    Stint,
    TicketExplanation,
)
from slamon.domain.intervals import Span
from slamon.domain.tickets import Identity
from slamon.explain.layout import heading, indented, ledger
from slamon.explain.period_notation import notation_of, unit_of
from slamon.explain.wording import clock, day, lasting, moment, offset, times

MEASURES = {
    Measure.FIRST_RESPONSE.value: "first response",
    Measure.NEXT_REPLY.value: "next reply",
    Measure.UPDATE.value: "update",
    Measure.RESOLUTION.value: "resolution",
}
OUTCOMES = {
    ClockOutcome.MET: "bold green",
    ClockOutcome.MISSED: "bold red",
    ClockOutcome.PENDING: "bold yellow",
    ClockOutcome.VOID: "bold",
}


def page(found: TicketExplanation, zone: str, *, agreements: int) -> Iterator[RenderableType]:
    """`zone`: of the times in the timeline. `agreements`: how many the customer has, as clocks need their names then."""
    yield heading(f"Ticket {found.ticket} of {found.customer}")
    yield Text(f"Judged as of {moment(found.as_of, zone)}. Times are those of {zone}.")
    yield Text("")
    yield Text(_opened(found, zone))
    yield Text("")
    yield heading("What happened")
    several = agreements > 1
    for (date, shift), entries in groupby(
        found.entries, key=lambda entry: (day(entry.at, zone), offset(entry.at, zone))
    ):
        yield Text("")
        yield Text(f"{date} (UTC{shift})", style="bold")
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        table.add_column()
        for entry in entries:
            table.add_row(f"  {clock(entry.at, zone)}", Group(*_lines(entry, found, zone, several=several)))
        yield table
    for story in found.clocks:
        yield Text("")
        yield from _sum(story, found.as_of, several=several)


def _opened(found: TicketExplanation, zone: str) -> str:
    if found.opening_unknown:
        return (
            "Opening unknown: no event says when it was opened (`opened_at`), and the earliest shows it ended already. "
            "It would have been solved in no time, so it has no clocks, also where it is reopened."
        )
    if found.opening is None:
        return "Not opened yet: `opened_at` lies ahead, so there are no clocks."
    at, named_by = found.opening
    how = (
        "the time of its earliest event; none names `opened_at`"
        if named_by is None
        else f"as event {named_by.id} says in `opened_at`"
    )
    return f"Opened {moment(at, zone)}: {how}."


# The timeline -------------------------------------------------------------------------------------------------------


def _lines(entry: Entry, found: TicketExplanation, zone: str, *, several: bool) -> Iterator[RenderableType]:
    opens = found.opening is not None and found.opening.at == entry.at
    if opens:
        yield Text("opened")
    for fact in entry.facts:
        yield Text(_fact(fact, zone))
    if not entry.facts and not opens:
        yield Text(_without_fact(entry))
    for identity, effects in groupby(entry.effects, key=lambda effect: effect.clock):
        told = "; ".join(_told(list(effects), zone))
        yield Padding(Text(f"{_named(identity, several=several)}: {told}", style="cyan"), (0, 0, 0, 2))


def _without_fact(entry: Entry) -> str:
    by_time = {Change.STEP_REACHED, Change.BREACHED}
    return (
        "time passes" if {effect.change for effect in entry.effects} <= by_time else "other terms take effect"
    )


def _named(identity: Identity, *, several: bool) -> str:
    agreement, measure, cycle = identity
    repeated = cycle > 1 or measure in (Measure.NEXT_REPLY.value, Measure.UPDATE.value)
    name = f"{MEASURES[measure]} {cycle}" if repeated else MEASURES[measure]
    return f"{name} ({agreement})" if several else name


def _fact(fact: Fact, zone: str) -> str:
    event = fact.event
    said = [
        f"{change.field.replace('_', ' ')} {change.after}"
        + (f" (was {change.before})" if change.before is not None and change.field != "status" else "")
        for change in fact.changes
    ]
    if event.reply is not None:
        said.append("an agent answers" if event.reply is Reply.AGENT else "the customer writes")
    if event.opened_at is not None:
        said.append(f"opened at {moment(event.opened_at, zone)}")
    text = ", ".join(said) or "nothing new"
    remarks = []
    if fact.is_late:
        remarks.append(f"known only since {moment(fact.known_at, zone)}")
    if fact.duplicates:
        remarks.append(f"sent again {times(fact.duplicates)}")
    if fact.conflicts:
        remarks.append(f"sent again with other contents {times(fact.conflicts)}, which do not count")
    return f"{text} [{'; '.join(remarks)}]" if remarks else text


def _told(effects: Sequence[Effect], zone: str) -> Iterator[str]:
    """What one instant did to a clock, and when it is due after that."""
    for effect in effects:
        yield _effect(effect, zone)
    last = effects[-1]
    if last.change in SHOWS_DUE and last.outcome is ClockOutcome.PENDING and last.due_at is not None:
        yield f"due {moment(last.due_at, zone)}"


SHOWS_DUE = {Change.GOVERNED, Change.RESET, Change.RESUMED, Change.REOPENED, Change.UNCANCELLED}


def _effect(effect: Effect, zone: str) -> str:
    used = lasting(effect.elapsed)
    match effect.change:
        case Change.STARTED:
            return "starts"
        case Change.GOVERNED:
            return f"{_governs(effect)}{f', {used} already used' if effect.elapsed else ''}"
        case Change.RESET:
            return f"{_governs(effect)}, counting starts anew"
        case Change.UNGOVERNED:
            return "no objective governs it: it does not run"
        case Change.PAUSED:
            return f"pauses, waiting on {effect.waiting_on}: {used} used{_left(effect)}"
        case Change.RESUMED:
            return f"runs on: {used} used{_left(effect)}"
        case Change.STEP_REACHED:
            return f"warning step {effect.step} passed: {used} used{_left(effect)}"
        case Change.BREACHED:
            return _breached(effect)
        case Change.STOPPED:
            return _stopped(effect, zone)
        case Change.VOIDED:
            missed = effect.outcome is ClockOutcome.MISSED
            return "stops, cancelled; the miss stands" if missed else "void, cancelled: it counts nowhere"
        case Change.VOID_FOR_GOOD:
            return "void for good: it was answered while cancelled"
        case Change.REOPENED:
            return f"reopened, runs on (onReopen: continue): {used} used{_left(effect)}"
        case Change.UNCANCELLED:
            return f"no longer cancelled, runs on: {used} used{_left(effect)}"
        case Change.LEFT_STOPPED:
            return f"reopened, stays {effect.outcome.value}"
        case Change.NEW_CYCLE:
            return f"reopened, stays {effect.outcome.value}; another cycle begins (onReopen: newCycle)"
        case _:
            assert_never(effect.change)


def _governs(effect: Effect) -> str:
    objective = effect.objective
    assert objective is not None, "what governs is an objective"
    when = ", ".join(conditions(objective.when)) or "every ticket that none before it takes"
    return (
        f"{objective.name} governs ({when}), target {lasting(objective.target)} {_within(objective.calendar)}"
    )


def conditions(wanted: TicketFilter) -> list[str]:
    """Of which each must hold: `priority P1 or P2`."""
    named = {"priority": wanted.priority, "service": wanted.service, **dict(wanted.attributes)}
    return [
        f"{name.replace('_', ' ')} {' or '.join(sorted(values))}"
        for name, values in named.items()
        if values is not None
    ]


def _within(calendar: Calendar) -> str:
    return "around the clock" if calendar.always else f"in the hours of {calendar.name}"


def _left(effect: Effect) -> str:
    if effect.objective is None:
        return ""
    left = effect.objective.target - effect.elapsed
    return f", {lasting(left)} left" if left >= 0 else f", {lasting(left)[2:]} over the target"


def _breached(effect: Effect) -> str:
    assert effect.objective is not None, "what is breached has an objective"
    target = effect.objective.target
    if effect.elapsed > target:
        return f"breached at once: {lasting(effect.elapsed)} used exceed the target of {lasting(target)}"
    return f"breached: the target of {lasting(target)} is used up and the clock runs on"


def _stopped(effect: Effect, zone: str) -> str:
    used = f"{lasting(effect.elapsed)} used{_left(effect)}"
    wait = effect.stopped_at is not None and effect.stopped_at != effect.at
    since = "" if effect.stopped_at is None else moment(effect.stopped_at, zone)
    out_of_wait = f"; it stopped {since}, for the wait since then does not count" if wait else ""
    if effect.outcome is ClockOutcome.VOID:
        return f"stops while no objective governs it: void{out_of_wait}"
    return f"stops: {effect.outcome.value}, {used}{out_of_wait}"


# The sum of a clock -------------------------------------------------------------------------------------------------


def _sum(story: ClockStory, as_of: int, *, several: bool) -> Iterator[RenderableType]:
    record, zone = story.record, story.agreement.zone
    title = Text.assemble(
        (f"{_named(story.identity, several=several).capitalize()}, objective {record.objective}: ", "bold"),
        (record.outcome.value, OUTCOMES[record.outcome]),
    )
    yield title
    until = record.stopped_at if record.stopped_at is not None else as_of
    yield indented(Text(f"From {moment(record.started_at, zone)} to {moment(until, zone)}:"))
    yield indented(ledger(list(_ledger(story))))
    for sentence in _verdict(story):
        yield indented(Text(sentence))
    table = rows(story.stints, zone)
    if table:
        yield Text("")
        yield from map(indented, _dates(table))
    if zone != story.objective.calendar.zone and not story.objective.calendar.always:
        yield indented(
            Text(f"The calendar {story.objective.calendar.name} is kept in {story.objective.calendar.zone}.")
        )


def _ledger(story: ClockStory) -> Iterator[tuple[str, str]]:
    record, stints, zone = story.record, story.stints, story.agreement.zone
    reigns = [
        (calendar, list(found)) for calendar, found in groupby(stints, key=lambda stint: stint.calendar)
    ]
    for index, (calendar, found) in enumerate(reigns, start=1):
        what = "time" if calendar.always else f"hours of {calendar.name}"
        until = f", until {moment(found[-1].end, zone)}" if index < len(reigns) else ""
        yield f"{what}{until}", lasting(sum(stint.opening for stint in found))
    for label, count, opening in _deductions(stints):
        yield f"less {label}{f' ({times(count)})' if count > 1 else ''}", f"- {lasting(opening)}"
    yield "elapsed", lasting(record.elapsed)
    yield "target", lasting(record.target)
    if record.outcome is not ClockOutcome.VOID:
        yield _difference(record)


NOT_COUNTED = {
    Kind.UNGOVERNED: "no objective governing",
    Kind.DONE: "done, until reopened",
    Kind.CANCELLED: "cancelled, until undone",
}


def _deductions(stints: Sequence[Stint]) -> Iterator[tuple[str, int, int]]:
    """What of the hours did not count: why, how often, how much."""
    found: dict[str, list[int]] = {}
    for stint in stints:
        if stint.kind is not Kind.COUNTED:
            label = NOT_COUNTED.get(stint.kind, f"paused, waiting on {stint.waiting_on}")
            found.setdefault(label, []).append(stint.opening)
    for label, openings in found.items():
        yield label, len(openings), sum(openings)


def _difference(record: ClockRecord) -> tuple[str, str]:
    left = record.target - record.elapsed
    if record.outcome is ClockOutcome.PENDING:
        return "left", lasting(left)
    return ("to spare", lasting(left)) if left >= 0 else ("over the target", lasting(-left))


def _verdict(story: ClockStory) -> Iterator[str]:
    record, zone = story.record, story.agreement.zone
    if record.outcome is ClockOutcome.PENDING:
        state = "It is paused" if record.state is ClockState.PAUSED else "It runs"
        due = "" if record.due_at is None else f" and is due {moment(record.due_at, zone)}"
        yield f"{state}{due}. Not decided, so it counts in no period yet."
        return
    if record.outcome is ClockOutcome.VOID:
        yield "Void: it counts nowhere."
        return
    if record.breached_at is not None:
        yield f"Breached {moment(record.breached_at, zone)}, which decides: nothing that comes after repairs it."
    elif record.decided_at is not None:
        yield f"Decided {moment(record.decided_at, zone)}."
    yield f"It counts in {_counted_in(story, story.counted_in)}."


def _counted_in(story: ClockStory, span: Span | None) -> str:
    if span is None:
        return "no statement: no judged period holds that instant"
    agreement, objective = story.agreement, story.objective
    bounds = f"{day(span[0], agreement.zone)} until before {day(span[1], agreement.zone)}"
    if objective.attainment.window.rolling is not None:
        return f"the window {bounds}, and in every other that holds that instant"
    return f"{notation_of(unit_of(agreement, objective), agreement.zone, span[0])} ({bounds})"


def _dates(table: Sequence[Row]) -> Iterator[RenderableType]:
    """Only columns that have something to say; where rows join several dates, what was particular stands below."""
    columns = {"counted": [row.counted for row in table]}
    paused, other = [row.paused for row in table], [row.other for row in table]
    columns |= {"paused": paused} if any(paused) else {}
    columns |= {"neither": other} if any(other) else {}
    by_the_day = all(row.first == row.last for row in table)
    shown = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, header_style="italic")
    shown.add_column("date")
    for name in columns:
        shown.add_column(name, justify="right")
    shown.add_column("")
    for row, *amounts in zip(table, *columns.values(), strict=True):
        remarks = ", ".join(remark.text for remark in row.remarks) if by_the_day else ""
        shown.add_row(_date(row), *(lasting(one) if one else "-" for one in amounts), remarks)
    shown.add_row("sum", *(lasting(sum(amounts)) for amounts in columns.values()), "", style="bold")
    yield shown
    particular = [f"{remark.day:%-d %b %Y} {remark.text}" for row in table for remark in row.remarks]
    if particular and not by_the_day:
        yield Text(f"In this time: {', '.join(particular)}.")


def _date(row: Row) -> str:
    """`Mon 4 Apr 2011`, `14 - 20 Mar 2011`, `28 Mar - 3 Apr 2011`: no more than it takes."""
    first, last = row.first, row.last
    if first == last:
        return f"{last:%a %-d %b %Y}"
    if first.year != last.year:
        return f"{first:%-d %b %Y} - {last:%-d %b %Y}"
    return (
        f"{first:%-d %b} - {last:%-d %b %Y}"
        if first.month != last.month
        else f"{first:%-d} - {last:%-d %b %Y}"
    )
