"""The Alertmanager example: amtool takes it, and every alert goes to whom it should."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from slamon.domain.agreement import AlertName

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "deploy" / "alertmanager"
CONFIG: dict[str, Any] = yaml.safe_load((EXAMPLE / "alertmanager.yaml").read_text(encoding="utf-8"))
RULES = yaml.safe_load((ROOT / "deploy" / "prometheus" / "slamon.rules.yaml").read_text(encoding="utf-8"))
ALERTS = {name.value for name in AlertName} | {
    rule["alert"] for group in RULES["groups"] for rule in group["rules"] if "alert" in rule
}
TICKET = "agreement=acme-2026 objective=p1 ticket=T-1"
PAGER, DESK, ACME = "service-desk-pager", "service-desk-chat", "acme-webhook"


@pytest.fixture(scope="module")
def amtool(part: Callable[[str], Path]) -> Path:
    return part("amtool")


@pytest.fixture
def placed(tmp_path: Path) -> Path:
    """The example with its folder here instead of in /etc."""
    for file in EXAMPLE.iterdir():
        text = file.read_text(encoding="utf-8")
        (tmp_path / file.name).write_text(text.replace("/etc/alertmanager/", f"{tmp_path}/"))
    return tmp_path / "alertmanager.yaml"


def said(*command: str | Path) -> tuple[int, str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_amtool_takes_the_example_and_finds_its_texts(amtool: Path, placed: Path) -> None:
    code, words = said(amtool, "check-config", placed)
    assert code == 0, words
    assert "1 templates" in words


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        (f"alertname=SlaTicketAtRisk severity=warning customer=nordwind {TICKET}", [DESK]),
        (f"alertname=SlaTicketAtRisk severity=critical customer=nordwind {TICKET}", [PAGER, DESK]),
        (f"alertname=SlaTicketBreached severity=critical customer=nordwind {TICKET}", [PAGER, DESK]),
        (f"alertname=SlaTicketBreached severity=critical customer=acme {TICKET}", [PAGER, ACME, DESK]),
        (f"alertname=SlaTicketAtRisk severity=info customer=acme {TICKET}", [ACME, DESK]),
        ("alertname=SlaBreached severity=critical customer=nordwind", [PAGER, DESK]),
        ("alertname=SlaBudgetBurn severity=warning customer=nordwind", [DESK]),
        ("alertname=SlaEvaluationDelayed severity=critical partition=3", [PAGER, DESK]),
        ("alertname=SlamonAbsent severity=critical", ["platform-pager", "platform-chat"]),
        ("alertname=SlamonDeadLetters severity=warning reason=not_json", ["platform-chat"]),
        ("alertname=SlapdDown severity=critical", ["platform-chat"]),
        ("alertname=NodeDown severity=critical customer=acme", ["platform-chat"]),
    ],
)
def test_an_alert_goes_to(amtool: Path, placed: Path, labels: str, receivers: list[str]) -> None:
    wanted = f"--verify.receivers={','.join(receivers)}"
    code, words = said(
        amtool, "config", "routes", "test", "--config.file", placed, wanted, *labels.split(" ")
    )
    assert code == 0, words


def test_only_names_of_alerts_are_compared_and_those_exist() -> None:
    for rule in CONFIG["inhibit_rules"]:
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            label, names = re.fullmatch(r'(\w+)=~?"(.+)"', matcher).groups()  # type: ignore[union-attr]  # - fails the test
            assert label == "alertname"
            assert set(names.split("|")) <= ALERTS


def test_secrets_stand_in_files_and_nowhere_else() -> None:
    text = (EXAMPLE / "alertmanager.yaml").read_text(encoding="utf-8")
    secrets = re.findall(
        r"^\s*(?:- )?(\w*(?:key|url|password|credentials|token)\w*): *(\S+)", text, re.MULTILINE
    )
    named = dict(secrets)
    assert {name for name in named if name.endswith("_file")} == {
        "routing_key_file",
        "api_url_file",
        "url_file",
    }
    assert {name for name in named if not name.endswith("_file")} == {"client_url"}, "a link, and no secret"
