"""What needs neither Kafka nor a loop: decoding, judging a file of events, business time."""

import random
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from importlib.metadata import version
from itertools import islice
from pathlib import Path

import orjson

from slamon.codec import decode, encode
from slamon.domain.calendars import Calendar
from slamon.domain.events import DAY, SECOND, TicketEvent
from slamon.replay import replay_file
from tests.benchmarks import stream
from tests.benchmarks.measuring import US, Effort, LeftOut, Row, in_turn

EPOCH = datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None)


def decoding(effort: Effort) -> Iterator[Row]:
    lines = [encode(event) for event in islice(stream.events(), effort.of(200_000))]

    def ours() -> None:
        for line in lines:
            decode(line, now=None)

    def baseline() -> None:
        for line in lines:
            orjson.loads(line)

    taken, bare = in_turn(ours, baseline, effort.runs)
    yield Row("decode", len(lines) / taken, len(lines) / bare, "events/s", "orjson.loads")


def replay(effort: Effort) -> Iterator[Row]:
    """The reference stream, or its beginning."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "events.ndjson"
        count = effort.of(stream.REFERENCE)
        tickets = set()
        with file.open("wb") as out:
            for event in islice(stream.events(), count):
                out.write(encode(event) + b"\n")
                if isinstance(event, TicketEvent):
                    tickets.add((event.customer, event.ticket))
        agreements = stream.agreements(Path(folder))

        def baseline() -> None:
            with file.open("rb") as lines:
                for line in lines:
                    orjson.loads(line)

        taken, bare = in_turn(
            lambda: replay_file(agreements, file, Path(folder) / "out"), baseline, min(effort.runs, 2)
        )
        what = f"replay of {count:,} events, {len(tickets):,} tickets"
        yield Row(what, count / taken, count / bare, "events/s", "reading the file, orjson.loads")


def business_time(effort: Effort) -> Iterator[Row]:
    """Questions that span a year; the answers must be the same."""
    try:
        # Not a dependency of slamon: only compared with here.
        from timegrid import TimeGridCalendar  # type: ignore[import-untyped,unused-ignore]  # - it ships no types, and need not be there
    except ImportError:
        raise LeftOut("timegrid, with which business time is compared, is not installed") from None
    against = f"timegrid {version('timegrid')}"
    calendar = Calendar.weekly("office", "UTC", dict.fromkeys(range(5), ((9 * 60, 17 * 60),)))
    theirs = TimeGridCalendar.weekdays(time_of_day(9), time_of_day(17))
    timeline = theirs.compile(_datetime(stream.START), _datetime(stream.START + 800 * DAY))
    chance = random.Random(1)
    starts = [stream.START + chance.randrange(300 * DAY // SECOND) * SECOND for _ in range(effort.of(5_000))]
    spans = [(start, start + 365 * DAY) for start in starts]
    work = 2_080 * 3_600 * SECOND  # 52 weeks of 40 hours
    their_spans = [(_datetime(start), _datetime(end)) for start, end in spans]
    their_work = timedelta(hours=2_080)

    def ours_elapsed() -> list[int]:
        return [calendar.elapsed(start, end) for start, end in spans]

    def their_elapsed() -> list[timedelta]:
        return [timeline.get_working_duration(start, end) for start, end in their_spans]

    def ours_add() -> list[int]:
        return [calendar.add(start, work) for start in starts]

    def their_add() -> list[datetime]:
        return [theirs.add_work_duration(start, their_work) for start, _ in their_spans]

    assert ours_elapsed() == [span // timedelta(microseconds=1) for span in their_elapsed()]
    assert [_datetime(at) for at in ours_add()] == their_add()
    questions: tuple[tuple[str, Callable[[], object], Callable[[], object]], ...] = (
        ("elapsed over a year", ours_elapsed, their_elapsed),
        ("add a year's hours", ours_add, their_add),
    )
    for what, ours, baseline in questions:
        taken, bare = in_turn(ours, baseline, effort.runs)
        each = US / len(starts)
        yield Row(f"business time: {what}", taken * each, bare * each, "µs", against, faster_when_more=False)


def _datetime(at: int) -> datetime:
    """As timegrid takes them: without a zone."""
    return EPOCH + timedelta(microseconds=at)
