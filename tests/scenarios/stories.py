"""Reads and runs short stories about tickets and services, each with the numbers that the sentence it proves demands.

The stories stand in `timelines/*.yaml` and in the book (`docs/`); `docs/meaning/stories.md` says how to read and write
them. Every scalar is read as its text. What is compared is the JSON that a replay writes, and of it only what the story
names.
"""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import zip_longest
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
import yaml

from slamon import records
from slamon.agreement_files import Fault, load
from slamon.codec import Rejected, decode, format_instant, parse_instant
from slamon.domain.agreement import Agreement
from slamon.domain.decisions import AlertTransition, Statement
from slamon.domain.events import SECOND, Event
from slamon.replay import Replay

CUSTOMER = "acme"
KEYS = {"name", "agreement", "zone", "timeline", "until", "clocks", "standings", "statements", "alerts"}

TIME = r"(?:\d{4}-\d\d-\d\d )?\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?Z?"
LINE = re.compile(rf"(?P<first>{TIME})(?:\.\.(?P<last>{TIME}))? (?P<subject>\S+) (?P<rest>.+)")
EXCLUSION = re.compile(
    rf"(?P<exclusion>\S+) (?P<state>declared|cancelled)(?: (?P<reason>[a-z_]+))?"
    rf"(?: (?P<from>{TIME})\.\.(?P<to>{TIME}))?(?: announced (?P<announced_at>{TIME}))?(?: for (?P<service>\S+))?"
)
SERVICE = re.compile(
    r"(?P<status>up|degraded|down|unknown)(?: every (?P<every>\d+)s)?(?P<all> for everybody)?"
)
REQUESTS = re.compile(r"(?P<total>\d+) requests(?: (?P<bad>\d+) failed)? in (?P<length>\S+)")
ALERT = re.compile(rf"(?P<at>{TIME}) (?P<what>(?:fired|resolved) [^,]+)(?P<extras>(?:, [^,]+)*)")
DURATION = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s)?")
TICKET_WORDS = {"open": "status", "resolved": "status", "closed": "status", "cancelled": "status"}
TICKET_MEMBERS = {
    "priority",
    "service",
    "status",
    "waiting_on",
    "opened_at",
    "seq",
    "id",
    "customer",
    "reply",
}


@dataclass(frozen=True)
class Story:
    """`texts` is one scenario as written; `documents` are its agreements and calendars as YAML text.

    `pending`: its agreement uses an option that is refused as not built yet; once it is read, the mark has to go.
    """

    file: str
    texts: Mapping[str, Any]
    documents: str
    pending: bool = False

    def __str__(self) -> str:
        return f"{self.file}: {self.texts['name']}"

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.texts.get("zone", "UTC"))

    @property
    def days(self) -> list[str]:
        """The days that the timeline names, as they stand there."""
        lines = [*self.texts["timeline"], self.texts.get("until", "")]
        return [line[:10] for line in lines if re.match(r"\d{4}-\d\d-\d\d ", line)]

    @property
    def first_day(self) -> str:
        return self.days[0]


def stories(files: Iterable[Path]) -> Iterator[Story]:
    """All that stand in these files, as `timelines/*.yaml` do."""
    for path in files:
        file = yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader)
        yield from read_stories(path.stem, file["scenarios"], file)


def read_stories(
    called: str, scenarios: Iterable[Mapping[str, Any]], shared: Mapping[str, Any], *, pending: bool = False
) -> Iterator[Story]:
    """The `scenarios` of the file `called`; `shared` holds the `calendars` and `agreements` that it gives to all of them."""
    calendars = [{"kind": "Calendar", **one} for one in shared.get("calendars", [])]
    for texts in scenarios:
        assert texts.keys() <= KEYS, f"{called}, {texts['name']}: unknown {texts.keys() - KEYS}"
        written = texts["agreement"]
        if isinstance(written, str) and written in shared.get("agreements", {}):
            written = shared["agreements"][written]
        if not isinstance(written, str):
            several = written if isinstance(written, list) else [written]
            written = yaml.safe_dump_all([*map(completed, calendars), *map(completed, several)])
        yield Story(called, texts, written, pending)


def completed(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """A document may be written as its `spec` alone, with `name` beside it; what every scenario would repeat is added."""
    spec = {key: value for key, value in document.items() if key not in {"kind", "name"}}
    if document.get("kind") != "Calendar":
        spec = {"customer": CUSTOMER, "effective": {"from": "2026-01-01"}, **spec}
    name = {"name": document.get("name", "terms")}
    return {
        "apiVersion": "slamon/v1",
        "kind": document.get("kind", "Agreement"),
        "metadata": name,
        "spec": spec,
    }


# ------------------------------------------------------------------------------------------------------- the timeline


def instant(text: str, day: str, zone: ZoneInfo) -> int:
    """`2026-03-06 15:00` or `15:00` of that day, in the zone; with `Z` behind it in UTC."""
    assert re.fullmatch(TIME, text), f"{text!r} is no time: write 15:00 or 2026-03-06 15:00"
    local = datetime.fromisoformat((text if "-" in text else f"{day} {text}").removesuffix("Z"))
    at = local.replace(tzinfo=UTC if text.endswith("Z") else zone).astimezone(UTC)
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def events(story: Story) -> Iterator[Event]:
    """In the order of the lines, which is the order of arrival."""
    day = story.first_day
    for number, line in enumerate(story.texts["timeline"], start=1):
        if line.startswith("{"):
            yield decoded(line.encode(), line)
            continue
        found = LINE.fullmatch(line)
        assert found, f"{line!r}: write `<time> <ticket, service or exclusion> <what happened>`"
        day = found["first"][:10] if "-" in found["first"] else day
        at = instant(found["first"], day, story.zone)
        members = event_members(found["subject"], found["rest"], day, story.zone)
        step = int(members.get("interval_seconds", members.get("seconds", 0)) * SECOND)
        last = instant(found["last"], day, story.zone) if found["last"] else at
        assert last == at or step, f"{line!r}: a span of time needs `every …s` or `in …`"
        for index, each in enumerate(range(at, last + 1, step or 1)):
            whole = {"id": f"e{number:03}-{index:05}", "time": format_instant(each)} | members
            yield decoded(orjson.dumps(whole), line)


def decoded(text: bytes, line: str) -> Event:
    event = decode(text, now=None)
    assert not isinstance(event, Rejected), f"{line!r}: {event.detail}"
    return event


def event_members(subject: str, rest: str, day: str, zone: ZoneInfo) -> dict[str, Any]:
    if subject == "exclusion":
        found = EXCLUSION.fullmatch(rest)
        assert found, f"{rest!r}: write `CHG-7 declared maintenance 10:00..11:00 announced … for …`"
        said = {key: value for key, value in found.groupdict().items() if value is not None}
        for key in said.keys() & {"from", "to", "announced_at"}:
            said[key] = format_instant(instant(said[key], day, zone))
        return {"type": "exclusion", "customer": CUSTOMER, **said}
    if found := SERVICE.fullmatch(rest):
        whose = {} if found["all"] else {"customer": CUSTOMER}
        beat = {"interval_seconds": int(found["every"])} if found["every"] else {}
        return {"type": "availability", "service": subject, "status": found["status"], **whose, **beat}
    if found := REQUESTS.fullmatch(rest):
        counts = {"total": int(found["total"]), "bad": int(found["bad"] or 0)}
        length = {"seconds": float(seconds(found["length"]))}
        return {"type": "requests", "customer": CUSTOMER, "service": subject, **counts, **length}
    return {"type": "ticket", "customer": CUSTOMER, "ticket": subject, **ticket_members(rest, day, zone)}


def ticket_members(rest: str, day: str, zone: ZoneInfo) -> dict[str, Any]:
    members: dict[str, Any] = {}
    rest = re.sub(r"\bwaiting on (\S+)", r"status=waiting waiting_on=\1", rest)
    rest = re.sub(r"\b(agent|customer) replied\b", r"reply=\1", rest)
    rest = re.sub(r"\b(?<!=)(?:opened|reopened)\b(?!_)", "open", rest)
    rest = re.sub(r"(?<!\S)(open|waiting|resolved|closed|cancelled)(?!\S)", r"status=\1", rest)
    rest = re.sub(
        rf"opened_at=({TIME})", lambda at: f"opened_at={format_instant(instant(at[1], day, zone))}", rest
    )
    for word in rest.split():
        key, said, value = word.partition("=")
        assert said, f"{word!r}: write a status, `agent replied`, `customer replied` or `member=value`"
        if key in TICKET_MEMBERS:
            members[key] = int(value) if key == "seq" else value
        else:
            members.setdefault("attributes", {})[key] = value
    return members


# ------------------------------------------------------------------------------------------------------ the comparison


@dataclass(frozen=True)
class Verdicts:
    """What the replay of a story gave, as the JSON it would write."""

    clocks: list[dict[str, Any]]
    standings: list[dict[str, Any]]
    statements: list[dict[str, Any]]
    alerts: list[dict[str, Any]]


def verdicts(story: Story, agreements: Sequence[Agreement]) -> Verdicts:
    until = story.texts.get("until")
    alerts: list[AlertTransition] = []
    statements: list[Statement] = []
    replay = Replay(
        agreements,
        until=None if until is None else instant(until, story.days[-1], story.zone),
        on_alert=alerts.append,
        on_statement=statements.append,
    )
    for event in events(story):
        replay.feed(event)
    monitor = replay.finish()
    assert not replay.counts["after_until"], "the timeline goes on after `until`"

    def read(lines: Iterator[bytes]) -> list[dict[str, Any]]:
        return [json.loads(line, parse_float=Decimal) for line in lines]

    return Verdicts(
        read(records.clock_record(clock) for clock in monitor.clocks()),
        read(records.standing_record(standing) for standing in monitor.standings()),
        read(
            records.statement_record(statement, history=True)
            for statement in sorted(statements, key=records.statement_key)
        ),
        read(records.alert_record(alert, None) for alert in alerts),
    )


def differing(story: Story, got: Verdicts) -> Iterator[tuple[str, str]]:
    """Pairs of lines: as expected, as it came."""
    for kind, found in (("clocks", got.clocks), ("standings", got.standings), ("statements", got.statements)):
        for words, expected in story.texts.get(kind, {}).items():
            meant = [record for record in found if set(words.split()) <= identity(record, story.zone)]
            if not re.search(r"\br\d+$", words):  # the newest revision of each
                meant = list({str({**one.get("period", one)}): one for one in meant}.values())
            if expected == "none" or len(meant) != 1:
                how_many = {"none": "none"}.get(expected, "one") if isinstance(expected, str) else "one"
                yield (
                    f"{words}: {how_many}",
                    f"{words}: {('none', 'one')[len(meant)] if len(meant) < 2 else 'several'}",
                )
            else:
                yield from compared(words, expected, meant[0], story)
    if "alerts" in story.texts:
        day = story.first_day
        found = sorted(got.alerts, key=as_announced)
        for text, alert in zip_longest(story.texts["alerts"], found):
            line, day = ("", day) if text is None else normal_alert(text, day, story.zone)
            yield line, "" if alert is None else shown_alert(alert, line, story.zone)


def as_announced(alert: Mapping[str, Any]) -> tuple[str, ...]:
    """At one instant what resolves comes before what fires."""
    labels = alert["labels"]
    order = "1" if alert["transition"] == "fired" else "0"
    return (alert["detected_at"], alert["at"], order, labels["alertname"], labels["objective"], alert["id"])


def identity(record: Mapping[str, Any], zone: ZoneInfo) -> set[str]:
    names = {
        str(record[key])
        for key in ("customer", "agreement", "objective", "measure", "ticket")
        if key in record
    }
    if "cycle" in record:
        names.add(f"cycle-{record['cycle']}")
    if "period" in record:
        names.add(told(parse_instant(record["period"]["from"]), zone)[:10])
    return names | ({f"r{record['revision']}"} if "revision" in record else set())


def compared(path: str, expected: Any, actual: Any, story: Story) -> Iterator[tuple[str, str]]:
    if isinstance(expected, Mapping):
        assert isinstance(actual, Mapping) or actual is None, f"{path} has no members"
        for key, value in expected.items():
            assert actual is None or key in actual, f"{path} has no member {key!r}, but {', '.join(actual)}"
            yield from compared(f"{path} {key}", value, None if actual is None else actual[key], story)
    else:
        yield f"{path}: {normal(expected, story)}", f"{path}: {shown(actual, expected, story)}"


def normal(text: str, story: Story) -> str:
    if re.fullmatch(TIME, text):
        return told(instant(text, story.first_day, story.zone), story.zone)
    return lasting(seconds(text)) if text and DURATION.fullmatch(text) else text


def shown(value: Any, like: str, story: Story) -> str:
    """In the notation in which the expectation is written."""
    if value is None:
        return "none"
    if isinstance(value, str):
        return told(parse_instant(value), story.zone) if re.match(r"\d{4}-\d\d-\d\dT", value) else value
    if like.endswith("%"):
        decimals = len(like.rstrip("%").partition(".")[2])
        return f"{round(Decimal(value) * 100, decimals):f}%"
    return lasting(Decimal(value)) if like and DURATION.fullmatch(like) else str(value)


def told(at: int, zone: ZoneInfo) -> str:
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)).astimezone(zone)
    clock = local.strftime("%H:%M:%S.%f" if local.microsecond else "%H:%M:%S" if local.second else "%H:%M")
    return f"{local:%Y-%m-%d} {clock}"


def seconds(text: str) -> Decimal:
    found = DURATION.fullmatch(text)
    assert found
    return sum(
        (Decimal(part or 0) * unit for part, unit in zip(found.groups(), (86400, 3600, 60, 1), strict=True)),
        Decimal(0),
    )


def lasting(length: Decimal) -> str:
    minutes, rest = divmod(length, 60)
    parts = ((minutes // 60, "h"), (minutes % 60, "m"), (rest, "s"))
    return "".join(f"{count.normalize():f}{unit}" for count, unit in parts if count) or "0s"


def normal_alert(text: str, day: str, zone: ZoneInfo) -> tuple[str, str]:
    found = ALERT.fullmatch(text)
    assert found, f"{text!r}: write `11:30 fired SlaTicketAtRisk 75% P-1 (p1)`"
    day = found["at"][:10] if "-" in found["at"] else day
    extras = [
        f"detected {told(instant(extra[9:], day, zone), zone)}" if extra.startswith("detected ") else extra
        for extra in found["extras"].split(", ")[1:]
    ]
    return ", ".join([f"{told(instant(found['at'], day, zone), zone)} {found['what']}", *extras]), day


def shown_alert(alert: Mapping[str, Any], like: str, zone: ZoneInfo) -> str:
    """Why it resolved, whether it was late and who else is told is always said, the rest if the expectation says it."""
    labels = alert["labels"]
    said = [
        alert["transition"],
        labels["alertname"],
        labels.get("step"),
        labels.get("ticket"),
        f"({labels['objective']})",
    ]
    first = " ".join([told(parse_instant(alert["at"]), zone), *filter(None, said)])
    always = {alert["reason"]} if alert["transition"] == "resolved" else set()
    always |= {"late"} if alert["late"] else set()
    told_too = alert["annotations"].get("escalate_to")
    if told_too is not None and alert["transition"] == "fired":
        always.add(f"escalated to {told_too.replace(', ', ' and ')}")
    known = f"detected {told(parse_instant(alert['detected_at']), zone)}"
    possible = {alert["reason"], labels["severity"], f"episode {alert['episode']}", known} | always
    wanted = like.split(", ")[1:]
    return ", ".join([first, *(one for one in wanted if one in possible), *sorted(always - set(wanted))])


# ----------------------------------------------------------------------------------------------------------- the proof


def prove(story: Story, folder: Path) -> None:
    """Fails with what was expected and what came, or if the story is pending though its agreement can be read."""
    file = folder / "agreement.yaml"
    file.write_text(story.documents, encoding="utf-8")
    loaded = load([file])
    if story.pending:
        faults_are_pending(loaded.faults)
        return
    assert not loaded.faults, "\n".join(str(fault) for fault in loaded.faults)
    got = verdicts(story, loaded.agreements)
    pairs = list(differing(story, got))
    expectations = story.texts.keys() & {"clocks", "standings", "statements", "alerts"}
    assert expectations, "this scenario expects nothing"
    if any(expected != actual for expected, actual in pairs):
        diff = "\n".join(difflib.ndiff([one for one, _ in pairs if one], [one for _, one in pairs if one]))
        everything = [*got.clocks, *got.standings, *got.statements, *got.alerts]
        whole = "\n".join(json.dumps(record, default=str) for record in everything)
        pytest.fail(
            f"{story.texts['name']}\n\n- expected, + came\n{diff}\n\nall that came:\n{whole}", pytrace=False
        )


def faults_are_pending(faults: Sequence[Fault]) -> None:
    """Passes if options that are not built yet are all that is wrong."""
    assert faults, "this can be read now: take away the word `pending`"
    others = [str(fault) for fault in faults if "is not built yet" not in fault.message]
    assert not others, "\n".join(others)
