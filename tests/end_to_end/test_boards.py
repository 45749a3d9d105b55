"""The boards on a real Prometheus that scraped a slamon which judges the demo's world: every query has an answer.

The world's opening scene lies half an hour back, so that every clock is the wall's: a ticket was missed, an outage runs.
The month before it is read first; then the scene comes at once, so that Prometheus sees standings change. What a good
day does not have is added: a record that is no event, odd events, an exclusion, a pod that dies.
"""

import math
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path

import orjson
import pytest
from msgspec.structs import replace
from queries import GRAFANAS, Query, queries

from slamon import clock
from slamon.codec import encode
from slamon.demo import world
from slamon.demo.processes import Alertmanager, Kafka, Prometheus
from slamon.domain.events import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    AvailabilityEvent,
    Event,
    ExclusionEvent,
    ExclusionReason,
    ExclusionState,
    ServiceStatus,
    TicketEvent,
    TicketStatus,
)
from slamon.kafka import publish
from slamon.kafka.feed import feeding
from tests.end_to_end.conftest import PROMETHEUS
from tests.end_to_end.place import PARTITIONS, Place, get, placed, until, whole_second

SCENE = 30 * MINUTE  # ago

ESCALATED_TO = ("duty manager", "head of payments", "operations on call")  # by the world's agreements

# Empty here, and why; that each has an answer where there is something to say is shown in tests/shell/test_dashboards.py.
EMPTY_HERE = {
    "slamon / service manager: Attained, now and before": "this Prometheus has not run for as long as is compared with",
}


@pytest.fixture
async def place(tmp_path: Path, kafka: Kafka, alertmanager: Alertmanager) -> AsyncIterator[Place]:
    agreements = "\n---\n".join(file.read_text() for file in sorted(world.AGREEMENTS.glob("*.yaml")))
    async with placed(tmp_path, kafka.bootstrap, alertmanager, agreements) as the_world:
        yield the_world


@pytest.fixture
def prometheus(part: Callable[[str], Path], tmp_path: Path) -> Iterator[Prometheus]:
    """One of its own: what other tests' daemons showed would answer, too."""
    with Prometheus(tmp_path / "prometheus", program=part("prometheus"), config=PROMETHEUS) as started:
        (started.folder / "targets").mkdir()
        yield started


def odd(now: int) -> list[Event]:
    """Two events with one id, one that was seen before, one that comes late, and one about nobody's agreement."""
    opened = TicketEvent("odd", now, "acme", "ODD-1", status=TicketStatus.OPEN, priority="P3", service="shop")
    late = AvailabilityEvent("odd-late", now - 20 * DAY, "fjord-energy", "metering", ServiceStatus.UP)
    return [opened, opened, replace(opened, priority="P2"), late, replace(opened, customer="nobody")]


def urgent(now: int) -> Event:
    """It comes to half of its fifteen minutes in three seconds, and that is then told in time."""
    opened = now - 15 * MINUTE // 2 + 3 * SECOND
    return TicketEvent(
        "urgent", opened, "acme", "INC-4712", status=TicketStatus.OPEN, priority="P1", service="shop"
    )


def force_majeure(now: int) -> ExclusionEvent:
    return ExclusionEvent(
        id="flood",
        time=now,
        customer="acme",
        exclusion="flood",
        state=ExclusionState.DECLARED,
        reason=ExclusionReason.FORCE_MAJEURE,
        start=now - 2 * MINUTE,
        end=now + HOUR,
        service="shop",
        approved_by="service manager",
    )


async def test_every_query_of_every_board_has_an_answer_in_the_world_of_the_demo(
    place: Place, prometheus: Prometheus, tmp_path: Path
) -> None:
    began = now = whole_second()
    story = world.events(1, now - SCENE)
    past: list[Event] = []
    scene: list[Event] = []
    for event in story:
        if event.time >= now:
            break
        (past if event.time < now - SCENE else scene).append(event)
    file = tmp_path / "past.ndjson"
    file.write_bytes(b"".join(encode(event) + b"\n" for event in past))
    await publish.publish(place.settings.kafka, file)
    config = place.telling(
        {name: {"log": {}} for name in ESCALATED_TO},
        [],
        keep=140,  # days: one customer is judged by the quarter
    )
    daemon = await place.running(config)
    scraped(prometheus, daemon.address)
    everything_read = (
        f"count(slamon_partition_lag == 0) == {2 * PARTITIONS} and sum(slamon_events_total) >= {len(past)} "
        "and count(slamon_objective_standing) > 0"  # which is on the other page
    )
    # At an instant, too, at which a subquery looks: else nothing is known from before the scene.
    seen = Query("", f"count_over_time(({everything_read})[10m:{GRAFANAS['__interval']}]) > 0")
    await until(partial(answered, prometheus, seen, began), "Prometheus has seen the month so far judged")

    now = whole_second()
    async with feeding(place.settings.kafka) as send:
        for event in (*scene, urgent(now), force_majeure(now), *odd(now)):
            await send(event)
    await place.producer.send_and_wait(place.names.tickets, b"{", key=b"acme")
    told = Query(
        "", "sum(slamon_events_rejected_total) > 0 and sum(slamon_detection_delay_seconds_count) > 0"
    )
    await until(partial(answered, prometheus, told, began), "the scene is judged")

    daemon.kill()
    again = await place.running(config)
    scraped(prometheus, again.address)
    asked = queries()
    assert EMPTY_HERE.keys() <= {query.panel for query in asked}
    for query in asked:
        if query.panel not in EMPTY_HERE:
            await until(partial(answered, prometheus, query, began), f"there is an answer to {query}")


def scraped(prometheus: Prometheus, address: str) -> None:
    file = prometheus.folder / "targets" / "slamon.json"
    draft = file.with_suffix(".draft")
    draft.write_bytes(orjson.dumps([{"targets": [address.removeprefix("http://")]}]))
    draft.replace(file)


async def answered(prometheus: Prometheus, query: Query, since: int) -> bool:
    """Whether there is a number: at this instant, or at one since then if it is asked over time."""
    asked = {"query": query.expr}
    if query.over_time:
        span = {"start": str(since / SECOND), "end": str(clock.wall() / SECOND), "step": "1"}
        status, body = await get(f"{prometheus.url}/api/v1/query_range", **asked, **span)
    else:
        status, body = await get(f"{prometheus.url}/api/v1/query", **asked)
    answer = orjson.loads(body)
    assert (status, answer["status"]) == (200, "success"), (query, body)
    samples = (
        sample
        for series in answer["data"]["result"]
        for sample in series.get("values", [series.get("value")])
    )
    return any(not math.isnan(float(value)) for _, value in samples)
