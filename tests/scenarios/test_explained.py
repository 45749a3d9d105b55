"""What `slamon explain` shows of every story is what `slamon replay` says of it, to the last digit."""

import json
from collections.abc import Sequence
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from slamon.agreement_files import load
from slamon.codec import encode, parse_instant
from slamon.domain.agreement import Agreement, TicketObjective
from slamon.domain.events import TicketEvent
from slamon.domain.periods import local_date
from slamon.explain import answers
from slamon.explain.answers import Answer, Form
from slamon.explain.gathering import Source
from slamon.explain.period_notation import Asked
from tests.scenarios.stories import Story, events, instant, stories, verdicts

FILES = sorted((Path(__file__).parent / "timelines").glob("*.yaml"))


def source_of(story: Story, agreements: Sequence[Agreement], folder: Path) -> Source:
    file = folder / "events.ndjson"
    file.write_bytes(b"".join(encode(event) + b"\n" for event in events(story)))
    until = story.texts.get("until")
    return Source(
        agreements, file, until=None if until is None else instant(until, story.days[-1], story.zone)
    )


def shown(answer: Answer) -> Any:
    """The JSON; that the page can be written, too, within its width, is held on the way."""
    page = StringIO()
    answers.write(answer, Form.TEXT, page)
    assert max(map(len, page.getvalue().splitlines())) <= 80
    assert "\x1b" not in page.getvalue()
    return json.loads(answer.json(), parse_float=Decimal)


def asked_about(record: dict[str, Any], agreements: Sequence[Agreement]) -> Asked:
    """The date at which a period ends, which no other period of the objective holds."""
    [zone] = {
        one.zone
        for one in agreements
        if (one.customer, one.name) == (record["customer"], record["agreement"])
    }
    day = local_date(zone, parse_instant(record["period"]["to"]) - 1)
    return Asked(day.isoformat(), None, day)


@pytest.mark.parametrize("story", list(stories(FILES)), ids=str)
def test_every_clock_is_explained_with_the_figures_of_its_record(story: Story, tmp_path: Path) -> None:
    agreements = agreements_of(story, tmp_path)
    source = source_of(story, agreements, tmp_path)
    replayed = verdicts(story, agreements).clocks
    tickets = {
        (event.customer, event.ticket)
        for event in events(story)
        if isinstance(event, TicketEvent) and promises_about_tickets(agreements, event.customer)
    }
    found = []
    for customer, ticket in sorted(tickets):
        explained = shown(answers.of_ticket(source, ticket, customer))
        for clock in explained["clocks"]:
            hold_the_sums(clock)
            found.append(clock["record"])
    key = ("customer", "agreement", "objective", "ticket", "measure", "cycle")
    assert sorted(found, key=lambda one: tuple(one[name] for name in key)) == replayed


def hold_the_sums(clock: dict[str, Any]) -> None:
    record = clock["record"]
    for kind, total in (("counted", record["elapsed_seconds"]), ("paused", record["paused_seconds"])):
        assert sum(one["opening_seconds"] for one in clock["stints"] if one["kind"] == kind) == total
        if clock["dates"]:
            assert sum(one[f"{kind}_seconds"] for one in clock["dates"]) == total


@pytest.mark.parametrize("story", list(stories(FILES)), ids=str)
def test_every_statement_is_explained_with_its_own_figures_and_revisions(
    story: Story, tmp_path: Path
) -> None:
    agreements = agreements_of(story, tmp_path)
    source = source_of(story, agreements, tmp_path)
    replayed = verdicts(story, agreements).statements
    newest = {(one["agreement"], one["objective"], str(one["period"])): one for one in replayed}
    for (agreement, objective, period), statement in newest.items():
        asked = asked_about(statement, agreements)
        [explained] = shown(answers.of_objective(source, objective, asked, statement["customer"], agreement))[
            "periods"
        ]
        of_the_period = {name: value for name, value in statement.items() if name not in ("reason", "entry")}
        assert explained["statement"] == of_the_period
        assert [one["statement"] for one in explained["revisions"]] == [
            one
            for one in replayed
            if (one["agreement"], one["objective"], str(one["period"])) == (agreement, objective, period)
        ]
        hold_the_parts(explained, statement)
        hold_the_credit(explained, statement)


@pytest.mark.parametrize("story", list(stories(FILES)), ids=str)
def test_every_running_period_is_explained_with_the_figures_of_its_standing(
    story: Story, tmp_path: Path
) -> None:
    agreements = agreements_of(story, tmp_path)
    source = source_of(story, agreements, tmp_path)
    for standing in verdicts(story, agreements).standings:
        [zone] = {one.zone for one in agreements if one.name == standing["agreement"]}
        day = local_date(zone, parse_instant(standing["at"]))
        asked = Asked(day.isoformat(), None, day)
        [explained] = shown(
            answers.of_objective(
                source, standing["objective"], asked, standing["customer"], standing["agreement"]
            )
        )["periods"]
        assert explained["standing"] == standing
        hold_the_parts(explained, standing)


def hold_the_parts(explained: dict[str, Any], said: dict[str, Any]) -> None:
    counts, seconds = said["tickets"], said["seconds"]
    if counts is not None:
        outcomes = [one["outcome"] for one in explained["decided"]]
        assert outcomes.count("met") == counts["met"]
        assert outcomes.count("missed") == counts["missed"]
        assert len(explained["pending"]) == counts["pending"]
    if seconds is not None:
        assert total(explained["outages"], "counted_seconds") == seconds["down"]
        assert total(explained["unknown"], "counted_seconds") == seconds["unknown"]
        assert total(explained["clauses"], "taken_seconds") == seconds["excluded"]
        assert explained["budget"]["used_seconds"] == seconds["down"]


def hold_the_credit(explained: dict[str, Any], statement: dict[str, Any]) -> None:
    credit, said = explained["credit"], statement["credit"]
    assert (credit is None) == (said is None)
    if said is not None:
        assert {name: credit[name] for name in said} == said
        assert credit["claim_until"] == statement["claim_until"]
        due = total(credit["entries"], "due_percent")
        left = (
            due
            if credit["cap_percent"] is None
            else credit["cap_percent"] - total(credit["taken_before"], "percent")
        )
        assert credit["percent"] == min(due, max(left, 0))


def total(parts: Sequence[dict[str, Any]], name: str) -> Decimal:
    return sum((Decimal(one[name]) for one in parts), Decimal(0))


def agreements_of(story: Story, folder: Path) -> Sequence[Agreement]:
    file = folder / "agreement.yaml"
    file.write_text(story.documents, encoding="utf-8")
    return load([file]).agreements


def promises_about_tickets(agreements: Sequence[Agreement], customer: str) -> bool:
    return any(
        isinstance(objective, TicketObjective)
        for one in agreements
        if one.customer == customer
        for objective in one.objectives
    )
