"""OpenSLO documents as the text of an agreement to be completed, and everything in them that it does not say.

- Occurrences become `requests`, time slices `availability`: both are judged from events that somebody has to send, since
  slamon queries nothing.
- What an agreement cannot say is never rounded to what it can: it stands beside it, as a comment and as a finding.
"""

import json
import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, TypeVar

from slamon.agreement_files.findings import Place, Report
from slamon.openslo.documents import (
    Condition,
    Documents,
    Indicator,
    Length,
    Reference,
    Slo,
    Target,
    Window,
)

T = TypeVar("T")

NOBODY = "CHANGE-ME"
SOMEDAY = "2100-01-01"  # nothing is judged before
TO_COMPLETE, NOT_CARRIED_OVER = "to-complete", "not-carried-over"
_MARKS = {TO_COMPLETE: "TO COMPLETE", NOT_CARRIED_OVER: "NOT CARRIED OVER"}
_WIDTH = 110
_MINUTES = {"m": 1, "h": 60, "d": 24 * 60, "w": 7 * 24 * 60}
_MONTHS = {"M": 1, "Q": 3, "Y": 12}
_NOMINAL_DAYS = {"M": 30, "Q": 90, "Y": 365}
_PERIODS = {1: "month", 3: "quarter", 12: "year"}
_PLACEHOLDER = "{calendar: month}"


class Note(NamedTuple):
    rule: str
    at: Place
    message: str


@dataclass(frozen=True, slots=True)
class Skeleton:
    """`text`: YAML of one agreement. `objectives`: how many it has; with none it is no agreement."""

    text: str
    objectives: int
    notes: tuple[Note, ...]  # in the order of the text

    def tell(self, report: Report) -> None:
        for note in self.notes:
            report.advise(note.at, note.rule, note.message)


def skeleton_of(
    found: Documents, *, customer: str | None, name: str | None, first_day: str | None
) -> Skeleton:
    """One agreement for one customer over all SLOs; what is None stands there as a placeholder."""
    maker = _Maker(found)
    objectives = [line for slo in found.slos.values() for line in maker.slo(slo)]
    elsewhere = list(maker.without_slo())
    head = [
        "# The skeleton of an agreement, made from OpenSLO by `slamon import openslo`. Look for TO COMPLETE, where only",
        "# you know what to write, and for NOT CARRIED OVER, where OpenSLO says more than an agreement can.",
        "",
        "apiVersion: slamon/v1",
        "kind: Agreement",
        *_placeheld("metadata: {{name: {}}}", name, NOBODY, "a name for the agreement, such as acme-2026"),
        "spec:",
        *_placeheld("  customer: {}", customer, NOBODY, "the customer's id, as events name it"),
        *_placeheld("  effective: {{from: {}}}", first_day, SOMEDAY, "the first day on which it holds; nothing is judged before"),
        *_placeheld("  timeZone: {}", maker.zone, "UTC", "the zone whose midnights are the borders of periods"),
        "  services:",
        *(f"    - {service}" for service in maker.services()),
        "  objectives:",
    ]  # fmt: skip
    comments = [line for note in elsewhere for line in _comment(f"{_MARKS[note.rule]}: {note.message}", 2)]
    lines = [*head, *objectives[1:], *(["", *comments] if comments else [])]
    return Skeleton("\n".join(lines) + "\n", len(maker.names), (*maker.notes, *elsewhere))


class _Maker:
    """Goes through the SLOs in their order and remembers what was used."""

    def __init__(self, found: Documents) -> None:
        self.names: set[str] = set()
        self.notes: list[Note] = []
        self.zone = next(
            (slo.window.zone for slo in found.slos.values() if slo.window and slo.window.zone), None
        )
        self._found = found
        self._used: set[tuple[str, str]] = set()

    def services(self) -> Iterator[str]:
        named = dict.fromkeys((*self._found.services, *(slo.service for slo in self._found.slos.values())))
        for name in named:
            service = self._found.services.get(name)
            described = (
                f", description: {_scalar(service.description)}" if service and service.description else ""
            )
            yield f"{{name: {_scalar(name)}{described}}}"

    def slo(self, slo: Slo) -> Iterator[str]:
        """The lines of its objectives, the comments that are about all of it first."""
        about = [f"{slo.name}: {slo.display_name}" if slo.display_name else slo.name, slo.description]
        yield ""
        yield from _comment("SLO " + ". ".join(text.rstrip(".") for text in about if text), 4)
        notes: list[Note] = []
        window = _time_window(slo, self.zone, notes)
        notes += self._alerting(slo)
        if slo.labelled:
            notes.append(Note(NOT_CARRIED_OVER, slo.at, f"the {' and '.join(slo.labelled)} of {slo.name}"))
        if any(target.weight is not None for target in slo.targets):
            notes.append(
                Note(
                    NOT_CARRIED_OVER, slo.at, f"the weights of {slo.name}: each objective is judged by itself"
                )
            )
        yield from self._told(notes)
        several = len(slo.targets) > 1
        for index, target in enumerate(slo.targets):
            yield from self._objective(
                slo, target, f"-{target.display_name or index + 1}" if several else "", window
            )

    def _objective(self, slo: Slo, target: Target, suffix: str, window: str) -> Iterator[str]:
        indicator = self._indicator_of(target.indicator or slo.indicator)
        at = target.at
        if suffix and target.display_name:
            yield from _comment(target.display_name, 4)
        for source in indicator.sources if indicator is not None else ():
            yield from _comment(f"{source.role}: {source.text or 'not told'}", 4)
        left_out = _left_out(slo, target)
        if left_out is not None:
            yield from self._told([Note(NOT_CARRIED_OVER, at, left_out)])
            return
        sliced = slo.method == "Timeslices"
        name = self._name(slo.name + suffix)
        yield from self._told(
            [
                *_renamed(slo, suffix, name, at),
                *_unresolved(target.indicator or slo.indicator, indicator),
                Note(TO_COMPLETE, at, _feed(slo, target, indicator)),
            ]
        )
        yield f"    - name: {name}"
        yield f"      service: {_scalar(slo.service)}"
        kind = "availability" if sliced else "requests"
        yield f"      {kind}: {{target: {_percentage(target.share)}, timeWindow: {window}}}"

    def _told(self, notes: Iterable[Note]) -> Iterator[str]:
        for note in notes:
            self.notes.append(note)
            yield from _comment(f"{_MARKS[note.rule]}: {note.message}", 4)

    def _name(self, wanted: str) -> str:
        """As slamon can have it, and not yet taken."""
        plain = re.sub(r"[^\w.-]+", "-", wanted).strip("-._")[:90] or "objective"
        name, count = plain, 1
        while name in self.names:
            count += 1
            name = f"{plain}-{count}"
        self.names.add(name)
        return name

    def _indicator_of(self, named: Indicator | Reference | None) -> Indicator | None:
        return self._resolved("SLI", named, self._found.indicators)

    def _resolved(self, kind: str, named: T | Reference | None, known: dict[str, T]) -> T | None:
        if not isinstance(named, Reference):
            return named
        self._used.add((kind, named.name))
        return known.get(named.name)

    def _alerting(self, slo: Slo) -> Iterator[Note]:
        """OpenSLO's condition is one window and a wait, slamon's pairs are two windows: none is exactly the other."""
        for named in slo.policies:
            policy = self._resolved("AlertPolicy", named, self._found.policies)
            conditions = [] if policy is None else list(map(self._condition, policy.conditions))
            said = "it is in none of the files" if policy is None else ", ".join(conditions)
            yield Note(
                NOT_CARRIED_OVER,
                named.at,
                f"the alert policy {named.name or 'without name'} ({said or 'no conditions'}): alerts are those of "
                "`burnRates: default`, and go where Alertmanager routes them",
            )

    def _condition(self, named: Condition | Reference) -> str:
        condition = self._resolved("AlertCondition", named, self._found.conditions)
        if condition is None:
            return f"the condition {named.name} is in none of the files"
        after = f" for {condition.after.text}" if condition.after else ""
        return f"burn rate above {condition.threshold:f} over {condition.lookback.text}{after}"

    def without_slo(self) -> Iterator[Note]:
        """Documents to which no SLO led."""
        kinds: dict[str, dict[str, Place]] = {
            "SLI": {name: one.at for name, one in self._found.indicators.items()},
            "AlertPolicy": {name: one.at for name, one in self._found.policies.items()},
            "AlertCondition": {name: one.at for name, one in self._found.conditions.items()},
        }
        for kind, places in kinds.items():
            for name, at in places.items():
                if (kind, name) not in self._used:
                    yield Note(NOT_CARRIED_OVER, at, f"{kind} {name}: no SLO refers to it")
        for other in self._found.others:
            yield Note(NOT_CARRIED_OVER, other.at, f"{other.kind} {other.name}: {_OTHERS[other.kind]}")


_OTHERS = {
    "DataSource": "slamon queries nothing, it judges events",
    "AlertNotificationTarget": "alerts go where Alertmanager routes them",
}


# What is said of one objective ---------------------------------------------------------------------------------------


def _left_out(slo: Slo, target: Target) -> str | None:
    """Why an objective cannot be one here at all."""
    if slo.method == "RatioTimeslices":
        return (
            "this objective: RatioTimeslices is the mean of the ratios of time slices, whatever their traffic, "
            "and an agreement counts requests or time"
        )
    if not target.share:
        return "this objective: its target of 0 promises nothing"
    return None


def _feed(slo: Slo, target: Target, indicator: Indicator | None) -> str:
    """Which events somebody has to send."""
    by_value = indicator is not None and indicator.has("threshold")
    good = target.comparison or "good"
    if slo.method == "Occurrences":
        events = f"send `requests` events of {slo.service}"
        if by_value:
            return f"{events}: `total` values measured, and as `bad` those that are not {good}"
        if indicator is not None and indicator.has("raw"):
            return f"{events}: the counts behind the ratio, `total` and `bad`"
        if indicator is not None and indicator.has("bad"):
            return f"{events}: `total` and `bad`"
        return f"{events}: `total`, and as `bad` what is not good"
    assert target.slice_length is not None
    seconds = target.slice_length.number * _MINUTES[target.slice_length.unit] * 60
    events = (
        f"send `availability` events of {slo.service}, one for each slice with `interval_seconds: {seconds}`"
    )
    if target.slice_share is None:
        return f"{events}: `down` if its value is not {good}"
    what = f"the values in it are {good}" if by_value else "it is good"
    return f"{events}: `down` if less than {_percentage(target.slice_share)} of {what}"


def _renamed(slo: Slo, suffix: str, name: str, at: Place) -> Iterator[Note]:
    if name != slo.name + suffix and not suffix:
        yield Note(NOT_CARRIED_OVER, at, f"the name {slo.name}: here it is {name}")


def _unresolved(named: Indicator | Reference | None, indicator: Indicator | None) -> Iterator[Note]:
    if isinstance(named, Reference) and indicator is None:
        yield Note(NOT_CARRIED_OVER, named.at, f"the SLI {named.name}: it is in none of the files")


def _time_window(slo: Slo, zone: str | None, notes: list[Note]) -> str:
    """As an agreement has it, or a placeholder with a note."""
    window = slo.window
    if window is None:
        notes.append(Note(TO_COMPLETE, slo.at, f"{slo.name} has no time window: a month stands for it"))
        return _PLACEHOLDER
    return _rolling(window, notes) if window.start is None else _aligned(window, window.start, zone, notes)


def _rolling(window: Window, notes: list[Note]) -> str:
    length = window.length
    if length.unit in _NOMINAL_DAYS:
        days = length.number * _NOMINAL_DAYS[length.unit]
        notes.append(
            Note(
                TO_COMPLETE,
                window.at,
                f"a rolling {length.text} has no length of its own: {days} days stand for it",
            )
        )
        return f"{{rolling: {days}d}}"
    if length.number * _MINUTES[length.unit] % _MINUTES["d"]:
        notes.append(
            Note(
                TO_COMPLETE,
                window.at,
                f"a rolling window is of whole days, {_spelt(length)} cannot be said: a day stands for it",
            )
        )
        return "{rolling: 1d}"
    return f"{{rolling: {length.text}}}"


def _aligned(window: Window, start: datetime, zone: str | None, notes: list[Note]) -> str:
    if window.zone != zone:
        notes.append(
            Note(
                NOT_CARRIED_OVER,
                window.at,
                f"the zone {window.zone}: an agreement has one, {zone}; make an agreement of its own of this SLO",
            )
        )
    length = window.length
    period = "week" if length[1:] == (1, "w") else _PERIODS.get(length.number * _MONTHS.get(length.unit, 0))
    if period is None:
        notes.append(
            Note(
                TO_COMPLETE,
                window.at,
                f"periods are weeks, months, quarters or years, {_spelt(length)} cannot be said: a month stands for it",
            )
        )
        return _PLACEHOLDER
    if not _begins(period, start):
        notes.append(
            Note(
                NOT_CARRIED_OVER,
                window.at,
                f"the start of periods at {start}: here a {period} begins {_BEGINNINGS[period]} at 00:00",
            )
        )
    return f"{{calendar: {period}}}"


_BEGINNINGS = {
    "week": "on Monday",
    "month": "on the first day of the month",
    "quarter": "on the first day of January, April, July and October",
    "year": "on the first of January",
}


def _begins(period: str, start: datetime) -> bool:
    """Whether counting periods from this start on gives those of the calendar."""
    first = {
        "week": start.weekday() == 0,
        "month": start.day == 1,
        "quarter": start.day == 1 and start.month % 3 == 1,
        "year": (start.month, start.day) == (1, 1),
    }
    return first[period] and (start.hour, start.minute, start.second) == (0, 0, 0)


def _spelt(length: Length) -> str:
    """With the unit in words where it is easily mistaken."""
    return f"{length.text} (minutes; a month is {length.number}M)" if length.unit == "m" else length.text


# Text ----------------------------------------------------------------------------------------------------------------


def _percentage(share: Decimal) -> str:
    """`0.995` as `99.5%`, exactly."""
    digits = f"{share * 100:f}"
    return f"{digits.rstrip('0').rstrip('.') if '.' in digits else digits}%"


def _placeheld(template: str, value: str | None, placeholder: str, meaning: str) -> Iterator[str]:
    """A line, under a comment where only its reader knows what belongs there."""
    if value is None:
        indent = len(template) - len(template.lstrip())
        yield from _comment(f"TO COMPLETE: {meaning}", indent)
    yield template.format(placeholder if value is None else _scalar(value))


def _comment(text: str, indent: int) -> Iterator[str]:
    """Whatever stands in the text, all of it stays behind a `#`."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    margin = " " * indent + "# "
    for line in textwrap.wrap(plain, _WIDTH - len(margin), break_long_words=False, break_on_hyphens=False):
        yield margin + line


def _scalar(text: str) -> str:
    """A value of a flow mapping that reads as this text and nothing else."""
    return text if re.fullmatch(r"\w[\w./-]*", text) else json.dumps(text, ensure_ascii=False)
