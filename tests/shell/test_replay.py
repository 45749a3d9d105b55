"""`slamon replay` and its bound on memory: what is forgotten, what it is remembered by, and what is left behind."""

import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from itertools import count
from pathlib import Path

import pytest
from click.testing import CliRunner

from slamon.agreement_files import load
from slamon.cli import main
from slamon.codec import encode
from slamon.domain.agreement import Agreement
from slamon.domain.events import DAY, HOUR, MINUTE, Event, TicketEvent, TicketStatus
from slamon.overflow import MEBIBYTE, Memory, Room, Shelf, peak, temporary_folder
from slamon.replay import Replay, replay_file

MONDAY = 20_514 * DAY  # 2026-03-02
AGREEMENT = """\
apiVersion: slamon/v1
kind: Agreement
metadata: {name: acme}
spec:
  customer: acme
  effective: {from: 2026-03-01}
  timeZone: UTC
  objectives:
    - name: resolution
      ticketClock: {measure: resolution, calendar: always, target: 2h, warnAt: [50%]}
"""


def exhausted() -> Memory:
    """Too much is in use whenever it is asked, and it is asked at every event."""
    return Memory(0, every=1, peak=count(1).__next__)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "agreement.yaml"
    path.write_text(AGREEMENT, encoding="utf-8")
    return path


@pytest.fixture
def agreements(file: Path) -> tuple[Agreement, ...]:
    return load([file]).agreements


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    kept = Shelf(tmp_path)
    yield kept
    kept.close()


def told(
    identity: str, minutes: int, status: TicketStatus | None = None, opened_at: int | None = None
) -> TicketEvent:
    at = MONDAY + minutes * MINUTE
    return TicketEvent(
        id=identity, time=at, customer="acme", ticket="T-1", status=status, opened_at=opened_at
    )


OPENED = told("opened", 0, TicketStatus.OPEN)
RESOLVED = told("resolved", 150, TicketStatus.RESOLVED)


def fed(agreements: tuple[Agreement, ...], shelf: Shelf, events: Iterable[Event]) -> Replay:
    replay = Replay(agreements, shelf=shelf, memory=exhausted())
    for event in events:
        replay.feed(event)
    return replay


def held(replay: Replay) -> list[str]:
    return list(replay.monitor.customers["acme"].tickets)


def test_a_ticket_is_forgotten_once_it_is_resolved_and_not_before(
    agreements: tuple[Agreement, ...], shelf: Shelf
) -> None:
    replay = fed(agreements, shelf, [OPENED])
    assert held(replay) == ["T-1"]
    replay.feed(RESOLVED)
    assert held(replay) == []
    (clock,) = shelf.clocks()
    assert (clock.ticket, clock.elapsed) == ("T-1", 150 * MINUTE)


def test_a_ticket_whose_opening_lies_ahead_is_not_forgotten(
    agreements: tuple[Agreement, ...], shelf: Shelf
) -> None:
    replay = fed(agreements, shelf, [told("planned", 0, opened_at=MONDAY + HOUR)])
    assert held(replay) == ["T-1"]


def test_what_a_forgotten_ticket_came_to_stays_counted(
    agreements: tuple[Agreement, ...], shelf: Shelf
) -> None:
    (standing,) = fed(agreements, shelf, [OPENED, RESOLVED]).finish().standings()
    assert standing.tickets is not None
    assert (standing.tickets.met, standing.tickets.missed) == (0, 1)


@pytest.mark.parametrize(
    "again",
    [
        pytest.param(told("reopened", 200, TicketStatus.OPEN), id="reopened"),
        pytest.param(told("in time", 90, TicketStatus.RESOLVED), id="late"),
    ],
)
def test_a_forgotten_ticket_that_is_heard_of_again_goes_on_as_if_it_had_never_been_away(
    agreements: tuple[Agreement, ...], tmp_path: Path, again: TicketEvent
) -> None:
    later = told("closed", 400, TicketStatus.CLOSED)
    events = tmp_path / "events.ndjson"
    events.write_bytes(b"".join(encode(event) + b"\n" for event in (OPENED, RESOLVED, again, later)))
    outputs = []
    for name, memory in (("bounded", exhausted()), ("free", Memory(peak=lambda: 0))):
        summary = replay_file(agreements, events, tmp_path / name, memory=memory)
        outputs.append([summary, *(path.read_bytes() for path in sorted((tmp_path / name).iterdir()))])
    assert outputs[0] == outputs[1]


def test_a_forgotten_ticket_knows_what_it_has_heard_before(
    agreements: tuple[Agreement, ...], shelf: Shelf
) -> None:
    contradicting = told("resolved", 10, TicketStatus.RESOLVED)
    replay = fed(agreements, shelf, [OPENED, RESOLVED, OPENED, contradicting])
    assert replay.counts == {"accepted": 2, "duplicate": 1, "conflicting_duplicate": 1}
    assert held(replay) == []


# ----------------------------------------------------------------------------------------------------- temporary files


def many(tickets: int, text: str = "") -> Iterator[TicketEvent]:
    """Opened one a minute, each resolved an hour later."""
    resolved = iter(range(tickets))
    for number in range(tickets + 60):
        time = MONDAY + number * MINUTE
        if number < tickets:
            yield TicketEvent(
                f"{number}/1",
                time,
                "acme",
                f"T-{number}",
                status=TicketStatus.OPEN,
                attributes={"text": text},
            )
        if number >= 60:
            name = next(resolved)
            yield TicketEvent(f"{name}/2", time, "acme", f"T-{name}", status=TicketStatus.RESOLVED)


@pytest.mark.parametrize("stopped_by", [None, OSError, KeyboardInterrupt])
def test_temporary_files_stand_beside_the_output_and_are_gone_afterwards(
    agreements: tuple[Agreement, ...], tmp_path: Path, stopped_by: type[BaseException] | None
) -> None:
    events, out = tmp_path / "events.ndjson", tmp_path / "out"
    events.write_bytes(b"".join(encode(event) + b"\n" for event in many(100)))
    seen: set[str] = set()
    lines = count(1)

    def progress(_: int) -> None:
        seen.update(str(path.relative_to(out)) for path in out.rglob("*"))
        if next(lines) == 200 and stopped_by is not None:
            raise stopped_by

    with nullcontext() if stopped_by is None else pytest.raises(stopped_by):
        replay_file(agreements, events, out, memory=exhausted(), progress=progress)
    names = ("alerts", "clocks", "standings", "statements", "credits", "rejected")
    outputs = {f"{name}.ndjson" for name in names}
    assert {path.name for path in out.iterdir()} == outputs
    assert {Path(name).name for name in seen - outputs} >= {"tickets"}


def test_a_temporary_file_that_cannot_be_written_is_told_like_any_other(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="database or disk is full"), temporary_folder(tmp_path):
        raise sqlite3.OperationalError("database or disk is full")
    assert list(tmp_path.iterdir()) == []


# -------------------------------------------------------------------------------------------------------------- memory


def test_the_peak_is_in_bytes() -> None:
    pages = Path("/proc/self/statm")
    if not pages.exists():
        pytest.skip("NOT CHECKED: this system does not tell what a process holds now")
    holds = int(pages.read_text(encoding="ascii").split()[1]) * resource.getpagesize()
    assert peak() * 2 > holds > peak() // 1024


def test_a_room_is_full_when_it_holds_what_it_held_before_memory_was_exceeded() -> None:
    in_use = 50
    room = Room(Memory(100, peak=lambda: in_use))
    assert not room.is_full(10)
    in_use = 101
    assert room.is_full(20)
    room.emptied()
    assert not room.is_full(9)
    assert room.is_full(10)
    room.emptied()
    in_use = 102
    assert room.is_full(5)


def test_a_room_of_what_must_stay_is_not_looked_through_again_until_it_holds_a_quarter_more() -> None:
    room = Room(exhausted())
    assert room.is_full(100)
    room.emptied(100)
    assert not room.is_full(124)
    assert room.is_full(125)


def test_the_unit_of_the_bound_is_told() -> None:
    text = CliRunner().invoke(main, ["replay", "--help"], terminal_width=200).output
    assert "--memory MIB" in text
    assert "in MiB" in text
    assert "default: 1024" in text


MEASURED = """\
import sys
from slamon.cli import main
from slamon.overflow import peak
main(sys.argv[1:], standalone_mode=False)
print(peak())
"""
# The first program of a process inherits the peak of who started it, on Linux: so a shell is started, and starts ours.
CLEAN = ("/bin/sh", "-c", '"$@"; exit $?', "sh")


def peak_of(file: Path, events: Path, memory: int, *options: str) -> int:
    """Bytes that a replay with `--memory` (MiB) had in use at most."""
    arguments = [
        "replay", f"--agreements={file}", f"--events={events}", f"--out={events.parent / 'out'}", f"--memory={memory}", *options
    ]  # fmt: skip
    done = subprocess.run(
        [*CLEAN, sys.executable, "-c", MEASURED, *arguments], capture_output=True, check=True, text=True
    )
    return int(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("options", [[], ["--sort"]], ids=["as it arrived", "sorted"])
def test_memory_stays_near_the_bound_where_without_one_it_would_not(
    file: Path, tmp_path: Path, options: list[str]
) -> None:
    few, events = tmp_path / "few.ndjson", tmp_path / "events.ndjson"
    few.write_bytes(b"".join(encode(event) + b"\n" for event in many(10)))
    events.write_bytes(b"".join(encode(event) + b"\n" for event in many(6_000, "long" * 1000)))
    room = 16 * MEBIBYTE
    limit = peak_of(file, few, 1024) // MEBIBYTE + 8
    assert peak_of(file, events, limit, *options) < limit * MEBIBYTE + room
    assert peak_of(file, events, 1024, *options) > limit * MEBIBYTE + 2 * room


# ------------------------------------------------------------------------------------------------- what users bring along


def run(file: Path, events: bytes, *options: str) -> tuple[int, str]:
    """Exit code, and everything that is printed."""
    written = file.with_name("brought.ndjson")
    written.write_bytes(events)
    arguments = [
        "replay",
        "--agreements",
        str(file),
        "--events",
        str(written),
        "--out",
        str(file.parent / "out"),
    ]
    result = CliRunner().invoke(main, [*arguments, *options])
    return result.exit_code, result.output


def test_the_mark_that_some_editors_put_first_loses_no_event(file: Path) -> None:
    code, printed = run(file, b"\xef\xbb\xbf" + encode(OPENED) + b"\r\n" + encode(RESOLVED) + b"\r\n")
    assert code == 0
    assert "events: 2 accepted\n" in printed


def test_late_events_are_among_those_that_were_accepted(file: Path) -> None:
    _, printed = run(file, encode(RESOLVED) + b"\n" + encode(OPENED) + b"\n")
    assert "events: 2 accepted (1 of them late)\n" in printed


def test_an_event_after_all_calendars_stops_nothing_and_is_told(file: Path) -> None:
    text = encode(RESOLVED).replace(b'"2026-', b'"9999-')
    code, printed = run(file, encode(OPENED) + b"\n" + text + b"\n")
    assert code == 0
    assert "events: 1 accepted\ncannot be events: 1 in_the_future; see rejected.ndjson\n" in printed


def test_an_instant_after_all_calendars_cannot_be_asked_about(file: Path) -> None:
    code, printed = run(file, encode(OPENED) + b"\n", "--until", "2101-01-01T00:00:00Z")
    assert code == 2
    assert "'2101-01-01T00:00:00Z' is after the year 2100: nothing can be judged then" in " ".join(
        printed.split()
    )


def test_a_file_without_any_event_is_a_failure(file: Path) -> None:
    code, printed = run(file, b"this is no JSON\n")
    assert code == 1
    assert "brought.ndjson: not one line of it is an event" in printed
