"""The naive reference says what the stories about tickets demand, which were worked out by hand.

Two readings of the specification that were made apart: where they differ, one of them is wrong.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import gcd
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from slamon import records
from slamon.agreement_files import load
from slamon.codec import format_instant
from slamon.domain.agreement import Agreement, TicketObjective
from slamon.domain.events import HOUR, SECOND, Event, TicketEvent
from slamon.domain.intervals import FOREVER
from tests.laws import reference
from tests.laws.worlds import HOURS
from tests.scenarios.stories import Story, Verdicts, differing, events, instant, stories

SCENARIOS = Path(__file__).parents[1] / "scenarios"
FILES = sorted(SCENARIOS.glob("timelines/*.yaml"))


def can_be_told(story: Story) -> bool:
    """About the tickets of one customer, by opening hours that the reference knows."""
    specs = [document["spec"] for document in yaml.load_all(story.documents, yaml.BaseLoader)]
    objectives = [one for spec in specs for one in spec.get("objectives", ())]
    return (
        story.file != "calendars"
        and all("ticketClock" in one for one in objectives)
        and len({spec["customer"] for spec in specs if "customer" in spec}) == 1
    )


def agreed(story: Story, folder: Path) -> Sequence[Agreement]:
    file = folder / "agreement.yaml"
    file.write_text(story.documents, encoding="utf-8")
    loaded = load([file])
    assert not loaded.faults, "\n".join(str(fault) for fault in loaded.faults)
    return loaded.agreements


def grid(agreements: Sequence[Agreement], heard: Sequence[Event], until: int) -> int:
    """The longest tick on which everything lies; opening hours begin and end on the hour."""
    instants = {until, *(event.time for event in heard)}
    instants |= {e.opened_at for e in heard if isinstance(e, TicketEvent) and e.opened_at is not None}
    lengths = set()
    for one in agreements:
        instants |= {border for border in (one.start, one.end) if border != FOREVER}
        lengths |= {o.target for o in one.objectives if isinstance(o, TicketObjective)}
    return gcd(HOUR, *instants, *lengths)


def statements(
    agreements: Sequence[Agreement], heard: Sequence[Event], until: int, tick: int
) -> list[dict[str, Any]]:
    found = []
    for agreement in agreements:
        for objective in agreement.objectives:
            assert isinstance(objective, TicketObjective)
            for period in reference.closed_periods(agreement, objective.attainment.window, until):
                counts = reference.counts(
                    agreements, agreement, objective, heard, period, until, tick, closed=True
                )
                tickets = counts.tickets
                found.append(
                    {
                        "agreement": agreement.name,
                        "objective": objective.name,
                        "period": {"from": format_instant(period[0]), "to": format_instant(period[1])},
                        "outcome": counts.outcome.value,
                        "tickets": {
                            "met": tickets.met,
                            "missed": tickets.missed,
                            "pending": tickets.pending,
                        },
                    }
                )
    return found


def newest(expected: Mapping[str, Any]) -> dict[str, Any]:
    """The reference knows no earlier revisions, and no numbers of them."""
    return {
        words: {key: value for key, value in members.items() if key in ("outcome", "tickets")}
        for words, members in expected.items()
        if not re.search(r"\br\d+$", words)
    }


TOLD = [
    story for story in stories(FILES) if story.texts.keys() & {"clocks", "statements"} and can_be_told(story)
]


@pytest.mark.parametrize(
    "story", [pytest.param(story, id=f"{story.file}: {story.texts['name']}") for story in TOLD]
)
def test_the_reference_tells_the_story_as_it_was_worked_out_by_hand(story: Story, tmp_path: Path) -> None:
    agreements = agreed(story, tmp_path)
    heard = list(events(story))
    until = max(event.time for event in heard)
    if "until" in story.texts:
        until = instant(story.texts["until"], story.days[-1], story.zone)
    tick = grid(agreements, heard, until)
    calendars = {o.calendar.name for one in agreements for o in one.objectives}
    if tick < SECOND or not calendars <= HOURS.keys():
        pytest.skip("too fine, or by hours of its own: the reference would not end, or cannot know them")
    got = Verdicts(
        [orjson.loads(records.clock_record(one)) for one in reference.clocks(agreements, heard, until, tick)],
        [],
        statements(agreements, heard, until, tick),
        [],
    )
    texts = {key: value for key, value in story.texts.items() if key not in ("standings", "alerts")}
    texts["statements"] = newest(texts.get("statements", {}))
    pairs = list(differing(replace(story, texts=texts), got))
    assert [expected for expected, _ in pairs] == [actual for _, actual in pairs]
