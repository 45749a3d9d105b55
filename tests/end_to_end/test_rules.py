"""The rules on a real Prometheus that scrapes a real daemon, and the runbook typed beside them."""

import asyncio
import shlex
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from slamon.demo.processes import Alertmanager, Kafka, Prometheus
from tests.end_to_end.place import PARTITIONS, Daemon, get, placed, until
from tests.shell.test_rules import ALERTS, FILE, NAMED, OF_OTHERS, RECORDED, RULES
from tests.shell.test_runbook import ENTRY, PAGES, SILENCE, queries

Part = Callable[[str], Path]

AGREEMENT = """\
apiVersion: slamon/v1
kind: Agreement
metadata: {name: "{place}"}
spec:
  customer: acme
  effective: {from: 2020-01-01, to: 2099-12-31}
  timeZone: UTC
  objectives:
    - {name: p1, ticketClock: {measure: resolution, calendar: always, target: 4h}, attainment: {target: 95%, timeWindow: {calendar: month}}}
"""
# As docs/operating/watching.md has it, but every second.
PROMETHEUS = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: slamon
    static_configs: [{{targets: ["{target}"]}}]
  - job_name: slamon-sla
    metrics_path: /metrics/sla
    honor_labels: true
    static_configs: [{{targets: ["{target}"]}}]
"""


class Watched(NamedTuple):
    daemon: Daemon
    prometheus: Prometheus

    async def ask(self, what: str, **parameters: str) -> Any:
        status, body = await get(f"{self.prometheus.url}/api/v1/{what}", **parameters)
        answer = orjson.loads(body)
        assert (status, answer["status"]) == (200, "success"), body
        return answer["data"]

    async def rules(self) -> dict[str, dict[str, Any]]:
        groups = (await self.ask("rules"))["groups"]
        return {rule["name"]: rule for group in groups for rule in group["rules"]}

    async def pending(self) -> set[str]:
        """Alerts whose condition holds, whether or not it has done so for long enough."""
        return {name for name, rule in (await self.rules()).items() if rule.get("alerts")}


@pytest.fixture
async def watched(
    tmp_path: Path, kafka: Kafka, alertmanager: Alertmanager, part: Part
) -> AsyncIterator[Watched]:
    async with placed(tmp_path, kafka.bootstrap, alertmanager, AGREEMENT) as place:
        daemon = await place.running()
        config = PROMETHEUS.format(rules=FILE, target=daemon.address.removeprefix("http://"))
        with Prometheus(tmp_path / "prometheus", program=part("prometheus"), config=config) as prometheus:
            yield Watched(daemon, prometheus)


async def test_the_rules_hold_on_a_daemon_that_is_well_and_notice_that_it_is_gone(watched: Watched) -> None:
    async def judged() -> bool:
        rules = await watched.rules()
        assert {rule["health"] for rule in rules.values()} <= {"ok", "unknown"}, rules
        running = await watched.ask("query", query='sum(slamon_task_state{state="running"})')
        return (
            all(rule["health"] == "ok" for rule in rules.values())
            and bool(running["result"])
            and running["result"][0]["value"][1] == str(PARTITIONS)
        )

    await until(judged, "every rule was evaluated while all tasks run")
    assert (await watched.rules()).keys() == ALERTS.keys() | RECORDED.keys()

    async def quiet() -> bool:
        return not await watched.pending()  # before the first scrape it was absent

    await until(quiet, "no alert's condition holds")

    pages = await watched.daemon.page("/metrics") + await watched.daemon.page("/metrics/sla")
    named = {name for rule in RULES for name, _ in NAMED.findall(rule["expr"])}
    for name in named - OF_OTHERS - RECORDED.keys() - {"up"}:
        metric = name.removesuffix("_bucket").removesuffix("_count")
        assert f"# TYPE {metric} " in pages, f"{name} is on no page"

    for expr in [expr for text in (ENTRY, *PAGES.values()) for expr in queries(text)]:
        await watched.ask("query", query=expr)

    watched.daemon.process.kill()
    gone = {"SlamonAbsent", "SlamonJudgesNothing", "SlamonPodDown", "SlamonPartitionNotJudged"}

    async def noticed() -> bool:
        return await watched.pending() == gone

    await until(noticed, f"{gone} hold and nothing else does")
    rules = await watched.rules()
    assert len(rules["SlamonPartitionNotJudged"]["alerts"]) == PARTITIONS
    for alert in (each for name in gone for each in rules[name]["alerts"]):
        texts = alert["annotations"].values()
        assert not [text for text in texts if "<error" in text or "no value" in text or "{{" in text]


@pytest.fixture(scope="module")
def alone(part: Part, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alertmanager]:
    """An Alertmanager in which nothing is silenced yet."""
    folder = tmp_path_factory.mktemp("silenced")
    config = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"
    with Alertmanager(folder, program=part("alertmanager"), config=config) as started:
        yield started


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


async def test_the_silences_of_the_runbook_can_be_typed_as_they_stand(
    alone: Alertmanager, part: Part
) -> None:
    amtool = part("amtool")
    for text in PAGES.values():
        [words] = SILENCE.findall(text)
        typed = words.replace("\\\n", " ").replace("http://alertmanager:9093", alone.url)
        done = await asyncio.to_thread(run, amtool, "silence", "add", *shlex.split(typed))
        assert done.returncode == 0, done.stdout + done.stderr
    _, body = await get(f"{alone.url}/api/v2/silences")
    silenced = {
        matcher["value"]
        for silence in orjson.loads(body)
        for matcher in silence["matchers"]
        if matcher["name"] == "alertname" and matcher["isEqual"] and not matcher["isRegex"]
    }
    assert silenced == PAGES.keys()
