"""`slamon demo`: a local Kafka, an invented world, the daemon, a real Alertmanager and Prometheus, and a screen.

Everything runs in one temporary folder on loopback ports and is gone afterwards. What cannot be had is named, and the
demo goes on without it; where no Alertmanager is, a small receiver stands in for it and says so.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import orjson
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.live import Live

from slamon import clock
from slamon.clock import Pace
from slamon.codec import encode, parse_instant
from slamon.demo import parts, processes, world
from slamon.demo.receiver import standing_in
from slamon.demo.screen import Alert, Due, Event, Screen, happened_text, render
from slamon.domain.events import SECOND
from slamon.kafka import publish, topics
from slamon.kafka.feed import feeding
from slamon.settings import read_settings

SETTINGS = """\
# The demo's settings, as `slamon run` would read them.
agreements: [{agreements}]
facts: {{keep: 140}}
kafka: {{bootstrap_servers: "{bootstrap}", partitions: {partitions}, replication_factor: 1, min_insync_replicas: 1, session_timeout: 10, heartbeat_interval: 1}}
notifier:
  alertmanagers: [{{url: "{alertmanager}"}}]
  receivers: {{duty manager: {{log: {{}}}}, operations on call: {{log: {{}}}}, head of payments: {{log: {{}}}}}}
http: {{host: 127.0.0.1, port: {port}, liveness_port: {liveness_port}}}
log: {{format: json}}
"""
ALERTMANAGER = """\
route: {receiver: nobody, group_by: [customer, agreement, objective, ticket], group_wait: 0s}
receivers: [{name: nobody}]
"""
PROMETHEUS = """\
global: {{scrape_interval: 2s}}
scrape_configs:
  - {{job_name: slamon, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}
  - {{job_name: slamon-sla, metrics_path: /metrics/sla, honor_labels: true, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}
"""
LOOK_EVERY = 0.4  # s
PARTITIONS = 4
START_LIMIT = 120.0  # s in which the daemon must have read the month so far


class DemoFailed(Exception):  # noqa: N818 - the name says what it is
    """The demo could not be given; the text says why and what to do."""


def demo(*, seconds: float | None, speed: int, seed: int) -> int:
    """Runs for so many seconds, or until Ctrl-C. 0 if an alert was delivered before its due instant, else 1.

    Raises DemoFailed, parts.Missing, processes.ProcessFailed.
    """
    console = Console(highlight=False, soft_wrap=True)
    with (
        tempfile.TemporaryDirectory(prefix="slamon-demo-", ignore_cleanup_errors=True) as folder,
        contextlib.ExitStack() as stack,
    ):
        stage = Stage(Path(folder), console, speed=speed, seed=seed)
        try:
            stage.build(stack)
            asyncio.run(stage.play(seconds))
        except KeyboardInterrupt:
            console.print()
        stage.conclude()
        return 0 if stage.in_time or seconds is None else 1


class Stage:
    """Everything the demo runs, and what was seen."""

    def __init__(self, folder: Path, console: Console, *, speed: int, seed: int) -> None:
        self.folder = folder
        self.console = console
        self.in_time: list[Alert] = []  # seen in Alertmanager before they were due
        self.addresses: dict[str, str] = {}
        self._speed = speed
        self._seed = seed
        self._seen: dict[str, Alert] = {}
        self._counts: Counter[str] = Counter()
        self._happened: list[Event] = []
        self._told = 0
        self._published = 0
        self._alertmanager = ""
        self._daemon: subprocess.Popen[bytes] | None = None

    def _say(self, line: str) -> None:
        self.console.print(f"[dim]·[/dim] {line}", highlight=False)

    def build(self, stack: contextlib.ExitStack) -> None:
        """Everything that does not depend on the time: the servers and the settings."""
        always = os.environ.get("CI") == "true"
        java, libs = parts.require("java", say=self._say), parts.require("kafka", say=self._say)
        self._say("starting Kafka")
        kafka = stack.enter_context(processes.Kafka(self._room("kafka"), java=java, libs=libs))
        found = parts.find("alertmanager", build=always, say=self._say)
        if isinstance(found, parts.Missing):
            self._say(f"no Alertmanager: {found} A small receiver stands in for it.")
            self._alertmanager = stack.enter_context(standing_in())
            self.addresses["receiver (stands in for Alertmanager)"] = self._alertmanager
        else:
            self._say("starting Alertmanager")
            self._alertmanager = stack.enter_context(
                processes.Alertmanager(self._room("alertmanager"), program=found, config=ALERTMANAGER)
            ).url
            self.addresses["Alertmanager"] = self._alertmanager
        port, liveness_port = processes.free_ports(2)
        self.addresses["metrics"] = f"http://127.0.0.1:{port}/metrics/sla"
        found = parts.find("prometheus", build=always, say=self._say)
        if isinstance(found, parts.Missing):
            self._say(f"no Prometheus: {found} The metrics page serves all the same.")
        else:
            self._say("starting Prometheus")
            config = PROMETHEUS.format(port=port)
            prometheus = processes.Prometheus(self._room("prometheus"), program=found, config=config)
            self.addresses["Prometheus"] = stack.enter_context(prometheus).url
        self.config = self.folder / "slamon.yaml"
        self.config.write_text(
            SETTINGS.format(
                agreements=world.AGREEMENTS,
                partitions=PARTITIONS,
                bootstrap=kafka.bootstrap,
                alertmanager=self._alertmanager,
                port=port,
                liveness_port=liveness_port,
            )
        )
        stack.callback(self._stop_daemon)

    def _room(self, name: str) -> Path:
        room = self.folder / name
        room.mkdir()
        return room

    async def play(self, seconds: float | None) -> None:
        """The world runs: history first, then events as their time comes."""
        settings = read_settings(self.config)
        await topics.create(settings.kafka)
        start = clock.wall()
        story = world.events(self._seed, start)
        history = self.folder / "history.ndjson"
        first_ahead = None
        with history.open("wb") as file:
            for event in story:
                if event.time >= start:
                    first_ahead = event
                    break
                file.write(encode(event) + b"\n")
                self._published += 1
        self._say(f"publishing {self._published:,} events of the month so far")
        await publish.publish(settings.kafka, history)
        self._say("starting slamon, which reads them")
        log = self.folder / "slamon.log"
        with log.open("wb") as output:
            self._daemon = subprocess.Popen(  # noqa: ASYNC220 - starting a process takes milliseconds
                [sys.executable, "-m", "slamon.demo.paced", str(self.config), str(start), str(self._speed)],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        await self._caught_up(log)
        self._say(f"from here on time runs {self._speed} times as fast as the wall clock")
        pace = Pace(since=clock.wall(), origin=start, speed=self._speed)
        clock.set_pace(pace)
        assert self._daemon.stdin is not None
        self._daemon.stdin.write(f"{pace.since}\n".encode())
        self._daemon.stdin.close()
        ahead = story if first_ahead is None else chain([first_ahead], story)
        limit = None if seconds is None else clock.monotonic() + seconds
        async with feeding(settings.kafka) as send, asyncio.TaskGroup() as group:
            world_goes_on = group.create_task(self._narrate(ahead, send))
            await self._show(limit, log)
            world_goes_on.cancel()

    async def _caught_up(self, log: Path) -> None:
        """Wait until the daemon has read everything that was published."""
        deadline = clock.monotonic() + START_LIMIT
        while not await asyncio.to_thread(self._has_read_everything):
            self._check_daemon(log)
            if clock.monotonic() > deadline:
                raise DemoFailed(
                    f"slamon has not read the month so far within {START_LIMIT:.0f} s:\n{_tail(log)}"
                )
            await clock.wait(LOOK_EVERY)

    def _has_read_everything(self) -> bool:
        with contextlib.suppress(OSError):
            page = _get(self.addresses["metrics"].removesuffix("/sla")).decode()
            families = {family.name: family for family in text_string_to_metric_families(page)}
            lags = [sample.value for sample in families["slamon_partition_lag"].samples]
            read = sum(sample.value for sample in families["slamon_events"].samples)
            return len(lags) == 2 * PARTITIONS and not any(lags) and read >= self._published
        return False

    def _check_daemon(self, log: Path) -> None:
        if self._daemon is not None and self._daemon.poll() is not None:
            raise DemoFailed(f"slamon ended by itself; its last words:\n{_tail(log)}")

    async def _narrate(self, story: Iterator[Any], send: Any) -> None:
        for event in story:
            rest = (event.time - clock.now()) / SECOND / self._speed
            if rest > 0:
                await clock.wait(rest)
            await send(event)
            self._published += 1

    async def _show(self, limit: float | None, log: Path) -> None:
        """Look at Alertmanager and the metrics, and show it, until the limit."""
        terminal = self.console.is_terminal
        live = (
            Live(console=self.console, auto_refresh=False, screen=False, transient=True) if terminal else None
        )
        with live or contextlib.nullcontext():
            while limit is None or clock.monotonic() < limit:
                self._check_daemon(log)
                screen = await asyncio.to_thread(self._look)
                if live is not None:
                    live.update(render(screen), refresh=True)
                else:
                    for line in happened_text(self._happened[self._told :]):
                        self.console.print(line, markup=False, soft_wrap=True)
                    self._told = len(self._happened)
                await clock.wait(LOOK_EVERY)

    def _look(self) -> Screen:
        now = clock.now()
        firing = {alert.fingerprint: alert for alert in self._firing()}
        for fingerprint, alert in firing.items():
            if fingerprint not in self._seen:
                self._fired(alert, now)
        still = {_about(alert) for alert in firing.values()}
        for fingerprint, alert in self._seen.items():
            if (
                fingerprint not in firing and _about(alert) not in still
            ):  # else a later step has taken its place
                self._happened.append(Event(now, f"resolved: {alert.annotations['summary']}", "resolved"))
        self._seen = firing
        due, standings = self._metrics()
        return Screen(
            now, list(firing.values()), due, standings, self._happened, self.addresses, self._published
        )

    def _fired(self, alert: Alert, now: int) -> None:
        self._counts[alert.labels["alertname"]] += 1
        ahead = (
            ""
            if alert.due_at is None or alert.due_at <= now
            else f" [{(alert.due_at - now) // SECOND} s ahead]"
        )
        if ahead:
            self.in_time.append(alert)
        severity = alert.labels["severity"]
        self._happened.append(Event(now, f"{severity}: {alert.annotations['summary']}{ahead}", severity))

    def _firing(self) -> Iterator[Alert]:
        with contextlib.suppress(OSError):
            for alert in orjson.loads(_get(f"{self._alertmanager}/api/v2/alerts?active=true")):
                labels, annotations = alert["labels"], alert["annotations"]
                due_at = parse_instant(annotations["due_at"]) if "due_at" in annotations else None
                yield Alert("/".join(map(str, sorted(labels.items()))), labels, annotations, due_at)

    def _metrics(self) -> tuple[list[Due], Counter[str]]:
        due: list[Due] = []
        standings: Counter[str] = Counter()
        with contextlib.suppress(OSError):
            for family in text_string_to_metric_families(_get(self.addresses["metrics"]).decode()):
                for sample in family.samples:
                    if family.name == "slamon_ticket_due_timestamp_seconds":
                        labels = sample.labels
                        due.append(
                            Due(
                                labels["customer"],
                                labels["objective"],
                                labels["ticket"],
                                int(sample.value * SECOND),
                            )
                        )
                    elif family.name == "slamon_objective_standing" and sample.value:
                        standings[sample.labels["standing"]] += 1
        return due, standings

    def conclude(self) -> None:
        """The summary, when all is over."""
        fired = ", ".join(f"{count} {name}" for name, count in sorted(self._counts.items())) or "none"
        self.console.print(f"\n{self._published:,} events; alerts that fired: {fired}", highlight=False)
        if self.in_time:
            first = self.in_time[0]
            self.console.print(
                f"delivered before they were due: {len(self.in_time)}; the first: {first.annotations['summary']}",
                highlight=False,
            )
        else:
            self.console.print("no alert was delivered before its due instant", style="red", highlight=False)
        where = ", ".join(f"{name} {address}" for name, address in self.addresses.items())
        self.console.print(
            f"they ran at {where}; all is stopped now", style="dim", highlight=False, soft_wrap=True
        )

    def _stop_daemon(self) -> None:
        if self._daemon is not None and self._daemon.poll() is None:
            self._daemon.terminate()
            try:
                self._daemon.wait(timeout=15)
            except subprocess.TimeoutExpired:
                self._daemon.kill()


def _about(alert: Alert) -> tuple[str | None, ...]:
    return tuple(alert.labels.get(name) for name in ("customer", "agreement", "objective", "ticket"))


def _get(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=5) as answer:  # noqa: S310 - an address of ours, on loopback
        body: bytes = answer.read()
        return body


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-8:])
