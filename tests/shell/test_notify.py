"""`slamon notify test`, and whom agreements may escalate to, as users type them."""

from collections.abc import AsyncIterator
from io import StringIO
from pathlib import Path

import orjson
import pytest
from aiohttp import web
from click.testing import CliRunner

from slamon.agreement_files import AgreementsInUse, AgreementsRefused, load, unknown_receivers
from slamon.cli import main
from slamon.domain.agreement import AlertName, Severity
from slamon.notify import Asked, dry_run, send
from slamon.settings import read_settings
from tests.shell.listening import Answering, Listener, listening

ACME = """\
apiVersion: slamon/v1
kind: Agreement
metadata: {name: acme-2026}
spec:
  customer: acme
  effective: {from: 2026-01-01}
  timeZone: Europe/Berlin
  support: {escalation: [{after: 75%, to: duty manager}]}
  objectives:
    - {name: p1, ticketClock: {measure: resolution, calendar: always, target: 4h, warnAt: [75%]}, attainment: {target: 90%}}
"""


@pytest.fixture
async def team() -> AsyncIterator[Listener]:
    async with listening() as listener:
        yield listener


def config(folder: Path, **notifier: object) -> Path:
    (folder / "acme.yaml").write_text(ACME)
    file = folder / "slamon.yaml"
    file.write_bytes(orjson.dumps({"agreements": ["acme.yaml"], "notifier": notifier}))
    return file


def typed(*words: str | Path) -> tuple[str, int]:
    result = CliRunner().invoke(main, [str(word) for word in words])
    return result.output, result.exit_code


def to(team: Listener) -> dict[str, object]:
    return {"slack": {"url": team.url}}


async def sent(file: Path, **asked: object) -> tuple[str, int]:
    settings, out = read_settings(file), StringIO()
    agreements = AgreementsInUse(settings.agreements).agreements
    code = await send(settings, Asked(**asked), agreements, out)  # type: ignore[arg-type]  # - named as the fields are
    return out.getvalue(), code


async def test_a_sample_is_sent_as_it_fires_and_as_it_ends_and_says_that_it_is_one(
    tmp_path: Path, team: Listener
) -> None:
    file = config(tmp_path, receivers={"team": to(team), "duty manager": {"log": {}}})
    text, code = await sent(file, receivers=["team"])
    assert (text, code) == (
        "team (slack)\n  fired     taken    200 ok\n  resolved  taken    200 ok\n1 of 1 took it\n",
        0,
    )
    first, last = (body["text"] for body in team.heard)
    assert first.startswith("🔴 acme: this is a test")
    assert last == "✅ acme SlaTicketAtRisk 90% TEST-1 is over"


async def test_what_was_refused_or_failed_is_said_and_its_end_is_not_sent(
    tmp_path: Path, team: Listener
) -> None:
    file = config(tmp_path, receivers={"team": to(team), "duty manager": {"log": {}}})
    for status, word in ((400, "refused"), (500, "failed ")):
        team.answer = saying(status)
        text, code = await sent(file, receivers=["team"])
        assert (text, code) == (f"team (slack)\n  fired     {word}  {status} no thanks\n0 of 1 took it\n", 1)
    assert len(team.asked) == 2


async def test_without_options_every_receiver_gets_it_else_those_of_the_routes(
    tmp_path: Path, team: Listener
) -> None:
    receivers = {"team": to(team), "other": to(team), "duty manager": {"log": {}}}
    routes = [
        {"receivers": ["team"], "customers": ["acme"]},
        {"receivers": ["other"], "severities": ["info"]},
    ]
    file = config(tmp_path, receivers=receivers, routes=routes)
    assert (await sent(file))[0].splitlines()[-1] == "3 of 3 took it"
    text, code = await sent(file, customer="acme", severity=Severity.WARNING)
    assert (text.splitlines()[0], text.splitlines()[-1], code) == ("team (slack)", "1 of 1 took it", 0)
    text, code = await sent(file, customer="nobody", alertname=AlertName.BREACHED)
    assert (text, code) == ("nobody: no route is for SlaBreached, critical, of nobody,\n", 1)


def test_a_dry_run_says_who_would_get_it_and_why_and_shows_what(tmp_path: Path) -> None:
    receivers = {
        "team": {"slack": {"url": "https://hooks.example/secret"}},
        "pager": {"pagerduty": {"routing_key": "secret"}},
        "duty manager": {"log": {}},
    }
    routes = [{"receivers": ["team"], "customers": ["acme"]}]
    file = config(tmp_path, receivers=receivers, routes=routes, alertmanagers=[{"url": "http://am:9093"}])
    settings, out = read_settings(file), StringIO()
    agreements = AgreementsInUse(settings.agreements).agreements
    asked = Asked(receivers=("team", "pager"), customer="acme")
    assert dry_run(settings, asked, agreements, out) == 0
    head, _, bodies = out.getvalue().partition("\n\n--- ")
    assert head.splitlines() == [
        "SlaTicketAtRisk, critical, of acme, goes to:",
        "  team (slack), by routes[0]",
        "  pager (pagerduty), though no route leads there",
        "  duty manager, by the escalation of acme-2026, once 75% is used up",
        "  every Alertmanager: 1",
    ]
    assert bodies.startswith("team, fired\n{")
    for word in (
        "team, resolved",
        "pager, fired",
        "pager, resolved",
        '"dedup_key"',
        "CET",
        "resolution within 4 h",
    ):
        assert word in bodies
    assert "secret" not in out.getvalue()


REFUSED = {
    "an unknown receiver": (["--receiver", "tem"], "there is no receiver 'tem'; there is team, duty manager"),
    "an unknown receiver in a dry run": (["--receiver", "tem", "--dry-run"], "there is no receiver 'tem'"),
    "an unknown alert": (
        ["--alertname", "SlaBreach"],
        "there is no alert SlaBreach; there are SlaTicketAtRisk",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_refuses(case: str, tmp_path: Path) -> None:
    options, words = REFUSED[case]
    file = config(tmp_path, receivers={"team": {"slack": {"url_file": "f"}}, "duty manager": {"log": {}}})
    text, code = typed("notify", "test", "--config", file, *options)
    assert words in text
    assert (code > 0, "Traceback" in text) == (True, False)


def test_a_customer_without_an_agreement_is_pointed_out(tmp_path: Path) -> None:
    file = config(tmp_path, receivers={"team": {"log": {}}, "duty manager": {"log": {}}})
    text, code = typed("notify", "test", "--config", file, "--customer", "acmee", "--dry-run")
    assert code == 0
    assert "  no agreement is one of acmee: is it spelt as there?" in text.splitlines()


MISSPELT: dict[str, dict[str, object]] = {
    "notifier.recievers: there is no such setting; did you mean receivers?": {"recievers": {}},
    "notifier.receivers.team.slak: there is no such setting; did you mean slack?": {
        "receivers": {"team": {"slak": {}}}
    },
    "notifier.receivers.team.slack.ur: there is no such setting; did you mean url?": {
        "receivers": {"team": {"slack": {"ur": "x"}}}
    },
    "notifier.routes.0.custmers: there is no such setting; did you mean customers?": {
        "receivers": {"team": {"log": {}}},
        "routes": [{"receivers": ["team"], "custmers": ["acme"]}],
    },
}


@pytest.mark.parametrize("words", MISSPELT)
def test_a_misspelt_setting_is_refused_with_what_is_meant(words: str, tmp_path: Path) -> None:
    text, code = typed("notify", "test", "--config", config(tmp_path, **MISSPELT[words]))
    assert code == 2
    assert f"{words} Allowed: " in text


EMPTY_SECRETS = {"missing": "No such file or directory", "empty": "it is empty"}


@pytest.mark.parametrize("file", EMPTY_SECRETS)
def test_a_secret_that_is_not_there_is_named(file: str, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    receivers = {"team": {"slack": {"url_file": file}}, "duty manager": {"log": {}}}
    text, code = typed(
        "notify", "test", "--config", config(tmp_path, receivers=receivers), "--receiver", "team"
    )
    assert code == 1
    assert f"failed   secret file {tmp_path / file}: {EMPTY_SECRETS[file]}" in text


def test_without_receivers_there_is_nothing_to_test(tmp_path: Path) -> None:
    text, code = typed("notify", "test", "--config", config(tmp_path))
    assert (text.strip(), code) == (
        f"error: {tmp_path}/slamon.yaml names no receivers: see notifier.receivers",
        2,
    )


def saying(status: int) -> Answering:
    return lambda _request, _body: web.Response(status=status, text="no\nthanks")


# Whom agreements escalate to


def test_a_receiver_that_nobody_is_called_is_refused_by_check_with_settings(tmp_path: Path) -> None:
    file = config(tmp_path, receivers={"team": {"log": {}}})
    text, code = typed("check", tmp_path / "acme.yaml", "--config", file)
    assert code == 1
    assert "error: there is no receiver `duty manager` in the settings, so nobody would be told" in text
    assert "spec.support.escalation[0].to" in text
    assert "help: there is `team`; add `duty manager` to notifier.receivers of the settings" in text
    assert "1 fault in 1 file" in text.splitlines()[-1]
    assert typed("check", "--config", file)[1] == 1, "the agreements that the settings name"
    assert typed("check", tmp_path / "acme.yaml")[1] == 0, "without settings that is not looked at"


def test_run_refuses_to_begin_and_to_go_on_with_a_receiver_that_nobody_is_called(tmp_path: Path) -> None:
    file = config(tmp_path)
    text, code = typed("run", "--config", file)
    assert code == 1
    assert "help: there is none; add `duty manager` to notifier.receivers of the settings" in text
    in_use = AgreementsInUse([tmp_path / "acme.yaml"], receivers=["duty manager"])
    (tmp_path / "acme.yaml").write_text(ACME.replace("duty manager", "duty managers"))
    with pytest.raises(AgreementsRefused) as refused:
        in_use.look()
    [fault] = refused.value.faults
    assert (
        fault.help
        == "did you mean `duty manager`? If not, add `duty managers` to notifier.receivers of the settings"
    )
    assert in_use.agreements[0].escalation[0].to == "duty manager", "what was in use stays"


def test_the_working_example_can_be_run_as_it_stands() -> None:
    folder = Path(__file__).parents[2] / "config"
    assert typed("check", "--config", folder / "slamon.yaml", "--strict")[1] == 0


def test_whom_the_invented_agreements_escalate_to_is_told_in_the_compose_file() -> None:
    root = Path(__file__).parents[2]
    receivers = read_settings(root / "deploy/compose/slamon/slamon.yaml").notifier.receivers
    invented = load([root / "slamon/demo/agreements"]).documents
    assert {one.to for document in invented for one in document.agreement.escalation} == set(receivers)
    assert unknown_receivers(invented, receivers) == ()


def test_the_settings_of_the_page_about_notifications_can_be_read(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text(encoding="utf-8")
    _, _, rest = page.partition("```yaml settings\n")
    (tmp_path / "slamon.yaml").write_text(rest.partition("```")[0])
    notifier = read_settings(tmp_path / "slamon.yaml").notifier
    assert list(notifier.receivers) == ["on call", "duty manager", "team", "acme"]
    assert len(notifier.routes) == 3
