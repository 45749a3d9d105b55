"""The compose file is what Docker Compose reads, and its services find their files, each other, and the versions tested here.

Not checked for want of a container engine: that the images are to be had and do what their documentation says. The files that
they are given are run by the real programs in tests/end_to_end/test_compose.py.
"""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from slamon import __version__
from slamon.cli import main
from slamon.demo import parts
from slamon.settings import read_settings
from tests.shell.composed import COMPOSE, FOLDER, ROOT, SERVICES, as_here, here, mounts

Part = Callable[[str], Path]

every_service = pytest.mark.parametrize("service", SERVICES)


@pytest.fixture
def schema(part: Part) -> Any:
    return jsonschema.Draft202012Validator(json.loads((part("schemas") / "compose-spec.json").read_text()))


def test_docker_compose_knows_every_key(schema: Any) -> None:
    schema.validate(COMPOSE)
    misspelt = COMPOSE | {"services": SERVICES | {"kafka": SERVICES["kafka"] | {"healthchek": {}}}}
    with pytest.raises(jsonschema.ValidationError, match="healthchek"):
        schema.validate(misspelt)


def test_images_are_of_the_versions_that_are_tested_here() -> None:
    def version_in(part: str) -> str:
        (found,) = re.findall(r"-(v[\d.]+)$", parts.PARTS[part].recipes[0].home)
        return str(found)

    # Prometheus' Go modules are called v0.316.0 where its releases are 3.16.0.
    major, minor, patch = re.fullmatch(r"v0\.(\d)(\d\d)\.(\d+)", version_in("prometheus")).groups()  # type: ignore[union-attr] # fails if it is None
    assert {service["image"] for service in SERVICES.values()} == {
        f"slamon:{__version__}",
        f"apache/kafka:{parts.KAFKA}",
        f"prom/prometheus:v{major}.{int(minor)}.{patch}",
        f"prom/alertmanager:{version_in('alertmanager')}",
        SERVICES["grafana"]["image"],
    }
    assert re.fullmatch(r"grafana/grafana:\d+\.\d+\.\d+", SERVICES["grafana"]["image"])


@every_service
def test_every_mounted_file_is_there_and_cannot_be_written(service: str) -> None:
    for source, _, mode in mounts(service):
        if source.startswith("."):
            assert (FOLDER / source).exists(), source
            assert mode == "ro"
        else:
            assert source in COMPOSE["volumes"]


@every_service
def test_a_service_has_no_rights_and_is_reached_from_this_machine_alone(service: str) -> None:
    said = SERVICES[service]
    assert said["cap_drop"] == ["ALL"]
    assert said["security_opt"] == ["no-new-privileges:true"]
    assert said.get("read_only", False) == (service not in ("kafka", "world"))
    assert all(port.startswith("127.0.0.1:") for port in said.get("ports", []))


def test_who_waits_for_somebody_healthy_waits_for_somebody_who_is_asked() -> None:
    for service in SERVICES.values():
        for name, wanted in service.get("depends_on", {}).items():
            if wanted["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[name]
            else:
                assert SERVICES[name]["restart"] == "no", "else it never completes"


def test_what_is_stopped_has_the_time_it_takes() -> None:
    settings = read_settings(here("slamon", "/etc/slamon/slamon.yaml"))
    assert float(SERVICES["slamon"]["stop_grace_period"].removesuffix("s")) >= settings.shutdown_timeout + 5


@pytest.mark.parametrize("service", ["slamon", "topics"])
def test_the_services_of_slamon_run_commands_that_it_has(service: str) -> None:
    *command, option, file = SERVICES[service]["command"]
    assert CliRunner().invoke(main, [*command, "--help"]).exit_code == 0
    assert option == "--config"
    assert here(service, file).is_file()


def test_slamon_finds_the_agreements_and_they_are_good() -> None:
    settings = here("slamon", "/etc/slamon/slamon.yaml")
    (place,) = read_settings(settings).agreements
    folder = here("slamon", str(place))
    # With the settings, so that those are there to whom the agreements escalate.
    checked = CliRunner().invoke(main, ["check", "--config", str(settings), str(folder)])
    assert checked.exit_code == 0, checked.output


def addresses() -> Iterator[tuple[str, str]]:
    """Who calls whom, as `host:port`."""
    settings = yaml.safe_load(here("slamon", "/etc/slamon/slamon.yaml").read_text())
    yield "slamon", settings["kafka"]["bootstrap_servers"]
    for alertmanager in settings["notifier"]["alertmanagers"]:
        yield "slamon", urlsplit(alertmanager["url"]).netloc
    prometheus = yaml.safe_load(here("prometheus", "/etc/prometheus/prometheus.yml").read_text())
    for job in prometheus["scrape_configs"] + prometheus["alerting"]["alertmanagers"]:
        for targets in job["static_configs"]:
            yield from (("prometheus", target) for target in targets["targets"])
    for source in datasources():
        yield "grafana", urlsplit(source["url"]).netloc


def test_services_call_each_other_by_their_names_and_ports() -> None:
    # What each listens on: told to the machine by the same number, but Kafka, which tells the machine another.
    listens = {
        name: {int(port.split(":")[2]) for port in said.get("ports", [])} for name, said in SERVICES.items()
    }
    kafka = SERVICES["kafka"]["environment"]["KAFKA_LISTENERS"]
    assert listens["kafka"] < {int(port) for port in re.findall(r":(\d+)", kafka)}
    listens["kafka"].add(9092)
    for caller, address in addresses():
        host, _, port = address.partition(":")
        assert int(port) in listens[caller if host == "localhost" else host], address


def test_prometheus_and_alertmanager_take_their_files(part: Part, tmp_path: Path) -> None:
    config = here("prometheus", "/etc/prometheus/prometheus.yml")
    copy = tmp_path / "prometheus.yml"
    copy.write_text(as_here("prometheus", config.read_text()))
    checked = subprocess.run(
        [part("promtool"), "check", "config", "--lint-fatal", copy], capture_output=True, text=True, check=False
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "1 rule files found" in checked.stdout
    alertmanager = here("alertmanager", "/etc/alertmanager/alertmanager.yml")
    checked = subprocess.run(
        [part("amtool"), "check-config", alertmanager], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_alertmanager_has_the_routes_of_the_example_and_calls_nobody() -> None:
    example = yaml.safe_load((ROOT / "deploy" / "alertmanager" / "alertmanager.yaml").read_text())
    ours = yaml.safe_load(here("alertmanager", "/etc/alertmanager/alertmanager.yml").read_text())
    assert ours == {
        "route": example["route"],
        "inhibit_rules": example["inhibit_rules"],
        "receivers": [{"name": receiver["name"]} for receiver in example["receivers"]],
    }


# Grafana.


def datasources() -> list[dict[str, Any]]:
    file = here("grafana", "/etc/grafana/provisioning/datasources/slamon.yaml")
    found: list[dict[str, Any]] = yaml.safe_load(file.read_text())["datasources"]
    return found


def test_grafana_finds_the_boards_and_what_they_ask() -> None:
    boards = yaml.safe_load(here("grafana", "/etc/grafana/provisioning/dashboards/slamon.yaml").read_text())
    folder = here("grafana", boards["providers"][0]["options"]["path"])
    found = [json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))]
    assert found
    kinds = {source["type"] for source in datasources()}
    for board in found:
        asked = [each["query"] for each in board["templating"]["list"] if each["type"] == "datasource"]
        assert set(asked) <= kinds, board["title"]
    assert [source["type"] for source in datasources() if source.get("isDefault")] == ["prometheus"]
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert here("grafana", home).is_file()
