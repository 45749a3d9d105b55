"""The pages that Prometheus scrapes: what stands on them, in which words, and what never does."""

import asyncio
import subprocess
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics_families
from prometheus_client.parser import text_string_to_metric_families as text_families

from slamon import clock
from slamon.domain.decisions import (
    Budget,
    Credit,
    Ratios,
    SecondCounts,
    Standing,
    StandingState,
    TicketCounts,
)
from slamon.outputs.exposition import (
    OBJECTIVES_AT_ONCE,
    DueClock,
    ObjectiveFacts,
    ObjectiveView,
    OpenClocks,
    SlaPage,
    Stake,
    TextFormat,
    View,
    duration_text,
    negotiate,
    percent_text,
    process_page,
)
from slamon.outputs.metrics import METRICS, Kind, Metrics, Page

SECOND = 1_000_000
TEXT = negotiate("")
OPEN_METRICS = negotiate("application/openmetrics-text;version=1.0.0")
Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def standing(
    facts: ObjectiveFacts,
    state: StandingState = StandingState.ON_TRACK,
    *,
    budget: Budget | None = None,
    misses_left: int | None = None,
    exhausted_at: int | None = None,
    tickets: TicketCounts | None = None,
    seconds: SecondCounts | None = None,
) -> Standing:
    return Standing(
        customer=facts.customer,
        agreement=facts.agreement,
        objective=facts.objective,
        at=0,
        period=(0, 1),
        standing=state,
        target=Fraction(999, 1000),
        ratios=Ratios((1, 3), (2, 3), (1, 4), (9, 10)),
        tickets=tickets,
        seconds=seconds,
        misses_left=misses_left,
        budget=budget,
        exhausted_at=exhausted_at,
    )


def availability(customer: str = "acme", state: StandingState = StandingState.ON_TRACK) -> ObjectiveView:
    """An availability objective of which everything applies."""
    facts = ObjectiveFacts(customer, "acme-2026", "api", "availability", "99.9%")
    budget = Budget(Fraction(2000 * SECOND), Fraction(-500 * SECOND))
    seconds = SecondCounts(
        applicable=9000 * SECOND,
        known=8100 * SECOND,
        down=10 * SECOND,
        unknown=900 * SECOND,
        excluded=5400 * SECOND,
    )
    full = standing(facts, state, budget=budget, exhausted_at=1_764_000_000 * SECOND, seconds=seconds)
    return ObjectiveView(
        facts,
        full,
        (("1h", Fraction(72, 5)), ("6h", Fraction(0))),
        stake=Stake(Credit((1, 4), "3000.00", "EUR"), Fraction(1), Fraction(12000)),
        period=(1_761_955_200 * SECOND, 1_764_547_200 * SECOND),
        excluded=False,
    )


def ticket_objective() -> ObjectiveView:
    facts = ObjectiveFacts("acme", "acme-2026", "p1", "ticketClock", "15m")
    return ObjectiveView(
        facts, standing(facts, misses_left=2, tickets=TicketCounts(9, 1, 3)), clocks=OpenClocks(2, 1, 0)
    )


def due(ticket: str, at: int) -> DueClock:
    return DueClock("acme", "acme-2026", "p1", ticket, "P1", at)


async def page(view: View, text_format: TextFormat = TEXT, *, series_limit: int = 200_000) -> str:
    return b"".join([piece async for piece in SlaPage(series_limit).render(view, text_format)]).decode()


def series(text: str) -> Series:
    """What Prometheus would store."""
    return of_families(text_families(text))


def of_families(families: Iterable[Family]) -> Series:
    found: Series = {}
    for family in families:
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in found, f"{key} stands twice"
            found[key] = sample.value
    return found


def values(text: str, name: str) -> dict[str, float]:
    """Of one family, by all labels that are not the objective's."""
    own = {"customer", "agreement", "objective"}
    return {
        " ".join(value for label, value in sorted(labels) if label not in own): value
        for (found, labels), value in series(text).items()
        if found == name
    }


FULL = View([availability(), ticket_objective()], [due("T-1", 5 * SECOND)])


def busy_metrics() -> Metrics:
    """Every metric of the process has a series."""
    metrics = Metrics("1.2.3")
    metrics.config_taken(7 * SECOND)
    metrics.events["ticket"].inc(3)
    metrics.rejected("not_json").inc()
    metrics.tallied("not_json").inc()
    metrics.lag("sla.tickets", 4, 17)
    metrics.watermark(4, 9 * SECOND)
    metrics.task_state(4, "running")
    metrics.firing("SlaBreached", "critical", 2)
    metrics.transition("SlaBreached", "fired", "limit_exceeded")
    metrics.notifications("alertmanager:9093", 10)
    for histogram in (metrics.commit_duration, metrics.restore_duration, metrics.detection_delay):
        histogram.observe(0.2)
    return metrics


# Declarations.


async def test_every_declared_metric_is_on_its_page_with_its_labels_and_nothing_else_is() -> None:
    pages = {
        Page.PROCESS: process_page(busy_metrics().registry, TEXT).decode(),
        Page.SLA: await page(FULL),
    }
    for where, text in pages.items():
        found = {
            (sample.name.removesuffix("_bucket"), frozenset(sample.labels) - {"le"})
            for family in text_families(text)
            for sample in family.samples
            if not sample.name.startswith("process_") and not sample.name.endswith(("_sum", "_count"))
        }
        declared = {(metric.name, frozenset(metric.labels)) for metric in METRICS if metric.page is where}
        assert found == declared


def test_each_metric_is_declared_once_with_help_and_in_the_conventions_of_prometheus() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert metric.name.startswith("slamon_")
        assert metric.help.endswith(".")
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER), metric.name
        assert metric.name.endswith("_info") == (metric.kind is Kind.INFO), metric.name
        assert bool(metric.buckets) == (metric.kind is Kind.HISTOGRAM), metric.name
        assert not {"service", "namespace", "job", "instance"} & set(metric.labels), "labels of the target"
        assert "ticket" not in metric.labels or metric.name == "slamon_ticket_due_timestamp_seconds"


def test_promtool_finds_nothing_to_say_about_either_page(part: Callable[[str], Path]) -> None:
    promtool = part("promtool")
    for text in (process_page(busy_metrics().registry, TEXT).decode(), asyncio.run(page(FULL))):
        check = subprocess.run(
            [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
        )
        assert (check.returncode, check.stderr) == (0, "")


@pytest.mark.parametrize("which", [Page.PROCESS, Page.SLA])
async def test_open_metrics_says_the_same_and_ends_with_eof(which: Page) -> None:
    registry = busy_metrics().registry
    if which is Page.PROCESS:
        text, other = (process_page(registry, each).decode() for each in (TEXT, OPEN_METRICS))
    else:
        text, other = await page(FULL), await page(FULL, OPEN_METRICS)
    assert other.endswith("# EOF\n")
    assert "# EOF" not in text

    def steady(found: Series) -> Series:
        return {key: value for key, value in found.items() if not key[0].startswith("process_")}

    strictly_read = of_families(open_metrics_families(other))  # type: ignore[no-untyped-call]  # - the library leaves it untyped
    assert steady(strictly_read) == steady(series(text))


# What an objective shows.


async def test_an_availability_objective_shows_its_numbers() -> None:
    text = await page(View([availability()], []))
    shown = {name: value for (name, labels), value in series(text).items() if len(labels) == 3}
    assert shown == {
        "slamon_objective_target_ratio": 0.999,
        "slamon_objective_attained_ratio": 1 / 3,
        "slamon_objective_best_case_ratio": 2 / 3,
        "slamon_objective_worst_case_ratio": 0.25,
        "slamon_objective_coverage_ratio": 0.9,
        "slamon_objective_excluded_seconds": 5400.0,
        "slamon_objective_budget_remaining_ratio": -0.25,
        "slamon_objective_budget_remaining_seconds": -500.0,
        "slamon_objective_budget_exhausted_timestamp_seconds": 1_764_000_000.0,
        "slamon_objective_credit_ratio": 0.25,
        "slamon_objective_credit_limit_ratio": 1.0,
        "slamon_objective_period_start_timestamp_seconds": 1_761_955_200.0,
        "slamon_objective_period_end_timestamp_seconds": 1_764_547_200.0,
        "slamon_objective_excluded": 0.0,
    }
    assert values(text, "slamon_objective_credit_amount") == {"EUR": 3000.0}
    assert values(text, "slamon_objective_fee_amount") == {"EUR": 12000.0}
    assert values(text, "slamon_objective_burn_rate_ratio") == {"1h": 14.4, "6h": 0.0}
    assert values(text, "slamon_objective_info") == {"availability true 99.9%": 1.0}


async def test_a_ticket_objective_shows_misses_and_open_clocks() -> None:
    text = await page(View([ticket_objective()], []))
    assert values(text, "slamon_objective_misses_left") == {"": 2}
    assert values(text, "slamon_tickets") == {"running": 2, "paused": 1, "breached": 0}
    assert not values(text, "slamon_objective_budget_remaining_seconds")
    assert not values(text, "slamon_objective_excluded_seconds")


@pytest.mark.parametrize("state", StandingState)
async def test_exactly_one_standing_is_1(state: StandingState) -> None:
    shown = values(await page(View([availability(state=state)], [])), "slamon_objective_standing")
    assert shown == {each.value: float(each is state) for each in StandingState}


async def test_what_is_not_applicable_shows_what_is_promised_and_due_but_nothing_attained() -> None:
    text = await page(View([availability(state=StandingState.NOT_APPLICABLE)], []))
    names = {name.removeprefix("slamon_objective_") for name, labels in series(text) if labels}
    assert names == {
        *("info", "target_ratio", "standing", "excluded"),
        *("credit_ratio", "credit_limit_ratio", "credit_amount", "fee_amount"),
        *("period_start_timestamp_seconds", "period_end_timestamp_seconds"),
    }


async def test_without_a_fee_a_credit_has_no_amount_and_without_a_limit_no_limit() -> None:
    view = ticket_objective()._replace(stake=Stake(Credit((1, 3), None, None), None, None))
    text = await page(View([view], []))
    names = {name for name, labels in series(text) if labels}
    assert "slamon_objective_credit_ratio" in names
    assert not names & {
        "slamon_objective_credit_limit_ratio",
        "slamon_objective_credit_amount",
        "slamon_objective_fee_amount",
    }


async def test_a_target_of_all_has_no_share_of_its_budget() -> None:
    facts = ObjectiveFacts("acme", "a", "all", "availability", "100%")
    view = ObjectiveView(facts, standing(facts, budget=Budget(Fraction(0), Fraction(-3 * SECOND))))
    text = await page(View([view], []))
    assert values(text, "slamon_objective_budget_remaining_seconds") == {"": -3.0}
    assert not values(text, "slamon_objective_budget_remaining_ratio")


async def test_what_is_promised_but_not_measured_shows_its_info_only() -> None:
    facts = ObjectiveFacts("acme", "a", "hotline", "manual", "99%", monitored=False)
    text = await page(View([ObjectiveView(facts, None)], []))
    assert values(text, "slamon_objective_info") == {"manual false 99%": 1.0}
    assert {name for name, labels in series(text) if labels} == {"slamon_objective_info"}


@given(st.text(), st.text(), st.text(), st.text())
def test_any_text_survives_as_a_label(customer: str, agreement: str, objective: str, target: str) -> None:
    facts = ObjectiveFacts(customer, agreement, objective, "availability", target)
    text = asyncio.run(page(View([ObjectiveView(facts, None)], [])))
    [line] = [line for line in text.split("\n") if line.startswith("slamon_objective_info{")]
    [family] = text_families("# TYPE slamon_objective_info gauge\n" + line + "\n")
    assert family.samples[0].labels == {
        "customer": customer,
        "agreement": agreement,
        "objective": objective,
        "kind": "availability",
        "monitored": "true",
        "target": target,
    }


async def test_half_of_a_surrogate_pair_in_one_name_does_not_cost_the_whole_page() -> None:
    facts = ObjectiveFacts("\ud800", "a", "o", "availability", "1%")
    assert 'customer="?"' in await page(View([ObjectiveView(facts, None), availability()], []))


# Limits.


async def test_beyond_the_limit_whole_objectives_are_left_out_and_their_series_counted() -> None:
    views = [availability(f"customer-{number}") for number in range(5)]
    each = len([key for key in series(await page(View(views[:1], []))) if key[1]])
    text = await page(View(views, []), series_limit=2 * each + 1)
    customers = {value for name, labels in series(text) for label, value in labels if label == "customer"}
    assert customers == {"customer-0", "customer-1"}
    assert values(text, "slamon_series_left_out") == {"": 3 * each}
    assert values(text, "slamon_series_limit") == {"": 2 * each + 1}


async def test_clocks_that_are_due_have_a_series_each_and_those_left_out_are_counted() -> None:
    text = await page(View([], [due("T-10", 10 * SECOND), due("T-20", 20 * SECOND)], due_left_out=7))
    assert values(text, "slamon_ticket_due_timestamp_seconds") == {"P1 T-10": 10.0, "P1 T-20": 20.0}
    assert values(text, "slamon_ticket_series_left_out") == {"": 7}


# Time.


async def test_other_tasks_run_while_a_large_page_is_rendered() -> None:
    chunks = 7
    views = [availability(str(number)) for number in range(chunks * OBJECTIVES_AT_ONCE)]
    turns = 0
    done = False

    async def count_turns() -> None:
        nonlocal turns
        while not done:
            turns += 1
            await clock.wait(0)

    async with asyncio.TaskGroup() as group:
        group.create_task(count_turns())
        await page(View(views, []))
        done = True
    assert turns >= chunks


async def test_a_page_rendered_again_follows_the_objectives_that_are_there() -> None:
    sla_page = SlaPage(200_000)

    async def render(*customers: str) -> set[str]:
        view = View([availability(customer) for customer in customers], [])
        text = b"".join([piece async for piece in sla_page.render(view, TEXT)]).decode()
        return {value for name, labels in series(text) for label, value in labels if label == "customer"}

    assert await render("a", "b") == {"a", "b"}
    assert await render("b", "c") == {"b", "c"}
    assert await render() == set()


# The process.


def test_a_task_that_went_away_leaves_no_series() -> None:
    metrics = Metrics("1")
    for partition in (1, 2):
        metrics.task_state(partition, "running")
        metrics.watermark(partition, 5)
        metrics.lag("sla.tickets", partition, 3)
        metrics.lag("sla.availability", partition, 3)
    metrics.task_gone(1)
    found = series(process_page(metrics.registry, TEXT).decode())
    assert {value for _, labels in found for label, value in labels if label == "partition"} == {"2"}
    metrics.task_gone(1)  # twice is no fault


def test_a_task_is_in_one_state_at_a_time() -> None:
    metrics = Metrics("1")
    metrics.task_state(0, "restoring")
    metrics.task_state(0, "running")
    found = values(process_page(metrics.registry, TEXT).decode(), "slamon_task_state")
    assert [key for key, value in found.items() if value] == ["0 running"]


def test_refused_files_leave_the_instant_of_the_last_success() -> None:
    metrics = Metrics("1")
    metrics.config_taken(3 * SECOND)
    metrics.config_refused()
    text = process_page(metrics.registry, TEXT).decode()
    assert values(text, "slamon_config_last_reload_successful") == {"": 0}
    assert values(text, "slamon_config_last_reload_success_timestamp_seconds") == {"": 3}


# Formats.

PROTOBUF_FIRST = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.9,"
    "application/openmetrics-text;version=1.0.0;escaping=nonsense;q=0.8"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
    "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"),
        ("text/html,*/*;q=0.8", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"),
        ("text/plain", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"),
        (PROMETHEUS_3, "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8"),
        (
            "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8",
        ),
        (
            "application/openmetrics-text; version=1.0.0; q=0.2, text/plain; version=0.0.4; q=0.9",
            "text/plain; version=0.0.4; charset=utf-8; escaping=underscores",
        ),
        (
            PROTOBUF_FIRST,
            "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores",
        ),
        ("text/plain;version=0.0.4;q=much", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"),
    ],
)
def test_the_format_that_is_liked_best_is_given(accept: str, content_type: str) -> None:
    assert negotiate(accept).content_type == content_type


@given(st.text())
def test_no_accept_header_is_a_fault(accept: str) -> None:
    assert negotiate(accept).content_type


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(900, "15m"), (5400, "1h30m"), (86_400, "24h"), (90, "1m30s"), (1, "1s"), (0, "0s"), (172_800, "48h")],
)
def test_durations_read_as_agreements_write_them(seconds: int, text: str) -> None:
    assert duration_text(seconds * SECOND) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(Fraction(999, 1000), "99.9%"), (Fraction(1), "100%"), (Fraction(9995, 10_000), "99.95%")],
)
def test_percentages_read_as_agreements_write_them(share: Fraction, text: str) -> None:
    assert percent_text(share) == text
