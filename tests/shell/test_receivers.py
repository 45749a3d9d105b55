"""Receivers: who gets what, what it says, how each kind wants it, and what is made of every answer."""

import asyncio
import contextlib
import importlib.util
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
import structlog
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from slamon import clock
from slamon.agreement_files import load
from slamon.codec import parse_instant
from slamon.domain.agreement import Agreement
from slamon.domain.decisions import AlertTransition, Reason, Transition
from slamon.domain.events import MINUTE, SECOND
from slamon.outputs import messages
from slamon.outputs.metrics import Metrics
from slamon.outputs.notices import WORDS, Notice, notice, promise
from slamon.outputs.receivers import Receiver, Unusable, connected, receivers_of
from slamon.outputs.routes import Routes
from slamon.outputs.templates import Rendered, TemplateRefused, Templates, shipped
from slamon.records import alert_record, read_alert
from slamon.settings import RECEIVER_KINDS, NotifierSettings, read_settings
from slamon.telling import Answer
from tests.shell.documented import AlertmanagerWebhook, CloudEvent, PagerDutyEvent, SlackMessage
from tests.shell.listening import Answering, listening

KEY = "0123456789abcdef0123456789abcdef"  # as long as PagerDuty's are
SIGNING_KEY = "whsec_" + "c2xhbW9uLXNpZ25zLXdoYXQtaXQtc2VuZHMh"
ACME = """\
apiVersion: slamon/v1
kind: Agreement
metadata: {name: acme-2026, displayName: Managed services for ACME}
spec:
  customer: acme
  effective: {from: 2026-01-01}
  timeZone: Europe/Berlin
  objectives:
    - name: p1-response
      ticketClock: {measure: firstResponse, calendar: always, target: 15m, warnAt: [50%]}
      attainment: {target: 95%, timeWindow: {calendar: month}}
"""
NOW = parse_instant("2026-11-25T13:02:00Z")


def fired(**labels: str) -> AlertTransition:
    told = {
        "alertname": "SlaTicketAtRisk",
        "severity": "warning",
        "customer": "acme",
        "agreement": "acme-2026",
    }
    told |= {"objective": "p1-response", "ticket": "T-1", "step": "75%"} | labels
    return AlertTransition(
        id="5f2c61b7a2d94f0d8ad7bde1c3a0d6a1",
        episode=2,
        transition=Transition.FIRED,
        at=NOW - 20 * SECOND,
        detected_at=NOW - 19 * SECOND,
        late=False,
        reason=Reason.STEP_REACHED,
        labels=told,
        annotations={
            "summary": "acme: first response to ticket T-1 is due Wed 25 Nov 14:07 CET; 5 min left",
            "description": "Managed services for ACME, objective p1-response: 10 min of 15 min are used.",
            "due_at": "2026-11-25T13:07:00.000000Z",
            "time_left": "5 min",
            "contacts": "service manager sla@example.com",
        },
    )


def resolved(firing: AlertTransition, reason: Reason = Reason.STOPPED) -> AlertTransition:
    return msgspec.structs.replace(
        firing, transition=Transition.RESOLVED, at=NOW, detected_at=NOW, reason=reason
    )


def annotated(alert: AlertTransition, **annotations: str) -> AlertTransition:
    return msgspec.structs.replace(alert, annotations={**alert.annotations, **annotations})


def settings(**said: object) -> NotifierSettings:
    return NotifierSettings.model_validate(said)


COMMON = {
    "external_url": "https://slamon.example/",
    "customer_url": "https://slamon.example/customers/$customer",
    "dashboard_url": "https://grafana.example/d/on-call?var-customer=$customer&var-ticket=$ticket",
    "runbook_url": "https://wiki.example/$alertname",
}


@pytest.fixture(scope="module")
def agreements(tmp_path_factory: pytest.TempPathFactory) -> tuple[Agreement, ...]:
    file = tmp_path_factory.mktemp("agreements") / "acme.yaml"
    file.write_text(ACME)
    return load([file]).agreements


@pytest.fixture
def tell_of(agreements: tuple[Agreement, ...]) -> Callable[[AlertTransition], Notice]:
    return lambda alert: notice(alert, None, settings(**COMMON), lambda: agreements, NOW)


# Who gets it


ROUTES: Mapping[str, tuple[Mapping[str, object], Mapping[str, str], bool]] = {
    "every alert, if nothing is asked": ({}, {}, True),
    "its customer": ({"customers": ["other", "acme"]}, {}, True),
    "another customer": ({"customers": ["other"]}, {}, False),
    "its severity": ({"severities": ["critical", "warning"]}, {}, True),
    "another severity": ({"severities": ["critical"]}, {}, False),
    "its name": ({"alertnames": ["SlaTicketAtRisk"]}, {}, True),
    "another name": ({"alertnames": ["SlaBreached"]}, {}, False),
    "all that is asked": ({"customers": ["acme"], "severities": ["warning"]}, {}, True),
    "only some of what is asked": ({"customers": ["acme"], "severities": ["critical"]}, {}, False),
    "an alert without a customer": ({"customers": ["acme"]}, {"customer": ""}, False),
}


@pytest.mark.parametrize("case", ROUTES)
def test_a_route_is_for(case: str) -> None:
    route, labels, expected = ROUTES[case]
    said = settings(receivers={"team": {"log": {}}}, routes=[{"receivers": ["team"], **route}])
    assert Routes(said, "team").reach(fired(**labels)) is expected


def test_every_route_that_matches_counts_and_escalation_needs_none() -> None:
    said = settings(
        receivers={name: {"log": {}} for name in ("team", "acme", "duty manager", "boss")},
        routes=[{"receivers": ["team"]}, {"receivers": ["acme"], "customers": ["acme"]}],
    )
    alert = annotated(fired(), escalate_to="duty manager, somebody who is no longer there")
    assert [name for name in said.receivers if Routes(said, name).reach(alert)] == [
        "team",
        "acme",
        "duty manager",
    ]
    assert Routes(said, "duty manager").reach(resolved(alert)), "the end goes where the beginning went"


# What is wrong with settings


REFUSED: Mapping[str, tuple[Mapping[str, object], str]] = {
    "a route to nobody": (
        {"receivers": {"team": {"log": {}}}, "routes": [{"receivers": ["tem"]}]},
        "routes[0]: there is no receiver 'tem'; there is team",
    ),
    "a route for an alert that never comes": (
        {
            "receivers": {"team": {"log": {}}},
            "routes": [{"receivers": ["team"], "alertnames": ["SlaBreeched"]}],
        },
        "there is no alert 'SlaBreeched'; there are SlaTicketAtRisk,",
    ),
    "no kind": ({"receivers": {"a": {}}}, "give one of pagerduty, slack, webhook, apprise, log"),
    "two kinds": ({"receivers": {"a": {"log": {}, "slack": {"url_file": "f"}}}}, "give one of"),
    "no key": ({"receivers": {"a": {"pagerduty": {}}}}, "give routing_key_file or routing_key"),
    "two keys": (
        {"receivers": {"a": {"pagerduty": {"routing_key": KEY, "routing_key_file": "f"}}}},
        "give routing_key_file or routing_key",
    ),
    "no address": ({"receivers": {"a": {"slack": {}}}}, "give url_file or url"),
    "an address that is none": (
        {"receivers": {"a": {"slack": {"url": "hooks.slack.com/secret"}}}},
        "url begins with https:// or http:// and a host",
    ),
    "a second key without a first": (
        {"receivers": {"a": {"webhook": {"url_file": "f", "next_key_file": "f"}}}},
        "next_key_file comes beside a key",
    ),
    "a comma in a name": ({"receivers": {"a, b": {"log": {}}}}, "'a, b' is no name"),
    "a runbook of something unknown": (
        {"runbook_url": "https://wiki/$alert"},
        "what may stand for something",
    ),
    "a dashboard that is no address": ({"dashboard_url": "grafana/d/x"}, "an address begins with https://"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_settings_are_refused_with(case: str) -> None:
    said, words = REFUSED[case]
    with pytest.raises(ValidationError) as refused:
        settings(**said)
    assert words in str(refused.value)
    assert "secret" not in str(refused.value)


def test_no_secret_is_in_a_representation(tmp_path: Path) -> None:
    said = settings(
        receivers={
            "a": {"pagerduty": {"routing_key": KEY}},
            "b": {"slack": {"url": f"https://hooks.example/{KEY}"}},
            "c": {"webhook": {"url": f"https://x.example/?token={KEY}", "key": f"{KEY}"}},
            "d": {"apprise": {"urls": [f"json://user:{KEY}@x.example"]}},
        }
    )
    assert KEY not in repr(said)
    assert KEY not in str(said.model_dump())


def test_files_of_receivers_are_found_from_the_settings(tmp_path: Path) -> None:
    config = tmp_path / "slamon.yaml"
    config.write_text(
        "notifier: {receivers: {a: {slack: {url_file: secrets/url, template: texts/slack.yaml}}}}"
    )
    slack = read_settings(config).notifier.receivers["a"].slack
    assert slack is not None
    assert (slack.url_file, slack.template) == (tmp_path / "secrets/url", tmp_path / "texts/slack.yaml")


# What it says


def test_a_notice_says_what_happened_for_whom_due_when_why_and_what_to_do(
    tell_of: Callable[[AlertTransition], Notice],
) -> None:
    words = tell_of(annotated(fired(), escalate_to="duty manager")).words
    assert words.keys() == WORDS.keys()
    said = {
        "customer_name": "Managed services for ACME",
        "due": "Wed 25 Nov 14:07 CET",
        "due_utc": "2026-11-25T13:07:00Z",
        "time_left": "5 min left",
        "breached": "",
        "why": "objective p1-response of agreement acme-2026: first response within 15 min, for 95 % of the tickets of the month",
        "runbook": "https://wiki.example/SlaTicketAtRisk",
        "dashboard": "https://grafana.example/d/on-call?var-customer=acme&var-ticket=T-1",
        "page": "https://slamon.example/customers/acme",
        "mark": "🟠",
        "escalated_to": "duty manager",
    }
    assert {name: words[name] for name in said} == said


def test_the_time_left_is_that_of_the_telling(agreements: tuple[Agreement, ...]) -> None:
    told = notice(fired(), None, settings(), lambda: agreements, NOW + 20 * MINUTE)
    assert told.words["time_left"] == "overdue by 15 min"


def test_without_its_agreement_an_alert_is_told_in_utc() -> None:
    words = notice(fired(), None, settings(), tuple, NOW).words
    assert words["due"] == words["due_utc"] == "2026-11-25T13:07:00Z"
    assert words["customer_name"] == "acme"


def test_the_version_of_an_agreement_is_the_one_in_force(agreements: tuple[Agreement, ...]) -> None:
    later = replace(agreements[0], display_name="Of the year after", start=NOW + MINUTE)
    words = notice(fired(), None, settings(), lambda: (later, *agreements), NOW).words
    assert words["customer_name"] == "Managed services for ACME"


def test_names_are_quoted_in_addresses() -> None:
    said = settings(dashboard_url="https://grafana.example/?c=$customer")
    words = notice(fired(customer="Bäcker & Söhne"), None, said, tuple, NOW).words
    assert words["dashboard"] == "https://grafana.example/?c=B%C3%A4cker%20%26%20S%C3%B6hne"


def test_a_record_is_read_as_it_was_written() -> None:
    for alert in (fired(), resolved(fired())):
        assert read_alert(alert_record(alert, 7)) == alert
    for other in (b"", b"{}", b"[1]", alert_record(fired(), 1).replace(b"fired", b"burnt", 1)):
        with pytest.raises(ValueError, match=r"."):
            read_alert(other)


# Texts


@pytest.mark.parametrize("kind", [kind for kind in RECEIVER_KINDS if kind != "webhook"])
def test_the_shipped_text_says_what_is_to_be_said(
    kind: str, tell_of: Callable[[AlertTransition], Notice]
) -> None:
    rendered = Templates(kind, None).render(tell_of(fired()))
    whole = f"{rendered.title}\n{rendered.text}"
    wanted = ["ticket T-1", "Wed 25 Nov 14:07 CET", "2026-11-25T13:07:00Z", "5 min left", "p1-response"]
    assert [word for word in wanted if word not in whole] == []
    assert "$" not in whole
    assert "Breached" not in whole, "a line about nothing is left out"
    if kind != "log":
        assert "https://wiki.example/SlaTicketAtRisk" in whole
    ended = Templates(kind, None).render(tell_of(resolved(fired())))
    assert "T-1" in ended.title
    assert "the clock has stopped" in f"{ended.title}\n{ended.text}"


def template(folder: Path, contents: str) -> Path:
    file = folder / "texts.yaml"
    file.write_text(contents)
    return file


def test_a_template_of_the_settings_replaces_the_shipped_one(
    tmp_path: Path, tell_of: Callable[[AlertTransition], Notice]
) -> None:
    file = template(
        tmp_path,
        "fired: {title: '$ticket costs 5 $$', text: \"for $customer\\nsince $breached\"}\nresolved: {title: 'over: $ticket'}",
    )
    templates = Templates("slack", file)
    assert templates.render(tell_of(fired())) == Rendered("T-1 costs 5 $", "for acme")
    assert templates.render(tell_of(resolved(fired()))) == Rendered("over: T-1", "")


FAULTY: Mapping[str, tuple[str, str]] = {
    "an unknown name": (
        "{fired: {title: $sumary}, resolved: {title: a}}",
        "fired.title: $sumary stands for nothing",
    ),
    "a lost dollar": ("{fired: {title: '5 $'}, resolved: {title: a}}", "is written $$"),
    "no text for the end": ("{fired: {title: a}}", "resolved: Field required"),
    "an unknown key": ("{fired: {title: a, body: b}, resolved: {title: a}}", "fired.body: Extra inputs"),
    "no mapping": ("hello", "the file: Input should be"),
    "no YAML": ("{", "while parsing"),
}


@pytest.mark.parametrize("case", FAULTY)
def test_a_template_is_refused_at_the_start_with(case: str, tmp_path: Path) -> None:
    contents, words = FAULTY[case]
    file = template(tmp_path, contents)
    said = settings(receivers={"team": {"log": {"template": str(file)}}})
    with pytest.raises(Unusable) as refused:
        receivers_of(said, tuple, Metrics("1"))
    assert str(refused.value).startswith(f"notifier.receivers.team: template {file}: ")
    assert words in str(refused.value)


def test_a_template_that_is_not_there_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(TemplateRefused, match="No such file"):
        Templates("slack", tmp_path / "none.yaml")


def test_a_template_that_says_nothing_loses_no_alert(
    tmp_path: Path, tell_of: Callable[[AlertTransition], Notice]
) -> None:
    templates = Templates(
        "slack", template(tmp_path, "{fired: {title: $breached}, resolved: {title: $breached}}")
    )
    assert "ticket T-1" in templates.render(tell_of(fired())).title


def test_the_shipped_templates_are_examples_that_can_be_changed(tmp_path: Path) -> None:
    for kind in ("slack", "pagerduty", "apprise", "log"):
        Templates(kind, template(tmp_path, shipped(kind)))


# Bodies


ANYTHING = st.text(st.characters(), max_size=400) | st.sampled_from(
    ["", "$summary", "<!channel>", "&amp;", "\ud800"]
)
NAMED = st.sampled_from(
    ["summary", "description", "due_at", "breached_at", "contacts", "escalate_to", "service_affected"]
)
ALERTS = st.builds(
    lambda labels, annotations, end: (resolved if end else msgspec.structs.replace)(
        msgspec.structs.replace(fired(**labels), annotations=annotations)
    ),
    st.dictionaries(st.sampled_from(["customer", "agreement", "objective", "ticket", "step"]), ANYTHING),
    st.dictionaries(NAMED, ANYTHING | st.text("x\n ", min_size=3000, max_size=9000)),
    st.booleans(),
)


@given(ALERTS)
def test_whatever_an_alert_says_the_bodies_are_as_their_readers_document_them(alert: AlertTransition) -> None:
    told = notice(alert, None, settings(**COMMON), tuple, NOW)
    event = messages.pagerduty(told, Templates("pagerduty", None).render(told), KEY, {})
    PagerDutyEvent.model_validate_json(orjson.dumps(event))
    assert len(orjson.dumps(event)) <= 512 * 1024
    slack = messages.slack(Templates("slack", None, messages.escaped_for_slack).render(told))
    SlackMessage.model_validate_json(orjson.dumps(slack))
    AlertmanagerWebhook.model_validate_json(orjson.dumps(messages.alertmanager(told, "team")))
    CloudEvent.model_validate_json(orjson.dumps(messages.cloudevent(told, "slamon")))


def test_an_incident_is_known_by_the_alerts_id_from_its_beginning_to_its_end(
    tell_of: Callable[[AlertTransition], Notice],
) -> None:
    rendered = Rendered("title", "text")
    events = [
        messages.pagerduty(tell_of(alert), rendered, KEY, {"warning": "error"})
        for alert in (fired(), resolved(fired()), msgspec.structs.replace(fired(), episode=3))
    ]
    assert [event["event_action"] for event in events] == ["trigger", "resolve", "trigger"]
    assert {event["dedup_key"] for event in events} == {fired().id}
    assert events[0]["payload"]["severity"] == "error"
    assert events[0]["payload"]["timestamp"] == "2026-11-25T13:01:40.000000Z"
    assert [link["href"] for link in events[0]["links"]] == [
        "https://wiki.example/SlaTicketAtRisk",
        "https://grafana.example/d/on-call?var-customer=acme&var-ticket=T-1",
        "https://slamon.example/customers/acme",
    ]


def test_an_event_that_is_too_large_for_pagerduty_leaves_its_details_out(
    tell_of: Callable[[AlertTransition], Notice],
) -> None:
    many = {f"word_{number}": "x" * 5000 for number in range(200)}
    event = messages.pagerduty(tell_of(annotated(fired(), **many)), Rendered("title", "text"), KEY, {})
    assert len(orjson.dumps(event)) < 512 * 1024
    assert event["payload"]["summary"] == "title"
    assert "custom_details" not in event["payload"]


def test_what_slack_would_take_for_a_mention_is_only_text(
    tell_of: Callable[[AlertTransition], Notice],
) -> None:
    told = tell_of(annotated(fired(), summary="<!channel> & <@U1>", description="<!here>"))
    message = messages.slack(Templates("slack", None, messages.escaped_for_slack).render(told))
    assert message["text"] == "🟠 &lt;!channel&gt; &amp; &lt;@U1&gt;"
    header, section = message["blocks"]
    assert header["text"]["text"] == "🟠 <!channel> & <@U1>", "a header is plain text"
    assert section["text"]["text"].startswith("&lt;!here&gt;")
    assert "<https://wiki.example/SlaTicketAtRisk|runbook of SlaTicketAtRisk>" in section["text"]["text"]


def test_a_long_text_is_cut_between_lines() -> None:
    assert messages.cut_lines("a\nbb\n<https://x|y>", 10) == "a\nbb…"
    assert messages.cut_lines("a" * 20, 10) == "a" * 9 + "…"


def test_the_webhook_of_alertmanager_says_when_it_began_and_ended(agreements: tuple[Agreement, ...]) -> None:
    began = notice(fired(), fired().at, settings(**COMMON), lambda: agreements, NOW)
    ended = notice(resolved(fired()), fired().at, settings(**COMMON), lambda: agreements, NOW)
    [first], [last] = (messages.alertmanager(told, "team")["alerts"] for told in (began, ended))
    assert (first["status"], first["endsAt"]) == ("firing", "0001-01-01T00:00:00Z")
    assert (last["status"], last["startsAt"], last["endsAt"]) == (
        "resolved",
        "2026-11-25T13:01:40.000000Z",
        "2026-11-25T13:02:00.000000Z",
    )
    assert first["annotations"]["runbook_url"] == "https://wiki.example/SlaTicketAtRisk"


def test_a_cloud_event_has_one_id_for_a_transition_and_all_its_repetitions(
    tell_of: Callable[[AlertTransition], Notice],
) -> None:
    alerts = [fired(), fired(), resolved(fired()), msgspec.structs.replace(fired(), episode=3)]
    ids = [messages.cloudevent(tell_of(alert), "slamon")["id"] for alert in alerts]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


# Answers


class Telling:
    """A receiver, its counters and its log."""

    def __init__(self, receiver: Receiver, metrics: Metrics, lines: Sequence[Mapping[str, Any]]) -> None:
        self.receiver = receiver
        self.lines = lines
        self._metrics = metrics

    def counted(self, which: str) -> float:
        found = self._metrics.registry.get_sample_value(
            f"slamon_notifications{which}_total", {"receiver": "team"}
        )
        assert found is not None
        return found

    async def tell(self, alert: AlertTransition | None = None) -> Answer:
        return await self.receiver.tell(alert or fired(), None)

    @property
    def why(self) -> str:
        return " ".join(str(line.get("why", "")) for line in self.lines)


KINDS: Mapping[str, Callable[[str], Mapping[str, Any]]] = {
    "pagerduty": lambda url: {"url": url, "routing_key": KEY, "timeout": 0.5},
    "slack": lambda url: {"url": f"{url}services/{KEY}", "timeout": 0.5},
    "webhook": lambda url: {"url": f"{url}?token={KEY}", "key": SIGNING_KEY, "timeout": 0.5},
}


def accepts(kind: str) -> Answering:
    status = 202 if kind == "pagerduty" else 200
    return lambda _request, _body: web.Response(status=status, text="ok", content_type="text/html")


@contextlib.asynccontextmanager
async def telling(kind: str, url: str, **more: object) -> AsyncIterator[Telling]:
    said = settings(receivers={"team": {kind: {**KINDS[kind](url), **more}}}, **COMMON)
    metrics = Metrics("1")
    [receiver] = receivers_of(said, tuple, metrics)
    with structlog.testing.capture_logs() as lines:
        async with connected([receiver]):
            yield Telling(receiver, metrics, lines)
    assert KEY not in str(lines)


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_taken_is_counted(kind: str) -> None:
    async with listening(accepts(kind)) as listener, telling(kind, listener.url) as told:
        assert await told.tell() is Answer.TAKEN
        assert await told.tell(resolved(fired())) is Answer.TAKEN
        assert told.counted("") == 2
        assert told.receiver.pause() <= 0
        assert len(listener.heard) == 2


def said(status: int, text: str = "no", **headers: str) -> Answering:
    return lambda _request, _body: web.Response(status=status, text=text, headers=headers)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [400, 413, 422])
async def test_what_is_refused_for_good_is_dropped_counted_and_logged(kind: str, status: int) -> None:
    async with listening(said(status, "invalid_blocks")) as listener, telling(kind, listener.url) as told:
        assert await told.tell() is Answer.REFUSED
        assert (told.counted(""), told.counted("_failed"), told.counted("_dropped")) == (0, 0, 1)
        [line] = told.lines
        assert (line["event"], line["why"]) == ("alert_refused", f"{status} invalid_blocks")
        assert told.receiver.pause() <= 0, "the next alert may be right"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [301, 401, 403, 404, 408, 410, 429, 500, 502, 503])
async def test_what_says_nothing_about_the_alert_loses_nothing(kind: str, status: int) -> None:
    async with listening(said(status)) as listener, telling(kind, listener.url) as told:
        assert await told.tell() is Answer.FAILED
        assert (told.counted(""), told.counted("_failed"), told.counted("_dropped")) == (0, 1, 0)
        assert 0 < told.receiver.pause() <= 1
        assert f"{status} no" in told.why
        listener.answer = accepts(kind)
        assert await told.tell() is Answer.TAKEN
        assert told.lines[-1]["event"] == "receiver_answers_again"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_page_of_a_proxy_says_nothing_about_the_alert(kind: str) -> None:
    for status in (200, 400):
        page = said(status, "<html>Please log in</html>")
        async with listening(page) as listener, telling(kind, listener.url) as told:
            expected = Answer.TAKEN if (kind, status) == ("webhook", 200) else Answer.FAILED
            assert await told.tell() is expected


async def test_pagerduty_takes_nothing_by_another_answer_than_its_own() -> None:
    async with listening(said(200, "ok")) as listener, telling("pagerduty", listener.url) as told:
        assert await told.tell() is Answer.FAILED


async def test_a_wrong_routing_key_loses_nothing() -> None:
    wrong = said(400, '{"status":"invalid event","errors":["Length of \'routing_key\' is incorrect"]}')
    async with listening(wrong) as listener, telling("pagerduty", listener.url) as told:
        assert await told.tell() is Answer.FAILED


async def test_who_asks_to_be_left_alone_is_left_alone_but_not_for_ever() -> None:
    async with (
        listening(said(429, **{"Retry-After": "7"})) as listener,
        telling("slack", listener.url) as told,
    ):
        await told.tell()
        assert 6 < told.receiver.pause() <= 7
        listener.answer = said(429, **{"Retry-After": "86400000"})
        await told.tell()
        assert told.receiver.pause() <= 120
        listener.answer = said(429, **{"Retry-After": "Wed, 25 Nov 2026 13:00:00 GMT"})
        await told.tell()
        assert told.receiver.pause() <= 4


async def test_pauses_grow_to_half_a_minute() -> None:
    async with listening(said(500)) as listener, telling("webhook", listener.url) as told:
        pauses = []
        for _ in range(8):
            await told.tell()
            pauses.append(round(told.receiver.pause()))
        assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
        assert [line["event"] for line in told.lines] == ["receiver_fails"], "it is said once"


async def test_attempts_of_many_partitions_that_fail_together_are_one_failure() -> None:
    async with listening(said(500)) as listener, telling("webhook", listener.url) as told:
        await asyncio.gather(*(told.tell() for _ in range(8)))
        assert told.receiver.pause() <= 1
        assert told.counted("_failed") == 8


@pytest.mark.parametrize("kind", KINDS)
async def test_who_hangs_is_given_up_in_time(kind: str) -> None:
    async with listening() as listener, telling(kind, listener.url) as told:
        listener.hangs_until = asyncio.Event()
        assert await told.tell() is Answer.FAILED
        assert "Timeout" in told.why
        listener.hangs_until.set()


async def _garbage(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example ESMTP\r\n")
    writer.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_who_speaks_no_http_or_is_not_there_loses_nothing(kind: str) -> None:
    server = await asyncio.start_server(_garbage, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with telling(kind, f"http://127.0.0.1:{port}/") as told:
        assert await told.tell() is Answer.FAILED
        server.close()
        await server.wait_closed()
        assert await told.tell() is Answer.FAILED
        assert told.counted("_failed") == 2


async def test_secrets_are_read_again_for_each_request(tmp_path: Path) -> None:
    file = tmp_path / "url"
    said_ = settings(receivers={"team": {"slack": {"url_file": str(file)}}})
    [receiver] = receivers_of(said_, tuple, Metrics("1"))
    async with listening() as listener, connected([receiver]):
        assert await receiver.tell(fired(), None) is Answer.FAILED
        file.write_text("no address at all\n")
        assert await receiver.tell(fired(), None) is Answer.FAILED
        file.write_text(f"{listener.url}\n")
        assert await receiver.tell(fired(), None) is Answer.TAKEN


async def test_an_address_from_a_file_is_in_no_log(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text(f"ftp:///{KEY}")
    said_ = settings(receivers={"team": {"slack": {"url_file": str(file)}}})
    [receiver] = receivers_of(said_, tuple, Metrics("1"))
    with structlog.testing.capture_logs() as lines:
        async with connected([receiver]):
            assert await receiver.tell(fired(), None) is Answer.FAILED
    assert lines
    assert KEY not in str(lines)


async def test_a_fault_of_ours_loses_no_alert(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening(accepts("slack")) as listener, telling("slack", listener.url) as told:
        with monkeypatch.context() as broken:
            broken.setattr(messages, "slack", lambda _: 1 / 0)
            assert await told.tell() is Answer.FAILED
        assert told.lines[0]["event"] == "receiver_faulty"
        assert await told.tell() is Answer.TAKEN


# Signatures


def signature_example() -> Callable[..., bool]:
    """The function that docs/notifications.md gives to who receives webhooks."""
    page = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text(encoding="utf-8")
    _, _, rest = page.partition("```python\n")
    found: dict[str, Any] = {}
    exec(rest.partition("```")[0], found)
    verify: Callable[..., bool] = found["is_from_slamon"]
    return verify


@pytest.mark.parametrize("body", ["alertmanager", "cloudevents"])
async def test_a_receiver_verifies_by_either_key_and_refuses_what_was_changed_or_is_old(
    body: str, tmp_path: Path
) -> None:
    verify = signature_example()
    other = "whsec_" + "YW5vdGhlciBrZXkgb2YgYXQgbGVhc3QgMjQ="
    (tmp_path / "next").write_text(f"{other}\n")
    kept: list[tuple[Mapping[str, str], bytes]] = []

    async def keep(request: web.Request) -> web.Response:
        kept.append((request.headers, await request.read()))
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/", keep)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    more = {"body": body, "next_key_file": str(tmp_path / "next")}
    async with telling("webhook", f"http://127.0.0.1:{runner.addresses[0][1]}/", **more) as told:
        assert await told.tell() is Answer.TAKEN
        assert await told.tell() is Answer.TAKEN
    await runner.cleanup()
    now = clock.wall() // SECOND
    (headers, sent), (again, _) = kept
    for key in (SIGNING_KEY, other):
        assert verify(headers, sent, key, now)
        assert not verify(headers, sent + b" ", key, now)
        assert not verify(headers, sent, key, now + 301)
        assert not verify(headers, sent, key, now - 301)
        assert not verify({**headers, "webhook-id": "another"}, sent, key, now)
    assert not verify(headers, sent, "whsec_" + "bm90IHRoZSBrZXkgdGhhdCBzaWduZWQgdGhpcw==", now)
    assert headers["webhook-id"] == again["webhook-id"], "by it a repetition is known"
    kind = "application/cloudevents+json" if body == "cloudevents" else "application/json"
    assert headers["Content-Type"] == kind


@pytest.mark.parametrize("key", ["short", "whsec_" + "c2hvcnQ=", "whsec_no base64!"])
def test_a_key_that_is_none_is_refused_at_the_start(key: str) -> None:
    said_ = settings(receivers={"team": {"webhook": {"url": "https://x.example", "key": key}}})
    with pytest.raises(Unusable) as refused:
        receivers_of(said_, tuple, Metrics("1"))
    assert key not in str(refused.value)


async def test_without_a_key_nothing_is_signed() -> None:
    async with listening() as listener, telling("webhook", listener.url, key=None) as told:
        assert await told.tell() is Answer.TAKEN
        assert "webhook-signature" not in listener.headers[0]
        assert listener.headers[0]["webhook-id"]


# Otherwise


async def test_the_log_is_a_receiver_too() -> None:
    [receiver] = receivers_of(settings(receivers={"team": {"log": {}}}), tuple, Metrics("1"))
    with structlog.testing.capture_logs() as lines:
        async with connected([receiver]):
            assert await receiver.tell(fired(), None) is Answer.TAKEN
    [line] = lines
    assert (line["event"], line["receiver"]) == ("notification", "team")
    assert "ticket T-1" in line["title"]


def test_without_apprise_its_receiver_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    said_ = settings(receivers={"sms": {"apprise": {"urls": ["json://localhost"]}}})
    with pytest.raises(
        Unusable, match=r"notifier.receivers.sms: Apprise is not installed: pip install 'slamon\[apprise\]'"
    ):
        receivers_of(said_, tuple, Metrics("1"))


@pytest.fixture
def apprise() -> None:
    if importlib.util.find_spec("apprise") is None:
        assert os.environ.get("CI") != "true", "the extra slamon[apprise] is needed to test its receiver"
        pytest.skip("NOT CHECKED: the extra slamon[apprise] is not installed")


@pytest.mark.usefixtures("apprise")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # its plugins are of all ages
async def test_apprise_tells_every_address_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "urls"
    async with listening() as one, listening() as two:
        file.write_text(
            "".join(f"# a comment\n{each.url.replace('http:', 'json:')}\n" for each in (one, two))
        )
        said_ = settings(receivers={"team": {"apprise": {"urls_file": str(file)}}}, **COMMON)
        [receiver] = receivers_of(said_, tuple, Metrics("1"))
        async with connected([receiver]):
            assert await receiver.tell(fired(), None) is Answer.TAKEN
            assert await receiver.tell(resolved(fired()), None) is Answer.TAKEN
            for listener in (one, two):
                assert [body["type"] for body in listener.heard] == ["warning", "success"]
                assert "ticket T-1" in listener.heard[0]["title"]
                assert "Wed 25 Nov" not in listener.heard[0]["message"], "no agreement, so in UTC"
                assert "2026-11-25T13:07:00Z" in listener.heard[0]["message"]
            two.answer = said(500)
            assert await receiver.tell(fired(), None) is Answer.FAILED
            file.write_text("nothing://that.apprise/knows")
            assert await receiver.tell(fired(), None) is Answer.FAILED


def test_the_text_of_slack_on_the_page_is_the_shipped_one() -> None:
    page = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text(encoding="utf-8")
    _, _, rest = page.partition("```yaml shipped slack\n")
    assert rest.partition("```")[0] == shipped("slack")


def test_the_words_of_templates_are_on_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text(encoding="utf-8")
    assert [
        f"| `${name}` | {meaning} |"
        for name, meaning in WORDS.items()
        if f"| `${name}` | {meaning} |" not in page
    ] == []


OBJECTIVES: Mapping[str, str] = {
    "{name: a, ticketClock: {measure: resolution, calendar: always, target: 4h}, attainment: {target: 90%, timeWindow: {rolling: 30d}}}": (
        "resolution within 4 h, for 90 % of the tickets of the last 30 d"
    ),
    "{name: a, service: shop, availability: {target: 99.9%, timeWindow: {calendar: quarter}}}": (
        "shop is up 99.9 % of the quarter"
    ),
    "{name: a, service: shop, requests: {target: 99.5%, timeWindow: {rolling: 28d}}}": (
        "99.5 % of the requests to shop succeed in the last 28 d"
    ),
}


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_promise_is_told_in_words(objective: str, tmp_path: Path) -> None:
    file = tmp_path / "acme.yaml"
    head, _, _ = ACME.partition("    - name")
    file.write_text(f"{head}    - {objective}\n")
    [agreement] = load([file]).agreements
    assert promise(agreement.objectives[0]) == OBJECTIVES[objective]


async def test_who_hangs_with_many_partitions_takes_no_connection_from_the_others() -> None:
    async with listening() as away, listening() as there:
        away.hangs_until = asyncio.Event()
        said_ = settings(
            receivers={
                "away": {"slack": {"url": away.url, "timeout": 30}},
                "there": {"slack": {"url": there.url, "timeout": 1}},
            }
        )
        one, other = receivers_of(said_, tuple, Metrics("1"))
        async with connected([one, other]), asyncio.TaskGroup() as group:
            hanging = [group.create_task(one.tell(fired(), None)) for _ in range(101)]
            while len(away.asked) < 100:
                await clock.wait(0)
            try:
                assert await other.tell(fired(), None) is Answer.TAKEN
            finally:
                away.hangs_until.set()
        assert {task.result() for task in hanging} == {Answer.TAKEN}


@pytest.mark.usefixtures("apprise")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_what_apprise_does_not_like_about_an_address_is_in_no_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    secret = "correct-horse"  # Apprise blanks what looks like a token, and no more
    for address in (f"discord://{secret}", f"tgram://{secret}/1"):
        said_ = settings(receivers={"team": {"apprise": {"urls": [address]}}})
        [receiver] = receivers_of(said_, tuple, Metrics("1"))
        async with connected([receiver]):
            assert await receiver.tell(fired(), None) is Answer.FAILED
    assert secret not in caplog.text


@pytest.mark.usefixtures("apprise")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_names_are_looked_up_however_many_notifications_of_apprise_hang() -> None:
    async with listening() as listener:
        listener.hangs_until = asyncio.Event()
        address = listener.url.replace("http:", "json:") + "?rto=60"
        said_ = settings(receivers={"team": {"apprise": {"urls": [address], "timeout": 1}}})
        [receiver] = receivers_of(said_, tuple, Metrics("1"))
        async with connected([receiver]):
            told = await asyncio.gather(*(receiver.tell(fired(), None) for _ in range(64)))
            assert set(told) == {Answer.FAILED}
            try:
                async with asyncio.timeout(5):
                    assert await asyncio.get_running_loop().getaddrinfo("localhost", 80)
            finally:
                listener.hangs_until.set()
