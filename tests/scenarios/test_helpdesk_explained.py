"""Three of the help desk's tickets, explained, and counted by hand from the rows of the log.

The desk is open Monday to Friday from 9 to 13 and from 14 to 18, Rome time.
"""

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from slamon.agreement_files import load
from slamon.codec import encode, parse_instant
from slamon.explain import answers
from slamon.explain.answers import Form
from slamon.explain.gathering import Source
from tests.scenarios.converters import help_desk_events, help_desk_rows

TERMS = Path(__file__).parent / "agreements" / "helpdesk.yaml"


class Explained(NamedTuple):
    page: str  # with single spaces, wherever its lines break
    clocks: dict[tuple[str, str], Any]  # by agreement and measure


def explained(
    recordings: Path, folder: Path, ticket: str, customer: str, until: int | None = None
) -> Explained:
    rows = [row for row in help_desk_rows(recordings / "tickets" / "helpdesk.csv.gz") if row.ticket == ticket]
    file = folder / "events.ndjson"
    file.write_bytes(b"".join(encode(event) + b"\n" for event in help_desk_events(rows)))
    agreements = [replace(one, customer=customer) for one in load([TERMS]).agreements]
    answer = answers.of_ticket(Source(agreements, file, until=until), ticket, customer)
    page = StringIO()
    answers.write(answer, Form.TEXT, page)
    clocks = json.loads(answer.json())["clocks"]
    return Explained(
        " ".join(page.getvalue().split()),
        {(one["record"]["agreement"], one["record"]["measure"]): one for one in clocks},
    )


def hours(hours: int, minutes: int = 0, seconds: int = 0) -> int:
    return hours * 3600 + minutes * 60 + seconds


def test_a_ticket_that_waited_for_a_month_and_then_on_the_customer(recordings: Path, tmp_path: Path) -> None:
    """2013: Insert ticket 4 January 09:55:16, Wait 5 February 16:21:53, Wait 7 February 15:15:03, the last row."""
    page, clocks = explained(recordings, tmp_path, "Case 4370", "customer-396")
    clock = clocks["support", "resolution"]
    first_day = hours(3, 4, 44) + hours(4)  # Friday 09:55:16 to 13, 14 to 18
    between = 21 * hours(8)  # 7 January to 4 February: four whole weeks and a Monday; Epiphany was a Sunday
    last_day = hours(4) + hours(2, 21, 53)  # Tuesday 9 to 13, 14 to 16:21:53
    used = first_day + between + last_day
    assert used == hours(181, 26, 37)
    paused = (hours(18) - hours(16, 21, 53)) + hours(8) + (hours(4) + hours(1, 15, 3))
    assert clock["record"]["outcome"] == "missed"
    assert clock["record"]["elapsed_seconds"] == used
    assert clock["record"]["paused_seconds"] == paused
    # 80 h are ten days: 7:04:44 on the first, nine whole ones to the 17th, and 55:16 of Friday the 18th
    assert clock["record"]["breached_at"] == "2013-01-18T08:55:16.000000Z"
    assert clock["counted_in"] == {"from": "2012-12-31T23:00:00.000000Z", "to": "2013-01-31T23:00:00.000000Z"}
    assert "181 h 26 min 37 s used, 101 h 26 min 37 s over the target" in page
    assert "Breached Fri 18 Jan 2013 09:55:16 +01:00" in page


def test_a_ticket_that_was_resolved_three_times_and_waited_four_times(
    recordings: Path, tmp_path: Path
) -> None:
    """2011, with a holiday and summer time in between.

    14 March: opened 13:26:57, Wait 13:36:02, taken 13:42:25, Wait 13:42:34. 15 March: taken 13:40:41, resolved 13:40:57,
    taken 14:29:04, Wait 14:29:57. 22 March: taken 09:04:35, resolved 09:04:41, taken 14:46:21. 23 March: Wait 08:59:49.
    4 April: taken 08:07:53, resolved 08:08:02.
    """
    page, clocks = explained(recordings, tmp_path, "Case 1820", "customer-114")
    clock = clocks["support", "resolution"]
    used = 53 + 6 + (hours(18) - hours(14, 46, 21))  # what is left lies in the lunch breaks, or before 9
    assert used == hours(3, 14, 38)
    assert clock["record"]["outcome"] == "met"
    assert clock["record"]["elapsed_seconds"] == used
    open_hours = hours(4) + 3 * hours(8) + 2 * hours(40)  # Monday's afternoon; no 17 March; two whole weeks
    done = (hours(14, 29, 4) - hours(14)) + (hours(13) - hours(9, 4, 41)) + (hours(14, 46, 21) - hours(14))
    assert open_hours == hours(108)
    assert done == hours(5, 10, 44)
    assert clock["record"]["paused_seconds"] == open_hours - done - used
    assert "less paused, waiting on customer (4 times) - 99 h 34 min 38 s" in page
    assert "less done, until reopened (twice) - 5 h 10 min 44 s" in page
    assert "17 Mar 2011 Anniversary of the Unification of Italy, 27 Mar 2011 clocks go forward" in page


def test_a_ticket_that_moved_to_another_customer(recordings: Path, tmp_path: Path) -> None:
    """2013: opened Friday 15 March 08:46:36, taken Monday 18 March 13:32:28, another customer's 22 March 10:08:40.

    It came back on 19 April.
    """
    page, clocks = explained(recordings, tmp_path, "Case 732", "customer-22")
    first_response = clocks["support", "firstResponse"]["record"]
    assert first_response["outcome"] == "missed"
    assert first_response["elapsed_seconds"] == hours(8) + hours(4)  # Friday, and Monday until lunch
    # used up at 13:00, when the desk closes for lunch: not breached before it opens again
    assert first_response["due_at"] == "2013-03-15T12:00:00.000000Z"
    assert first_response["breached_at"] == "2013-03-15T13:00:00.000000Z"
    resolution = clocks["support", "resolution"]["record"]
    # 4 days from the 15th to the 20th, the 21st, and an hour of the 22nd
    assert resolution["elapsed_seconds"] == 5 * hours(8) + hours(1, 8, 40)
    assert resolution["outcome"] == "void"
    assert "void, cancelled: it counts nowhere" in page


def test_the_slowest_ticket_is_told_by_the_month(recordings: Path, tmp_path: Path) -> None:
    """2010: opened 19 April 10:48:19, resolved 1 June. What was promised is to close it, which nobody did until 2014."""
    end = parse_instant("2014-01-03T13:20:58+01:00")  # the last row of the log
    page, clocks = explained(recordings, tmp_path, "Case 342", "customer-148", end)
    clock = clocks["support", "resolution"]
    months = {one["from"]: one["counted_seconds"] for one in clock["dates"]}
    assert len(months) == 9 + 3 * 12 + 1
    # the Monday, and nine days to the 30th
    assert months["2010-04-19"] == hours(2, 11, 41) + hours(4) + 9 * hours(8)
    assert months["2010-06-01"] == 21 * hours(8)  # 22 weekdays, of which the 2nd is a holiday
    assert months["2014-01-01"] == hours(8) + hours(4)  # Thursday the 2nd, and Friday until lunch
    assert sum(months.values()) == clock["record"]["elapsed_seconds"]
    assert "2 Jun 2010 Republic Day" in page
    # 240 h: 78:11:41 in April, 160 h in four weeks of May, and 1:48:19 of Monday the 31st
    assert "Breached Mon 31 May 2010 10:48:19 +02:00" in page
