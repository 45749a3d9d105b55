"""Starts, breaks and stops the real Kafka, Prometheus, Alertmanager and Toxiproxy of the demo and the tests.

The rules:
- Each program listens on 127.0.0.1 alone, on ports that were free, and keeps everything in the folder it is given.
- It counts as started when it answers, the answer is its own and not a stranger's, and it is still alive.
- It never outlives us: `with` stops it, also on Ctrl-C; and should we be killed, a guard sees the pipe close that we
  held open, and kills it. (The kernel's own signal at a parent's death is Linux only, and means the thread's death.)
"""

import abc
import base64
import contextlib
import functools
import hashlib
import http.client
import itertools
import json
import random
import shutil
import signal
import socket
import struct
import subprocess
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiokafka.protocol.metadata import MetadataResponse_v2

from slamon import clock
from slamon.demo import parts

HOST = "127.0.0.1"
# Below the ports from which systems take those of outgoing connections (32768 and up on Linux): while a broker is
# down, a client that calls again could be given the broker's own port, and would then be talking to itself.
PORTS = range(15_000, 32_768)
IN_USE = "already in use"  # so say Java and Go alike
QUOTED_LINES = 12
ORDERLY = 10.0  # seconds an orderly stop may take

# Compiled little and collected simply, a broker is up sooner and in three quarters of the memory.
JVM = ("-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
LOGGING = (
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
)


class ProcessFailed(RuntimeError):  # noqa: N818 - the name says what it is
    """A program did not do what it was started for; the text quotes the end of its log."""


class PortTaken(ProcessFailed):
    """Somebody took the port between our looking and the program's listening."""


class Program:
    """One program in a session of its own, with its log and its guard."""

    # The program waits for a word from us, so that its guard stands before it runs.
    GATE = 'read -r go && exec "$@" </dev/null'
    GUARD = 'read -r end; kill -s KILL -- "-$1"'

    def __init__(self, name: str, command: Sequence[str | Path], folder: Path) -> None:
        self.name = name
        self.command = command
        self.folder = folder
        self.log = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._earlier = 0  # bytes of the log that earlier starts wrote

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ProcessFailed(f"{self.name} was never started")
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def code(self) -> int | None:
        """With which it ended; None while it runs, and if it never did."""
        return None if self._process is None else self._process.poll()

    def said(self) -> str:
        """What it has logged since it was last started."""
        with self.log.open("rb") as log:
            log.seek(self._earlier)
            return log.read().decode(errors="replace")

    def start(self) -> None:
        if self.alive:
            raise ProcessFailed(f"{self.name} is running already")
        self._earlier = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["sh", "-c", self.GATE, "slamon-gate", *self.command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C is for us, who stop it in order
            )
        self._guard = subprocess.Popen(
            [
                "sh",
                "-c",
                self.GUARD,
                "slamon-guard",
                str(self.pid),
                self.folder,
            ],  # the folder for readers of `ps`
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdin is not None
        with self._process.stdin as gate:
            gate.write(b"go\n")

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)  # does nothing once it has ended

    def wait(self, within: float) -> bool:
        """Whether it ended in time; if so, its guard is sent home."""
        if self._process is None:
            return True
        try:
            self._process.wait(within)
        except subprocess.TimeoutExpired:
            return False
        if self._guard is not None:
            self._guard.kill()  # before its pipe closes: the number it would kill may be another's by now
            self._guard.wait()
            assert self._guard.stdin is not None
            self._guard.stdin.close()
            self._guard = None
        return True

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.wait(60)

    def failure(self, what: str) -> ProcessFailed:
        said = self.said()
        kind = PortTaken if IN_USE in said else ProcessFailed
        return kind(f"{self.name} {what}. The end of its log {self.log}:{_end(said)}")

    def await_that(self, ready: Callable[[], bool], within: float) -> None:
        """Ask until it is so.

        Raises:
            ProcessFailed: it ended, or the time is up.

        """
        deadline = clock.monotonic() + within
        while True:
            answered = ready()
            if not self.alive:  # so whatever answered was not it
                raise self.failure("ended while it was awaited")
            if answered:
                return
            if clock.monotonic() > deadline:
                raise self.failure(f"was not ready within {within:g} s")
            clock.sleep(0.05)


def _end(said: str) -> str:
    """The last lines, without where in the program's code it happened."""
    lines = [line for line in said.splitlines() if line.strip() and not line.startswith("\tat ")]
    return "".join(f"\n    {line}" for line in lines[-QUOTED_LINES:]) or " (nothing)"


def stop(programs: Sequence[Program], within: float) -> None:
    """Ask all to end, and kill what has not ended in time (seconds)."""
    for program in programs:
        program.signal(signal.SIGTERM)
        program.signal(signal.SIGCONT)  # a paused one hears nothing else
    deadline = clock.monotonic() + within
    for program in programs:
        if not program.wait(max(0.0, deadline - clock.monotonic())):
            program.kill()


def free_ports(count: int) -> list[int]:
    """So many ports of this machine on which nobody listens now."""
    chance = random.SystemRandom()  # two processes with equal seeds must not want the same ports
    with contextlib.ExitStack() as held:
        ports: list[int] = []
        while len(ports) < count:
            port = chance.choice(PORTS)
            with contextlib.suppress(OSError):
                held.enter_context(socket.socket()).bind((HOST, port))
                ports.append(port)
        return ports


class Service(abc.ABC):
    """Programs that serve together, numbered from 1; where numbers are asked for, none means all.

    Its folder must be empty or absent, and stays when it has ended.
    """

    patience = ORDERLY  # when all are stopped

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        self.programs: dict[int, Program] = {}

    @abc.abstractmethod
    def launch(self) -> None: ...

    @abc.abstractmethod
    def await_ready(self, numbers: Sequence[int]) -> None: ...

    def start(self) -> None:
        """Return when it serves.

        Raises:
            ProcessFailed: with the end of what the program said; nothing is left running.

        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if any(self.folder.iterdir()):
            raise ProcessFailed(
                f"{self.folder} is not empty; give a new folder, so that nothing of others is used"
            )
        try:
            self.launch()
        except BaseException:
            self.kill()
            raise

    def on_free_ports(self, count: int, launch: Callable[[list[int]], None]) -> None:
        for _ in range(2):
            try:
                return launch(free_ports(count))
            except PortTaken:  # rare, and other ports are as good
                self.kill()
        return launch(free_ports(count))

    def stop(self) -> None:
        stop(list(self.programs.values()), self.patience)

    def kill(self, *numbers: int) -> None:
        """End at once, as in a power cut, and wait until that has happened."""
        for number in numbers or self.programs:
            self.programs[number].kill()

    def pause(self, *numbers: int) -> None:
        for number in numbers or self.programs:
            self.programs[number].signal(signal.SIGSTOP)

    def resume(self, *numbers: int) -> None:
        for number in numbers or self.programs:
            self.programs[number].signal(signal.SIGCONT)

    def restart(self, *numbers: int) -> None:
        """Start again on the same ports and data, after an orderly stop of what still runs; return when it serves."""
        chosen = {number: self.programs[number] for number in numbers or self.programs}
        stop(list(chosen.values()), self.patience if len(chosen) == len(self.programs) else ORDERLY)
        for program in chosen.values():
            program.start()
        self.await_ready(list(chosen))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class Kafka(Service):
    """A Kafka of our own: one broker, or several that replicate, each its own controller as well.

    `listeners` are others than the open one that the brokers themselves use: name → protocol. `properties` are added to
    the settings of every broker, `formatting` to the options of the command that prepares its folder, `jvm` to Java's.
    `doors` are open listeners for those who come through a proxy: by name, the port of the proxy before each broker, which
    it tells its clients.
    """

    def __init__(
        self,
        folder: Path,
        *,
        java: Path,
        libs: Path,
        brokers: int = 1,
        listeners: Mapping[str, str] | None = None,
        properties: Mapping[str, str] | None = None,
        formatting: Sequence[str] = (),
        jvm: Sequence[str] = (),
        doors: Mapping[str, Mapping[int, int]] | None = None,
    ) -> None:
        super().__init__(folder)
        self.java = java
        self.libs = libs
        self.doors = doors or {}
        self.brokers = brokers
        self.others = {**(listeners or {}), **dict.fromkeys(self.doors, "PLAINTEXT")}
        self.formatting = formatting
        self.properties = properties or {}
        archive = _start_archive(java, libs).kept()
        self.jvm = (*JVM, *LOGGING, *([f"-XX:SharedArchiveFile={archive}"] if archive else []), *jvm)
        self.cluster_id = _cluster_id()
        self.ports: dict[int, int] = {}
        self.listener_ports: dict[tuple[int, str], int] = {}  # of the others, doors too
        if brokers > 1:
            self.patience = 2  # the last ones would wait in vain for a majority that takes over from them

    @property
    def bootstrap(self) -> str:
        return ",".join(f"{HOST}:{port}" for port in self.ports.values())

    def bootstrap_of(self, listener: str) -> str:
        return ",".join(f"{HOST}:{self.listener_ports[number, listener]}" for number in self.ports)

    def launch(self) -> None:
        self.programs = {
            number: Program(
                f"kafka-{number}", self._command("kafka.Kafka", self._settings(number)), self.folder
            )
            for number in range(1, self.brokers + 1)
        }
        self.on_free_ports((2 + len(self.others)) * self.brokers, self._launch_on)

    def _launch_on(self, ports: list[int]) -> None:
        self._configure(ports)
        if not (self.folder / "kafka-1").exists():
            self._format()
        for program in self.programs.values():
            program.start()
        self.await_ready(list(self.programs))

    def await_ready(self, numbers: Sequence[int]) -> None:
        """Until each of these brokers is taken up by our cluster; if they are all, with all the others."""
        for number in numbers:
            expected = set(numbers) if len(numbers) == self.brokers else {number}
            self.programs[number].await_that(
                functools.partial(self._serves, self.ports[number], expected), 60
            )

    def await_in_sync(self) -> None:
        """Until every replica of every partition is in sync: sooner, no other broker may be stopped."""
        for number, program in self.programs.items():
            program.await_that(functools.partial(_in_sync, self.ports[number]), 60)

    def controller(self) -> int | None:
        """The number of the broker that leads the cluster now; None while they elect one."""
        answers = (_quorum_leader(port) for port in self.ports.values())
        return next((leader for leader in answers if leader is not None), None)

    def _serves(self, port: int, expected: set[int]) -> bool:
        answer = _metadata(port)
        if answer is None or answer.cluster_id != self.cluster_id:
            return False
        return answer.controller_id != -1 and expected <= {number for number, *_ in answer.brokers}

    def _command(self, main: str, *arguments: str | Path) -> list[str | Path]:
        return [self.java, *self.jvm, "-cp", f"{self.libs}/*", main, *arguments]

    def _settings(self, number: int) -> Path:
        return self.folder / f"kafka-{number}.properties"

    @property
    def behind(self) -> dict[str, dict[int, int]]:
        """Door → the port behind it at each broker."""
        return {
            door: {number: self.listener_ports[number, door] for number in self.programs}
            for door in self.doors
        }

    def _configure(self, ports: list[int]) -> None:
        self.ports = dict(zip(self.programs, ports[: self.brokers], strict=True))
        voters = dict(zip(self.programs, ports[self.brokers : 2 * self.brokers], strict=True))
        others = itertools.product(self.programs, self.others)
        self.listener_ports = dict(zip(others, ports[2 * self.brokers :], strict=True))
        copies = min(3, self.brokers)
        enough = max(1, copies - 1)
        protocols = {"CLIENTS": "PLAINTEXT", "CONTROLLER": "PLAINTEXT", **self.others}
        for number in self.programs:
            offered = {
                "CLIENTS": self.ports[number],
                **{name: self.listener_ports[number, name] for name in self.others},
            }
            told = offered | {door: before[number] for door, before in self.doors.items()}
            settings = {
                "process.roles": "broker,controller",
                "node.id": number,
                "controller.quorum.voters": ",".join(
                    f"{voter}@{HOST}:{port}" for voter, port in voters.items()
                ),
                "listeners": _addresses(offered | {"CONTROLLER": voters[number]}),
                "advertised.listeners": _addresses(told),
                "inter.broker.listener.name": "CLIENTS",
                "controller.listener.names": "CONTROLLER",
                "listener.security.protocol.map": ",".join(
                    f"{name}:{protocol}" for name, protocol in protocols.items()
                ),
                "log.dirs": self.folder / f"kafka-{number}",
                "auto.create.topics.enable": "false",
                "default.replication.factor": copies,
                "min.insync.replicas": enough,
                "offsets.topic.replication.factor": copies,
                "transaction.state.log.replication.factor": copies,
                "transaction.state.log.min.isr": enough,
                "group.initial.rebalance.delay.ms": 0,
                # A killed broker is forgotten, and may come back, after 2 s instead of 9.
                "broker.session.timeout.ms": 2000,
                "broker.heartbeat.interval.ms": 500,
                "log.cleaner.dedupe.buffer.size": 8
                << 20,  # held from the start; 128 MiB are for many millions of keys
                **self.properties,
            }
            self._settings(number).write_text(
                "".join(f"{name}={value}\n" for name, value in settings.items())
            )

    def _format(self) -> None:
        """Write the cluster's id into every data folder; without it no broker starts."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(self._format_one, self.programs))

    def _format_one(self, number: int) -> None:
        command = self._command(
            "kafka.tools.StorageTool",
            "format",
            *("-t", self.cluster_id),
            *("-c", self._settings(number)),
            *self.formatting,
        )
        try:
            subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, check=True)
        except subprocess.SubprocessError as fault:  # its time was up, or it answered with an error
            said = (getattr(fault, "output", None) or b"").decode(errors="replace")
            raise ProcessFailed(
                f"kafka-{number}: its data folder could not be formatted:{_end(said)}"
            ) from fault


def quicken(java: Path, libs: Path, say: Callable[[str], None]) -> None:
    """Let later brokers start in two thirds of the time, by keeping the classes they load as Java maps them.

    Takes 15 to 40 s and 60 MB, once for a Java and a Kafka. Without it brokers work as well.
    """
    try:
        parts.make("kafka", _start_archive(java, libs), say)
    except (parts.Missing, ProcessFailed, OSError, subprocess.SubprocessError) as fault:
        say(f"kafka: brokers will start more slowly: {fault}")


def _start_archive(java: Path, libs: Path) -> parts.Recipe:
    def make(home: Path, say: Callable[[str], None]) -> None:
        say("kafka: learning what a broker loads, so that it starts faster from now on")
        classes, run = home / "classes", home / "run"
        with Kafka(run, java=java, libs=libs, jvm=[f"-XX:DumpLoadedClassList={classes}"]):
            pass
        dump = [
            "-Xshare:dump",
            f"-XX:SharedClassListFile={classes}",
            f"-XX:SharedArchiveFile={home / 'kafka.jsa'}",
        ]
        command = [str(java), *JVM, *dump, "-cp", f"{libs}/*"]
        subprocess.run(command, capture_output=True, timeout=300, check=True)
        shutil.rmtree(run)

    # Java itself looks whether the archive fits, and goes on without it if not.
    of = hashlib.sha256(f"{java.resolve()} {libs.resolve()} {JVM}".encode()).hexdigest()
    return parts.Recipe(
        f"kafka-start-{of[:12]}", make, lambda home: path if (path := home / "kafka.jsa").is_file() else None
    )


def _addresses(listeners: Mapping[str, int]) -> str:
    return ",".join(f"{name}://{HOST}:{port}" for name, port in listeners.items())


def _cluster_id() -> str:
    """What Kafka takes for an id: 16 bytes in base64. A leading "-" its format command takes for an option."""
    while (name := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return name


def _asked(port: int, kind: int, version: int, request: bytes) -> bytes | None:
    """The answer of the broker at this port to a request of the protocol; None if none answers."""
    # Kind and version of the request, its number, its client.
    request = struct.pack(">hhih6s", kind, version, 1, 6, b"slamon") + request
    try:
        with (
            socket.create_connection((HOST, port), timeout=2) as connection,
            connection.makefile("rb") as answer,
        ):
            connection.sendall(struct.pack(">i", len(request)) + request)
            size, _number = struct.unpack(">ii", answer.read(8))
            return answer.read(size - 4)
    except (OSError, struct.error):
        return None


def _metadata(port: int) -> Any:
    """What the broker at this port knows of its cluster and all topics, or None if none answers."""
    every_topic = struct.pack(">i", -1)
    answer = _asked(port, 3, 2, every_topic)
    try:
        return None if answer is None else MetadataResponse_v2.decode(answer)
    except (struct.error, ValueError):
        return None


def _quorum_leader(port: int) -> int | None:
    """Who leads the log of the cluster itself, as the broker at this port hears from the leader."""
    # Numbers of elements and characters are one more than they are; each structure ends with its extra fields, none.
    log = b"__cluster_metadata"
    which = struct.pack(f">xBB{len(log)}sBixxx", 2, len(log) + 1, log, 2, 0)
    answer = _asked(port, 55, 0, which)
    try:
        at = struct.Struct(f">xhxB{len(log)}sxihi")
        error, _, name, _, partition_error, leader = at.unpack_from(answer or b"")
    except struct.error:
        return None
    known = not error and not partition_error and name == log and leader >= 0
    return leader if known else None


def _in_sync(port: int) -> bool:
    answer = _metadata(port)
    if answer is None:
        return False
    partitions = (partition for *_, partitions in answer.topics for partition in partitions)
    return all(set(in_sync) == set(replicas) for *_, replicas, in_sync in partitions)


class _WebServer(Service):
    """What Prometheus and Alertmanager have in common. `config` is the text of the configuration file."""

    def __init__(self, name: str, folder: Path, program: Path, config: str, flags: Sequence[str]) -> None:
        super().__init__(folder)
        self.name = name
        self.program = program
        self.config = config
        self.flags = flags
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def launch(self) -> None:
        (self.folder / f"{self.name}.yml").write_text(self.config)
        self.on_free_ports(1, self._launch_on)

    def _launch_on(self, ports: list[int]) -> None:
        [self.port] = ports
        own = [f"--config.file={self.folder / self.name}.yml", f"--web.listen-address={HOST}:{self.port}"]
        self.programs = {1: Program(self.name, [self.program, *own, *self.flags], self.folder)}
        self.programs[1].start()
        self.await_ready([1])

    def await_ready(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self.programs[number].await_that(self._serves, 60)

    def _serves(self) -> bool:
        # Its log names the port once it is its own; before, a stranger might answer there.
        listening = any(
            'msg="Listening on"' in line and f"{HOST}:{self.port}" in line for line in self._log_lines()
        )
        if not listening:
            return False
        connection = http.client.HTTPConnection(HOST, self.port, timeout=2)
        try:
            connection.request("GET", "/-/ready")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _log_lines(self) -> list[str]:
        return self.programs[1].said().splitlines()


class Toxiproxy(Service):
    """Proxies for TCP, between whom the network can be cut and slowed: see its own documentation for what it calls toxics."""

    def __init__(self, folder: Path, *, program: Path) -> None:
        super().__init__(folder)
        self.program = program
        self.port = 0

    def launch(self) -> None:
        self.on_free_ports(1, self._launch_on)

    def _launch_on(self, ports: list[int]) -> None:
        [self.port] = ports
        at = ["-host", HOST, "-port", str(self.port)]
        self.programs = {1: Program("toxiproxy", [self.program, *at], self.folder)}
        self.programs[1].start()
        self.await_ready([1])

    def await_ready(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self.programs[number].await_that(self._serves, 60)

    def _serves(self) -> bool:
        try:
            self.ask("GET", "/version")
        except OSError:
            return False
        return True

    def proxy(self, name: str, upstream: int) -> int:
        """Make a proxy before a port of this machine; the port that it listens on."""
        [port] = free_ports(1)
        self.ask(
            "POST", "/proxies", {"name": name, "listen": f"{HOST}:{port}", "upstream": f"{HOST}:{upstream}"}
        )
        return port

    def lead(self, name: str, upstream: int) -> None:
        """From now on the proxy leads to this port."""
        self.ask("POST", f"/proxies/{name}", {"upstream": f"{HOST}:{upstream}"})

    def cut(self, name: str) -> None:
        """End its connections, and refuse others."""
        self.ask("POST", f"/proxies/{name}", {"enabled": False})

    def swallow(self, name: str) -> None:
        """Let nothing through in either direction, and say so to nobody."""
        for stream in ("upstream", "downstream"):
            self._poison(name, "timeout", stream, timeout=0)

    def slow(self, name: str, latency: int, jitter: int = 0) -> None:
        """Hold everything back for so many milliseconds, more or less, in each direction."""
        for stream in ("upstream", "downstream"):
            self._poison(name, "latency", stream, latency=latency, jitter=jitter)

    def _poison(self, name: str, kind: str, stream: str, **attributes: int) -> None:
        self.ask(
            "POST", f"/proxies/{name}/toxics", {"type": kind, "stream": stream, "attributes": attributes}
        )

    def heal(self) -> None:
        """All proxies let everything through, and at once."""
        self.ask("POST", "/reset")

    def mend(self, name: str) -> None:
        """Let everything through again, and at once; what it had swallowed is lost with its connection."""
        for toxic in self.ask("GET", f"/proxies/{name}/toxics"):
            self.ask("DELETE", f"/proxies/{name}/toxics/{toxic['name']}")
        self.ask("POST", f"/proxies/{name}", {"enabled": True})

    def ask(self, method: str, path: str, said: object = None) -> Any:
        """The answer of its own interface. Raises ProcessFailed, OSError."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=10)
        try:
            body = None if said is None else json.dumps(said)
            connection.request(method, path, body, {"User-Agent": "slamon"})
            answer = connection.getresponse()
            content = answer.read()
            if answer.status // 100 != 2:
                raise ProcessFailed(
                    f"toxiproxy: {method} {path}: {answer.status} {content.decode(errors='replace')}"
                )
            return json.loads(content) if content.startswith((b"{", b"[")) else None
        finally:
            connection.close()


class Prometheus(_WebServer):
    """A Prometheus of our own, 2 or 3. `config` is the text of prometheus.yml; paths in it count from the folder."""

    def __init__(self, folder: Path, *, program: Path, config: str, flags: Sequence[str] = ()) -> None:
        own = [f"--storage.tsdb.path={folder.absolute() / 'data'}"]
        super().__init__("prometheus", folder, program, config, [*own, *flags])


class Alertmanager(_WebServer):
    """An Alertmanager of our own. `config` is the text of alertmanager.yml.

    `cluster`: the ports on which it and its peers talk to each other, its own first; without, it talks to no other.
    """

    def __init__(
        self,
        folder: Path,
        *,
        program: Path,
        config: str,
        cluster: Sequence[int] = (),
        flags: Sequence[str] = (),
    ) -> None:
        own = [f"--storage.path={folder.absolute() / 'data'}"]
        listen, *peers = (f"{HOST}:{port}" for port in cluster) if cluster else ("",)
        own += [f"--cluster.listen-address={listen}", *(f"--cluster.peer={peer}" for peer in peers)]
        super().__init__("alertmanager", folder, program, config, [*own, *flags])
