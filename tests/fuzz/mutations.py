"""Records that a sender gone wrong might write: events of a small world, most of them mutated once to three times.

Two kinds of damage: to the values, where the record stays JSON, and to the bytes, where it need not. A third of the records
are left whole, so that the state behind the codec is full of facts when the damaged ones meet it.
"""

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from slamon.codec import format_instant
from slamon.domain.events import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    ExclusionReason,
    ExclusionState,
    Reply,
    ServiceStatus,
    TicketStatus,
)

Headers = tuple[tuple[str, bytes | None], ...]
Members = dict[str, Any]

WHOLE = 1 / 3  # of the records
BROKEN = 1 / 4  # of the others are damaged byte by byte
AGAIN = 1 / 30  # of the records came before
BINARY = 1 / 20  # of the records are in the binary binding of CloudEvents
EVIL: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63 - 1, 2**63, -(2**63), 2**64, 1e308, -0.0, 1e-300, 0.1,
    "", " ", "\x00", "null", "NaN", "-", "0", "é" * 700, "\u202e", "😀" * 3, "a" * 1025, "/", "--", "x" * 70_000,
    [], [[]], {}, {"": ""}, {"a": {"b": {"c": None}}}, ["a"] * 50, {str(n): str(n) for n in range(50)},
    "2026-06-01T00:00:00Z", "2026-06-01T00:00:00", "2026-06-01t00:00:00.1234567z", "2026-06-01T24:00:00Z",
    "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999Z", "2016-12-31T23:59:60Z", "2026-02-30T00:00:00Z",
    "2100-12-31T23:59:59Z", "2026-03-29T02:30:00+01:00", "-2026-06-01T00:00:00Z", "٢٠٢٦-06-01T00:00:00Z",
)  # fmt: skip
EVIL_TEXTS = (
    b"NaN", b"Infinity", b"-Infinity", b"1e400", b"1e-400", b"-0", b"00", b"1.", b".1", b"1e999999999", b"0x10",
    b"9" * 400, b"0." + b"0" * 400 + b"1", b'"\\ud800"', b'"\\u0000"', b'"\xff"', b"'a'", b"tru", b"[" * 1500, b'{"a":' * 1500,
    b"/**/1", b"\xef\xbb\xbf1", b"{,}", b'{"a":1,}', b"\x00",
)  # fmt: skip
NAMES = (
    "id", "type", "time", "customer", "seq", "ticket", "status", "waiting_on", "priority", "service", "reply", "opened_at",
    "attributes", "interval_seconds", "total", "bad", "seconds", "exclusion", "state", "reason", "from", "to",
    "announced_at", "approved_by", "evidence", "specversion", "source", "data", "datacontenttype", "subject",
)  # fmt: skip


class World:
    """Whom the events are about. `customers`: id → its services, as agreements know them, and whatever else there is."""

    def __init__(self, chance: random.Random, customers: dict[str, tuple[str, ...]], tickets: int) -> None:
        self._chance = chance
        self._customers = customers
        self._names = sorted(customers)
        self._tickets = tickets
        self._number = 0

    def records(self, now: Callable[[], int]) -> Iterator[tuple[bytes | None, Headers]]:
        """Value and headers, without end. `now`: the wall clock, in microseconds."""
        chance = self._chance
        recent: list[tuple[bytes | None, Headers]] = [(None, ())] * 200
        while True:
            record = self._record(now()) if chance.random() >= AGAIN else chance.choice(recent)
            recent[chance.randrange(len(recent))] = record
            yield record

    def _record(self, now: int) -> tuple[bytes | None, Headers]:
        chance = self._chance
        members = self._event(now)
        if chance.random() < WHOLE:
            return self._written(members)
        for _ in range(chance.randint(0, 2)):
            _spoil(members, chance)
        value, headers = self._written(members)
        if chance.random() < BROKEN:
            for _ in range(chance.randint(1, 3)):
                value = chance.choice(_DAMAGES)(value, chance)
        return (None if chance.random() < 0.001 else value), headers

    def _written(self, members: Members) -> tuple[bytes, Headers]:
        chance = self._chance
        if chance.random() >= BINARY:
            return json.dumps(members, ensure_ascii=False).encode(), ()
        context = {"specversion": "1.0", "source": "fuzz"} | {
            name: members.pop(name) for name in ("id", "type", "time", "customer", "seq") if name in members
        }
        headers = [(f"ce_{name}", _text(value).encode()) for name, value in context.items()]
        if chance.random() < 0.2:
            headers[chance.randrange(len(headers))] = (chance.choice(headers)[0], chance.randbytes(5))
        return json.dumps(members, ensure_ascii=False).encode(), tuple(headers)

    def _event(self, now: int) -> Members:
        chance = self._chance
        self._number += 1
        # One in ten takes the id of another, which makes it a repetition or a contradiction.
        number = self._number - chance.randrange(50) if chance.random() < 0.1 else self._number
        at = now + chance.choice(
            (0, 0, 0, -SECOND, -MINUTE, -HOUR, -DAY, -40 * DAY, -120 * DAY, 30 * MINUTE, 2 * HOUR)
        )
        customer = chance.choice(self._names)
        event: Members = {"id": f"e{number}", "time": format_instant(at), "customer": customer}
        if chance.random() < 0.1:
            event["seq"] = chance.randrange(5)
        kind = chance.choices(
            (self._ticket, self._availability, self._requests, self._exclusion), (8, 4, 2, 1)
        )[0]
        event |= kind(at, self._customers[customer])
        if chance.random() < 0.05:
            event |= {"specversion": "1.0", "source": "fuzz"}
            if chance.random() < 0.5:
                event["data"] = {
                    name: event.pop(name) for name in list(event) if name not in ("id", "type", "specversion")
                }
        return event

    def _ticket(self, at: int, services: tuple[str, ...]) -> Members:
        chance = self._chance
        said = {
            "status": chance.choice(tuple(TicketStatus)).value,
            "waiting_on": chance.choice(("customer", "supplier", "third_party", "internal", "parts")),
            "priority": chance.choice(("P1", "P2", "P3", "1", "urgent")),
            "service": chance.choice(services),
            "reply": chance.choice(tuple(Reply)).value,
            "opened_at": format_instant(at - chance.randrange(3 * DAY)),
            "attributes": {"region": chance.choice(("eu", "us")), "tier": "gold"},
        }
        named = {name: value for name, value in said.items() if chance.random() < 0.4}
        return {"type": "ticket", "ticket": f"T-{chance.randrange(self._tickets)}", **named}

    def _availability(self, at: int, services: tuple[str, ...]) -> Members:
        del at
        chance = self._chance
        event: Members = {
            "type": "availability",
            "service": chance.choice(services),
            "status": chance.choice(tuple(ServiceStatus)).value,
        }
        if chance.random() < 0.5:
            event["interval_seconds"] = chance.choice((1, 60, 0.5, 3600, 90))
        return event

    def _requests(self, at: int, services: tuple[str, ...]) -> Members:
        del at
        chance = self._chance
        total = chance.choice((0, 1, 100, 10**6, 2**62, 2**63 - 1))
        return {
            "type": "requests",
            "service": chance.choice(services),
            "total": total,
            "bad": chance.choice((0, total // 100, total)),
            "seconds": chance.choice((60, 300, 0.25)),
        }

    def _exclusion(self, at: int, services: tuple[str, ...]) -> Members:
        chance = self._chance
        start = at + chance.randrange(-DAY, 5 * DAY)
        event: Members = {
            "type": "exclusion",
            "exclusion": f"X-{chance.randrange(20)}",
            "state": chance.choice(tuple(ExclusionState)).value,
            "reason": chance.choice(tuple(ExclusionReason)).value,
            "from": format_instant(start),
            "to": format_instant(start + chance.choice((1, MINUTE, HOUR, 30 * DAY))),
            "announced_at": format_instant(at),
        }
        return event if chance.random() < 0.3 else {**event, "service": chance.choice(services)}


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _spoil(members: Members, chance: random.Random) -> None:
    """One value becomes another, or goes to another name."""
    name = chance.choice(tuple(members) or NAMES)
    match chance.randrange(4):
        case 0:
            members.pop(name, None)
        case 1:
            members[name] = chance.choice(EVIL)
        case 2:
            members[chance.choice(NAMES)] = members.get(name)
        case _:
            members[chance.choice(NAMES)] = chance.choice(EVIL)


def _flip(value: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(value) + 1)
    return value[:at] + bytes([chance.randrange(256)]) + value[at + 1 :]


def _cut(value: bytes, chance: random.Random) -> bytes:
    return value[: chance.randrange(len(value) + 1)]


def _drop(value: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(value) + 1)
    return value[:at] + value[at + chance.randrange(1, 9) :]


def _repeat(value: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(value) + 1)
    some = value[at : at + chance.randrange(1, 40)]
    return value[:at] + some * chance.choice((2, 3, 30)) + value[at:]


def _insert(value: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(value) + 1)
    return value[:at] + chance.choice(EVIL_TEXTS) + value[at:]


def _replace_a_value(value: bytes, chance: random.Random) -> bytes:
    """What stands after a colon becomes something that need not be JSON."""
    pieces = value.split(b":")
    at = chance.randrange(len(pieces))
    tail = pieces[at].partition(b",")
    pieces[at] = chance.choice(EVIL_TEXTS) + tail[1] + tail[2]
    return b":".join(pieces)


def _blow_up(value: bytes, chance: random.Random) -> bytes:
    """Rare, for it is dear: around the largest record that is read."""
    return (
        value
        if chance.random() > 0.002
        else value + b" " * (1_000_000 - len(value) + chance.choice((-1, 0, 1, 10)))
    )


_DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flip, _flip, _cut, _drop, _repeat, _insert, _replace_a_value, _blow_up,
)  # fmt: skip
