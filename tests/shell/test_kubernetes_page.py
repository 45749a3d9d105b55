"""The page about Kubernetes: its values are taken, its commands render the chart, and its reference is up to date."""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from slamon.cli import main
from tests.shell.charts import CHART, ROOT, helm, named, rendered, settings_in
from tests.shell.scripts import loaded

PAGE = (ROOT / "docs" / "operating" / "kubernetes.md").read_text()
VALUES = re.findall(r"^```yaml values\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [
    line
    for block in re.findall(r"^```sh[^\n]*\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
HELM = [line for line in COMMANDS if line.startswith("helm ")]


def test_there_are_values_and_commands() -> None:
    assert len(VALUES) >= 5
    assert len(HELM) >= 3


@pytest.mark.parametrize("text", VALUES)
def test_the_chart_takes_the_values_and_slamon_the_settings_in_them(text: str) -> None:
    values = yaml.safe_load(text)
    settings = settings_in(rendered(values))
    assert settings.kafka.group_instance_id


def test_slamon_takes_the_agreement_of_the_first_values(tmp_path: Path) -> None:
    documents = rendered(yaml.safe_load(VALUES[0]))
    for name, text in named(documents, "ConfigMap", "-agreements")["data"].items():
        (tmp_path / name).write_text(text)
    checked = CliRunner().invoke(main, ["check", str(tmp_path)])
    assert checked.exit_code == 0, checked.output


@pytest.mark.parametrize("command", HELM)
def test_helm_takes_the_command(command: str) -> None:
    """As far as it goes without a cluster: what it would install is rendered."""
    _, verb, release, *rest = shlex.split(command)
    assert verb in ("install", "upgrade", "test")
    if verb == "test":
        assert rest == ["--namespace", "sla", "--logs"]
        return
    chart, *options = rest
    assert ROOT / chart == CHART
    at = options.index("--values")
    assert options[at + 1] == "values.yaml", "the file that the page shows"
    done = helm(
        "template", release, CHART, *options[:at], *options[at + 2 :], values=yaml.safe_load(VALUES[0])
    )
    assert done.returncode == 0, done.stderr
    assert "kind: StatefulSet" in done.stdout


def test_the_commands_name_what_the_chart_makes() -> None:
    documents = rendered(yaml.safe_load(VALUES[0]), "slamon")
    made = {f"{each['kind'].lower()}/{each['metadata']['name']}" for each in documents}
    told = set(re.findall(r"statefulset/[\w-]+", PAGE))
    assert told
    assert told <= made


def test_the_reference_of_the_values_is_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    code = loaded(ROOT / "deploy" / "values_reference.py").main(["--check"])
    assert (code, capsys.readouterr().out) == (0, "")
