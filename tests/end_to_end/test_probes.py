"""What the kubelet sees of a real `slamon run`, asked as the chart's probes ask: who is restarted, and who gets no requests.

A broker that is away restarts nobody, and a loop that is stuck does. Who keeps its tasks stays ready while others come.
"""

import asyncio
import contextlib
import functools
import json
import operator
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from slamon import clock
from slamon.demo import processes
from slamon.demo.processes import Alertmanager, Kafka
from slamon.domain.events import HOUR
from tests.end_to_end.place import Daemon, Place, get, placed, ticket, until, whole_second
from tests.shell.charts import pod_of, rendered

Part = Callable[[str], Path]
MINUTE = 60.0  # s

ACME = """\
apiVersion: slamon/v1
kind: Agreement
metadata: {name: "{place}"}
spec:
  customer: acme
  effective: {from: 2020-01-01}
  objectives:
    - name: resolution
      ticketClock: {measure: resolution, calendar: always, target: 1h, warnAt: []}
"""


def overdue(name: str) -> dict[str, object]:
    return ticket(name, whole_second() - 2 * HOUR, customer="acme", status="open")


class Kubelet:
    """Asks a daemon as the chart says, and notes what a kubelet would do: start it again, or send it nobody."""

    def __init__(self, daemon: Daemon) -> None:
        said = daemon.said("started")[0]
        self.asked = 0
        self.restarts: list[str] = []
        self.unready: list[str] = []
        self._ports = {"http": said["port"], "liveness": said["liveness_port"]}
        (self._container,) = pod_of(rendered({}))["containers"]

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            probes = [
                group.create_task(self._probe("livenessProbe", self.restarts)),
                group.create_task(self._probe("readinessProbe", self.unready)),
            ]
            yield
            for probe in probes:
                probe.cancel()

    async def _probe(self, name: str, would: list[str]) -> None:
        probe = self._container[name]
        address = f"http://127.0.0.1:{self._ports[probe['httpGet']['port']]}{probe['httpGet']['path']}"
        failures = 0
        while True:
            why = await self._ask(address, probe["timeoutSeconds"])
            self.asked += 1
            failures = failures + 1 if why else 0
            if failures >= probe["failureThreshold"]:
                would.append(why)
            await clock.wait(probe["periodSeconds"])

    @staticmethod
    async def _ask(address: str, timeout: float) -> str:  # noqa: ASYNC109 - aiohttp's own is what a kubelet does
        """What is wrong; empty if nothing is."""
        try:
            limit = aiohttp.ClientTimeout(total=timeout)
            async with aiohttp.ClientSession(timeout=limit) as session, session.get(address) as answer:
                return "" if answer.status == 200 else await answer.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            return repr(error)


def grace() -> float:
    """Seconds between SIGTERM and SIGKILL in the chart."""
    return float(pod_of(rendered({}))["terminationGracePeriodSeconds"])


@pytest.fixture
def own_kafka(part: Part, tmp_path: Path) -> Any:
    java, libs = part("java"), part("kafka")
    processes.quicken(java, libs, print)
    with Kafka(tmp_path / "kafka", java=java, libs=libs) as kafka:
        yield kafka


async def test_a_broker_that_is_gone_for_a_minute_restarts_nobody_and_a_stop_meanwhile_ends_within_the_grace_period(
    tmp_path: Path, own_kafka: Kafka, alertmanager: Alertmanager
) -> None:
    async with placed(tmp_path, own_kafka.bootstrap, alertmanager, ACME) as place:
        daemon = await place.running(place.like("static.yaml", group_instance_id="slamon-0"))
        await place.send(overdue("before"))
        await place.fires("SlaTicketBreached before")
        kubelet = Kubelet(daemon)
        own_kafka.kill()
        gone = clock.monotonic()
        async with kubelet.watching():

            async def a_minute_is_over() -> bool:
                daemon.assert_goes_on()
                return clock.monotonic() > gone + MINUTE

            await until(a_minute_is_over, "a minute is over", within=2 * MINUTE)
            assert "slamon_build_info{" in await daemon.page("/metrics")
        assert kubelet.asked > MINUTE / 10
        assert kubelet.restarts == []
        assert await place.firing(), "what fired goes on firing"

        await asyncio.to_thread(own_kafka.restart)
        await place.until_owns(daemon, *range(place.partitions))
        await place.send(overdue("after"))
        await place.fires("SlaTicketBreached before", "SlaTicketBreached after")
        assert len(daemon.said("started")) == 1

        own_kafka.kill()
        daemon.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(daemon.process.wait, grace())
        assert daemon.lines()[-1]["event"] == "stopped"


# On SIGUSR1 its loop hangs, as in a call that never returns; signals are handled on the loop's thread. All else is as it is.
HANGING = """
import signal, time
from slamon.cli import main
signal.signal(signal.SIGUSR1, lambda *_: time.sleep(3600))
main()
"""


async def test_a_daemon_whose_loop_is_stuck_is_restarted_and_the_next_goes_on(
    tmp_path: Path, kafka: Kafka, alertmanager: Alertmanager
) -> None:
    async with placed(tmp_path, kafka.bootstrap, alertmanager, ACME) as place:
        config = place.like("static.yaml", group_instance_id="slamon-0")
        daemon = await place.start(config, program=(sys.executable, "-c", HANGING)).started()
        await place.until_owns(daemon, *range(place.partitions))
        assert await daemon.livez() == 200
        daemon.process.send_signal(signal.SIGUSR1)

        async def says_so() -> bool:
            return await daemon.livez() == 503

        await until(says_so, "/livez says that the loop stands still")
        _, text = await get(f"http://127.0.0.1:{daemon.said('started')[0]['liveness_port']}/livez")
        assert text.startswith(b"loop: no progress for 3")

        await place.send(overdue("meanwhile"))
        daemon.kill()  # as the kubelet does after the grace period, for it heeds no SIGTERM
        await place.running(config)
        await place.fires("SlaTicketBreached meanwhile")


async def test_who_keeps_its_tasks_stays_ready_while_others_come_and_who_has_none_is_ready(
    tmp_path: Path, kafka: Kafka, alertmanager: Alertmanager
) -> None:
    async with Place(tmp_path, kafka.bootstrap, alertmanager.url, ACME) as place:
        place._kafka["partitions"] = 2
        place.settings = place._write(place.config, place._said)
        await place.make_topics()
        first = await place.running()
        answers: set[int] = set()

        async def ask_on() -> None:
            while True:
                answers.add((await first.readyz())[0])
                await clock.wait(0.02)

        async with asyncio.TaskGroup() as group:
            asking = group.create_task(ask_on())
            second = await place.start().started()

            async def shared() -> bool:
                return len(await first.owns()) == len(await second.owns()) == 1

            await until(shared, "each has one of the two tasks")
            third = await place.start().started()

            async def stands_by() -> bool:
                return await third.readyz() == (200, {})

            await until(stands_by, "the third is ready without a task")
            asking.cancel()
        assert answers == {200}
        assert len(await first.owns()) == len(await second.owns()) == 1


# As in its container: no mount can be written to, no capability is left, and none can be gained.
CONFINED = """\
mount --make-rprivate /
for place in $(cut -d' ' -f2 /proc/mounts); do
    case $place in /dev*|/proc*|/sys*) ;; *) mount -o remount,bind,ro "$place" 2>/dev/null;; esac
done
if touch /tmp/slamon-wrote 2>/dev/null; then rm /tmp/slamon-wrote; echo "/tmp can be written to"; exit 1; fi
exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
"""


@pytest.fixture
def confined() -> list[str]:
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", CONFINED, "sh"]
    try:
        tried = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
        why = (tried.stdout + tried.stderr).strip() if tried.returncode else ""
    except OSError as error:
        why = str(error)
    if why:
        pytest.skip(f"NOT CHECKED: nothing can be confined here ({why})")
    return [*command, sys.executable, "-m", "slamon"]


def capabilities(pid: int) -> int:
    """Every one that the process has, or could have."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    sets = [int(line.split()[1], 16) for line in status if line.startswith("Cap")]
    assert len(sets) == 5
    return functools.reduce(operator.or_, sets)


async def test_it_does_all_its_work_without_anything_to_write_to_and_without_a_capability(
    tmp_path: Path, kafka: Kafka, alertmanager: Alertmanager, confined: list[str]
) -> None:
    async with placed(tmp_path, kafka.bootstrap, alertmanager, ACME) as place:
        daemon = await place.start(place.like("swift.yaml", agreements_poll=0.2), program=confined).started()
        await place.until_owns(daemon, *range(place.partitions))
        assert capabilities(daemon.process.pid) == 0
        await place.send(overdue("T-1"))
        await place.fires("SlaTicketBreached T-1")
        place.agree(ACME.replace("1h", "3h"))
        await place.fires()
        daemon.stop()


# Agreements as Kubernetes mounts them.


def swap(folder: Path, version: str, files: dict[str, str]) -> None:
    """As the kubelet brings a changed ConfigMap: all files at once by another link, then what is no longer there goes."""
    data = folder / "..data"
    before = data.resolve() if data.is_symlink() else None
    (folder / version).mkdir(parents=True)
    for name, text in files.items():
        (folder / version / name).write_text(text)
    (folder / "..data_tmp").symlink_to(version)
    (folder / "..data_tmp").replace(data)
    links = {file.name for file in folder.iterdir() if not file.name.startswith("..")}
    for name in files.keys() - links:
        (folder / name).symlink_to(f"..data/{name}")
    for name in links - files.keys():
        (folder / name).unlink()
    if before is not None:
        shutil.rmtree(before)


async def test_a_mounted_directory_that_kubernetes_swaps_is_taken_and_a_bad_one_refused_until_it_is_mended(
    tmp_path: Path, kafka: Kafka, alertmanager: Alertmanager, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with placed(tmp_path, kafka.bootstrap, alertmanager, ACME) as place:
        mounted = tmp_path / "agreements"
        acme = ACME.replace("{place}", place.name)
        swap(mounted, "..2026_11_25_01", {"acme.yaml": acme.replace("1h", "3h")})
        monkeypatch.setenv("SLAMON_AGREEMENTS", json.dumps([str(mounted)]))
        monkeypatch.setenv("SLAMON_AGREEMENTS_POLL", "0.2")
        daemon = await place.running()
        await daemon.shows("slamon_config_last_reload_successful 1.0")
        await place.send(overdue("T-1"))

        swap(mounted, "..2026_11_25_02", {"acme.yaml": acme})
        await place.fires("SlaTicketBreached T-1")

        swap(mounted, "..2026_11_25_03", {"acme.yaml": acme.replace("1h", "an hour")})
        await daemon.shows("slamon_config_last_reload_successful 0.0")
        [fault] = daemon.said("agreement_fault")
        assert Path(fault["file"]) == mounted / "acme.yaml"
        await place.send(overdue("T-2"))
        await place.fires("SlaTicketBreached T-1", "SlaTicketBreached T-2")

        swap(mounted, "..2026_11_25_04", {"acme-2026.yaml": acme.replace("1h", "3h")})
        await daemon.shows("slamon_config_last_reload_successful 1.0")
        await place.fires()
        assert len(daemon.said("started")) == 1
