"""The files of deploy/compose among the real programs: what the compose file starts in containers, started here without."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from slamon.demo import processes
from slamon.demo.processes import Alertmanager, Kafka, Prometheus, free_ports
from slamon.domain.events import DAY
from tests.end_to_end.place import SLAMON, Daemon, get, ticket, until, whole_second
from tests.shell.composed import SERVICES, as_here, here

Part = Callable[[str], Path]
SETTINGS = here("slamon", "/etc/slamon/slamon.yaml")
ELSEWHERE = ("KAFKA_NODE_ID", "KAFKA_PROCESS_ROLES", "KAFKA_HEAP_OPTS", "LISTENER", "QUORUM")


@dataclass(frozen=True)
class Composition:
    prometheus: Prometheus
    alertmanager: Alertmanager
    slamon: Daemon
    world: "World"

    async def ask(self, expr: str) -> list[dict[str, Any]]:
        status, body = await get(f"{self.prometheus.url}/api/v1/query", query=expr)
        assert status == 200, body
        result: list[dict[str, Any]] = json.loads(body)["data"]["result"]
        return result


class World:
    """The source of events, which may be stopped and started again."""

    def __init__(self, environment: Mapping[str, str], began: Path) -> None:
        _, *program = SERVICES["world"]["entrypoint"]
        self._command = [sys.executable, *program, str(SETTINGS), str(began)]
        self.environment = environment
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, env=self.environment)

    def stop(self) -> None:
        ended(self._process)


def broker_settings() -> dict[str, str]:
    """What the compose file asks of the broker, but its place in the cluster and its addresses, as the image makes of it."""
    said = SERVICES["kafka"]["environment"]
    return {
        name.removeprefix("KAFKA_").replace("_", ".").lower(): value
        for name, value in said.items()
        if not any(word in name for word in ELSEWHERE)
    }


@pytest.fixture(scope="module")
def composed(part: Part, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composition]:
    root = tmp_path_factory.mktemp("composed")

    def room(name: str) -> Path:
        (root / name).mkdir()
        return root / name

    java, libs = part("java"), part("kafka")
    processes.quicken(java, libs, print)
    with ExitStack() as stack:
        kafka = stack.enter_context(Kafka(room("kafka"), java=java, libs=libs, properties=broker_settings()))
        config = here("alertmanager", "/etc/alertmanager/alertmanager.yml").read_text()
        alertmanager = stack.enter_context(
            Alertmanager(room("alertmanager"), program=part("alertmanager"), config=config)
        )
        port, liveness_port = free_ports(2)
        # As a container would be told to find them elsewhere; all else is in the file.
        environment = os.environ | {
            "SLAMON_AGREEMENTS": json.dumps([str(here("slamon", "/etc/slamon-agreements"))]),
            "SLAMON_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap,
            "SLAMON_NOTIFIER__ALERTMANAGERS": json.dumps([{"url": alertmanager.url}]),
            "SLAMON_HTTP__PORT": str(port),
            "SLAMON_HTTP__LIVENESS_PORT": str(liveness_port),
        }
        *command, _ = SERVICES["topics"]["command"]
        subprocess.run([sys.executable, "-m", "slamon", *command, SETTINGS], env=environment, check=True)
        world = World(environment, root / "began")
        stack.callback(world.stop)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            slamon = Daemon(SETTINGS, root / "slamon.log")
        stack.callback(ended, slamon.process)
        config = as_here("prometheus", here("prometheus", "/etc/prometheus/prometheus.yml").read_text())
        for there, found in (
            ("slamon:9464", f"127.0.0.1:{port}"),
            ("alertmanager:9093", alertmanager.url.removeprefix("http://")),
            ("localhost:9090", "127.0.0.1:1"),  # its own port is not known before it runs
        ):
            config = config.replace(there, found)
        prometheus = Prometheus(room("prometheus"), program=part("prometheus"), config=config)
        yield Composition(stack.enter_context(prometheus), alertmanager, slamon, world)


def ended(process: subprocess.Popen[bytes]) -> None:
    """It ends by itself when asked to, and with 0."""
    process.terminate()
    try:
        assert process.wait(30) == 0
    finally:
        process.kill()


async def test_what_is_published_among_the_events_of_the_world_is_judged_and_told_to_alertmanager(
    composed: Composition, tmp_path: Path
) -> None:
    """What of the world itself fires depends on the hour at which it begins."""
    overdue = ticket("T-1", whole_second() - 10 * DAY, customer="acme", priority="P1", status="open")
    events = tmp_path / "events.ndjson"
    events.write_text(json.dumps(overdue))
    command = [*SLAMON, "publish", "--config", str(SETTINGS), str(events)]
    await asyncio.to_thread(subprocess.run, command, env=composed.world.environment, check=True)

    async def told() -> bool:
        composed.slamon.assert_goes_on()
        _, body = await get(
            f"{composed.alertmanager.url}/api/v2/alerts", active="true", filter='ticket="T-1"'
        )
        return "SlaTicketBreached" in {alert["labels"]["alertname"] for alert in json.loads(body or b"[]")}

    await until(told, "the breach is in Alertmanager", within=120)


async def test_prometheus_scrapes_both_pages_under_the_names_that_the_rules_ask_for(
    composed: Composition,
) -> None:
    async def scraped() -> bool:
        up = await composed.ask('up{job=~"slamon(-sla)?"} == 1')
        objectives = await composed.ask('count(slamon_objective_info{job=~"slamon(-sla)?", customer="acme"})')
        return {each["metric"]["job"] for each in up} == {"slamon", "slamon-sla"} and bool(objectives)

    await until(scraped, "both jobs are up and the objectives there", within=120)


async def test_prometheus_has_evaluated_every_rule_and_knows_alertmanager(composed: Composition) -> None:
    async def evaluated() -> bool:
        _, body = await get(f"{composed.prometheus.url}/api/v1/rules")
        rules = [rule for group in json.loads(body)["data"]["groups"] for rule in group["rules"]]
        assert not [rule["lastError"] for rule in rules if rule.get("lastError")]
        return bool(rules) and {rule["health"] for rule in rules} == {"ok"}

    await until(evaluated, "every rule is evaluated without an error", within=120)
    _, body = await get(f"{composed.prometheus.url}/api/v1/alertmanagers")
    (active,) = json.loads(body)["data"]["activeAlertmanagers"]
    assert active["url"].startswith(composed.alertmanager.url)


def ready(program: Path, *arguments: str) -> int:
    return subprocess.run([program, *arguments], capture_output=True, check=False).returncode


@pytest.mark.parametrize("service", ["prometheus", "alertmanager"])
def test_the_health_of_a_service_is_asked_for_in_words_that_its_program_knows(
    service: str, composed: Composition, part: Part
) -> None:
    url = {"prometheus": composed.prometheus.url, "alertmanager": composed.alertmanager.url}[service]
    _, program, *arguments = SERVICES[service]["healthcheck"]["test"]
    asked = [re_addressed(word, url) for word in arguments]
    assert ready(part(program), *asked) == 0
    assert ready(part(program), *(re_addressed(word, "http://127.0.0.1:1") for word in arguments)) != 0


def re_addressed(word: str, url: str) -> str:
    name, equals, value = word.partition("=")
    return f"{name}={url}" if equals and value.startswith("http://") else word


def test_slamons_health_is_that_of_its_tasks(composed: Composition) -> None:
    _, program, option, code = SERVICES["slamon"]["healthcheck"]["test"]
    assert program == "python"
    asked = code.replace("http://localhost:9464", composed.slamon.address)
    assert ready(Path(sys.executable), option, asked) == 0
    assert ready(Path(sys.executable), option, asked.replace("/readyz", "/nowhere")) != 0


async def test_the_world_goes_on_as_the_same_after_a_stop_and_what_it_tells_again_counts_once(
    composed: Composition,
) -> None:
    async def counted(name: str) -> float:
        page = await composed.slamon.page("/metrics")
        return sum(float(line.split()[1]) for line in page.splitlines() if line.startswith(f"{name} "))

    async def told_again() -> bool:
        return await counted("slamon_events_duplicate_total") > 1000

    assert not await told_again()
    composed.world.stop()
    composed.world.start()
    await until(told_again, "the month so far was told again")
    assert await counted("slamon_events_conflicting_total") == 0
