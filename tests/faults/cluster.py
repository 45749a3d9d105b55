"""The cluster under test, with all that can break: three brokers, up to four pods, the network between them, Alertmanager.

Every pod comes to the brokers by doors of its own, a proxy before each broker, so that its network alone can fail. Two
receive alerts: the real Alertmanager, and one that only listens and remembers who said what. Whoever keeps pods alive in
production is played by `watch`: a pod that ends by itself is started again.
"""

import asyncio
import contextlib
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from slamon import clock
from slamon.demo.processes import HOST, Alertmanager, Kafka, Program, Toxiproxy, quicken
from slamon.kafka import topics
from slamon.settings import Settings, read_settings
from tests.faults.receiver import Receiver, receiving

BROKERS = 3
PODS = ("pod-1", "pod-2", "pod-3", "pod-4")
PARTITIONS = 6
SESSION = 6.0  # s; what a pod must be silent for to lose its tasks
DELAY = 15.0  # s; a task that is further behind says so
REQUEST_TIMEOUT = 2.0  # s of one request to an Alertmanager
GRACE = 25.0  # s a pod has to end in order, as the chart gives it
WATCH_EVERY = 0.2  # s
AGREEMENTS = "agreements.yaml"
KINDS = ("tickets", "availability", "changelog", "alerts", "standings", "statements", "dead_letters")

ALERTMANAGER = """\
route: {receiver: nobody, group_by: [customer, agreement, objective, ticket], group_wait: 0s}
receivers: [{name: nobody}]
"""

# Internal topics of a few partitions: with their usual fifty each, brokers elect leaders for most of a fault.
BROKER = {"offsets.topic.num.partitions": "6", "transaction.state.log.num.partitions": "6"}


@dataclass(frozen=True, slots=True)
class Exit:
    """A pod ended, and nobody had asked it to."""

    at: int
    pod: str
    code: int
    words: str  # the end of its log, from the last line that is none of its events


@dataclass(frozen=True, slots=True)
class Stop:
    """A pod was asked to end. `started`: it had come as far as to listen to that."""

    at: int
    pod: str
    started: bool
    seconds: float
    code: int | None  # None: it had to be killed


@dataclass(frozen=True, slots=True)
class Loss:
    """What a pod ran at this instant has to be taken over, by another or by its next life."""

    how: str
    at: int
    pod: str


@dataclass(frozen=True, slots=True)
class Silence:
    """A pod was frozen from one instant to the other."""

    pod: str
    start: int
    end: int


class Pod:
    """One `slamon run`, over all its lives. `wanted`: it is to run, and is started again if it ends by itself."""

    def __init__(self, name: str, program: Program) -> None:
        self.name = name
        self.program = program
        self.wanted = False
        self.lock = asyncio.Lock()  # one fault at a time

    def start(self) -> None:
        self.wanted = True
        self.program.start()

    def freeze(self) -> None:
        self.program.signal(signal.SIGSTOP)

    def wake(self) -> None:
        self.program.signal(signal.SIGCONT)

    def lines(self) -> list[dict[str, Any]]:
        """What all its lives have logged, as far as it is whole lines of JSON."""
        return _events(self.program.log.read_bytes()) if self.program.log.exists() else []

    def said(self, event: str) -> list[dict[str, Any]]:
        """The lines of this event in its present life."""
        return [line for line in _events(self.program.said().encode()) if line["event"] == event]


def _events(log: bytes) -> list[dict[str, Any]]:
    lines = []
    for line in log.splitlines():
        if line.startswith(b"{"):
            with contextlib.suppress(orjson.JSONDecodeError):  # it was killed while it wrote
                lines.append(orjson.loads(line))
    return lines


@dataclass
class Cluster:
    """The locks are held by faults that cannot both be; what is noted of pods is judged in the end."""

    folder: Path
    kafka: Kafka
    network: Toxiproxy
    alertmanager: Alertmanager
    receiver: Receiver
    settings: Settings
    pods: dict[str, Pod]
    brokers_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    alerting_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    topics_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    exits: list[Exit] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    silences: list[Silence] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)

    # Pods -------------------------------------------------------------------------------------------------------------

    def running(self) -> list[Pod]:
        """Those that run and that no fault is about just now."""
        return [
            pod for pod in self.pods.values() if pod.wanted and pod.program.alive and not pod.lock.locked()
        ]

    def absent(self) -> list[Pod]:
        return [pod for pod in self.pods.values() if not pod.wanted and not pod.lock.locked()]

    def kill(self, pod: Pod) -> None:
        self.losses.append(Loss("kill -9", clock.wall(), pod.name))
        pod.wanted = False
        pod.program.kill()

    async def stop(self, pod: Pod) -> None:
        """In good order if it can within its grace."""
        pod.wanted = False
        began, at, started = clock.monotonic(), clock.wall(), bool(pod.said("started"))
        self.losses.append(Loss("stop", at, pod.name))
        pod.program.signal(signal.SIGTERM)
        ended = await asyncio.to_thread(pod.program.wait, GRACE)
        code = pod.program.code if ended else None
        self.stops.append(Stop(at, pod.name, started, clock.monotonic() - began, code))
        if not ended:
            await asyncio.to_thread(pod.program.kill)

    async def silence(self, pod: Pod, seconds: float) -> None:
        at = clock.wall()
        if seconds > SESSION:
            self.losses.append(Loss("freeze", at, pod.name))
        pod.freeze()
        try:
            await clock.wait(seconds)
        finally:
            woken = clock.wall()
            pod.wake()
        self.silences.append(Silence(pod.name, at, woken))

    async def watch(self) -> None:
        """Start again what has ended by itself, as Kubernetes would; until it is cancelled."""
        while True:
            await clock.wait(WATCH_EVERY)
            for pod in self.pods.values():
                if pod.wanted and not pod.program.alive and not pod.lock.locked():
                    words = [line for line in pod.program.said().splitlines() if not line.startswith("{")]
                    self.exits.append(
                        Exit(clock.wall(), pod.name, pod.program.code or 0, "\n".join(words[-30:]))
                    )
                    pod.program.wait(0)
                    pod.start()

    # The network ------------------------------------------------------------------------------------------------------

    def doors(self, pod: str, brokers: list[int] | None = None) -> list[str]:
        """The proxies between a pod and the brokers; `brokers`: only these."""
        return [_proxy(pod, broker) for broker in brokers or range(1, BROKERS + 1)]

    # Alertmanager -----------------------------------------------------------------------------------------------------

    async def forget_alerts(self) -> None:
        """Alertmanager loses its memory, and comes back."""
        self.alertmanager.kill()
        shutil.rmtree(self.alertmanager.folder / "data", ignore_errors=True)
        await asyncio.to_thread(self.alertmanager.restart)

    # Topics -----------------------------------------------------------------------------------------------------------

    async def configure(self, topic: str, changed: Mapping[str, str]) -> None:
        """The topic's settings from now on: those that it was made with, and these."""
        settings = {"min.insync.replicas": "2", **topics.wanted(self.settings.kafka)[topic], **changed}
        deadline = clock.monotonic() + 60
        while True:
            admin = AIOKafkaAdminClient(bootstrap_servers=self.kafka.bootstrap)
            try:
                async with asyncio.timeout(15):
                    await admin.start()
                    resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs=settings)
                    [answer] = await admin.alter_configs([resource])
                    [(code, why, *_)] = answer.resources
                    if code == 0:
                        return
                    failure = f"{code} {why}"
            except (KafkaError, TimeoutError, OSError) as error:
                failure = repr(error)
            finally:
                await admin.close()
            assert clock.monotonic() < deadline, f"{topic} could not be configured: {failure}"

    # The end ----------------------------------------------------------------------------------------------------------

    async def heal(self, pods: int) -> None:
        """Everything runs and lets everything through; so many pods at least."""
        self.network.heal()
        for broker, program in self.kafka.programs.items():
            if program.alive:
                self.kafka.resume(broker)
            else:
                await asyncio.to_thread(self.kafka.restart, broker)
        await asyncio.to_thread(self.kafka.await_in_sync)
        if not self.alertmanager.programs[1].alive:
            await asyncio.to_thread(self.alertmanager.restart)
        for pod in self.pods.values():
            pod.wake()
        for pod in self.absent()[: max(0, pods - len(self.running()))]:
            pod.start()


@contextlib.asynccontextmanager
async def cluster(folder: Path, find: Callable[[str], Path], agreements: str) -> AsyncIterator[Cluster]:
    """Brokers, topics, network and receivers; no pod runs yet. `find`: where a part is."""
    java, libs = find("java"), find("kafka")
    quicken(java, libs, print)
    (folder / AGREEMENTS).write_text(agreements)
    async with receiving() as receiver:
        with contextlib.ExitStack() as stack:
            network = stack.enter_context(Toxiproxy(folder / "network", program=find("toxiproxy-server")))
            alertmanager = stack.enter_context(
                Alertmanager(folder / "alertmanager", program=find("alertmanager"), config=ALERTMANAGER)
            )
            receivers = {
                name: f"http://{HOST}:{network.proxy(name, port)}"
                for name, port in (("receiver", receiver.port), ("alertmanager", alertmanager.port))
            }
            doors = {pod: _doors(network, pod) for pod in PODS}
            kafka = stack.enter_context(
                Kafka(
                    folder / "kafka",
                    java=java,
                    libs=libs,
                    brokers=BROKERS,
                    properties=BROKER,
                    doors={_listener(pod): ports for pod, ports in doors.items()},
                )
            )
            pods = {}
            for pod, ports in doors.items():
                for broker, port in kafka.behind[_listener(pod)].items():
                    network.lead(_proxy(pod, broker), port)
                bootstrap = ",".join(f"{HOST}:{port}" for port in ports.values())
                alertmanagers = [f"{receivers['receiver']}/{pod}", receivers["alertmanager"]]
                config = _configure(
                    folder, pod, bootstrap, alertmanagers=alertmanagers, group_instance_id=pod
                )
                program = Program(pod, [sys.executable, "-m", "slamon", "run", "--config", config], folder)
                pods[pod] = Pod(pod, program)
            settings = read_settings(_configure(folder, "nobody", kafka.bootstrap))
            await topics.create(settings.kafka)
            try:
                yield Cluster(folder, kafka, network, alertmanager, receiver, settings, pods)
            finally:
                for each in pods.values():
                    each.program.kill()


def _doors(network: Toxiproxy, pod: str) -> dict[int, int]:
    """Ports by broker; where they lead is known when the brokers run."""
    return {broker: network.proxy(_proxy(pod, broker), upstream=1) for broker in range(1, BROKERS + 1)}


def _proxy(pod: str, broker: int) -> str:
    return f"{pod}-to-{broker}"


def _listener(pod: str) -> str:
    """Kafka wants letters and digits."""
    return pod.replace("-", "").upper()


def _configure(
    folder: Path, name: str, bootstrap: str, *, alertmanagers: Sequence[str] = (), **kafka: object
) -> Path:
    said = {
        "application_id": "faults",
        "agreements": [AGREEMENTS],
        "kafka": {
            "bootstrap_servers": bootstrap,
            "partitions": PARTITIONS,
            "session_timeout": SESSION,
            "heartbeat_interval": 0.5,
            "rebalance_timeout": 10,
            "commit_timeout": 8,  # brokers are found dead within 2 s here
            "restore_timeout": 30,
            "delay_limit": DELAY,
            "topics": {kind: f"faults.{kind}" for kind in KINDS},
            **kafka,
        },
        "notifier": {
            "alertmanagers": [{"url": url, "timeout": REQUEST_TIMEOUT} for url in alertmanagers],
            "resend_interval": 5,
        },
        "http": {"host": HOST, "port": 0, "liveness_port": 0},
        "log": {"format": "json"},
    }
    config = folder / f"{name}.yaml"
    config.write_bytes(orjson.dumps(said))  # JSON is YAML
    return config
