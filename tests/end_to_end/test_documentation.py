"""Commands of the documentation that need a Kafka: typed as they stand there, beside real brokers and a real daemon.

The pages speak of brokers called `kafka:9092` and `new-kafka:9092`, of pods, and of the ports that slamon has by default; here
are one broker for each of those names, a process in the place of the pods, and free ports. So names are exchanged on the way in
and out. `kubectl scale`, `kubectl rollout restart` and `slamon run` start and stop that process; `kubectl logs` shows what it says.
Kafka's own commands are the real ones.
"""

import contextlib
import os
import re
import shlex
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from slamon import clock
from slamon.demo import processes
from slamon.demo.processes import Kafka
from tests.end_to_end.place import PATIENCE, Daemon, until
from tests.shell.documentation import (
    PAGES,
    ROOT,
    Block,
    Example,
    blocks,
    files_of,
    is_answered,
    typed_in,
)

Part = Callable[[str], Path]
BROKERS = ("new-kafka:9092", "kafka:9092")  # the longer name first
TYPED = [
    path
    for path in PAGES
    if any(block.language == "console" and block.mark.startswith("kafka") for block in blocks(path))
]
TOOLS = {
    "kafka-topics.sh": "TopicCommand",
    "kafka-configs.sh": "ConfigCommand",
    "kafka-delete-records.sh": "DeleteRecordsCommand",
    "kafka-get-offsets.sh": "GetOffsetShell",
    "kafka-console-consumer.sh": "consumer.ConsoleConsumer",
    "kafka-console-producer.sh": "ConsoleProducer",
    "kafka-consumer-groups.sh": "consumer.group.ConsumerGroupCommand",
}
PODS = {("kubectl", "scale"), ("kubectl", "rollout"), ("slamon", "run")}
# One broker, and nobody to wait for.
HERE = {
    "SLAMON_KAFKA__REPLICATION_FACTOR": "1",
    "SLAMON_KAFKA__MIN_INSYNC_REPLICAS": "1",
    "SLAMON_KAFKA__SESSION_TIMEOUT": "6",
    "SLAMON_KAFKA__HEARTBEAT_INTERVAL": "0.5",
    "SLAMON_KAFKA__REBALANCE_TIMEOUT": "10",
    "SLAMON_HTTP__HOST": "127.0.0.1",
    "SLAMON_LOG__FORMAT": "json",
    "COLUMNS": "120",
}


class Desk:
    """Where a page is typed: its folder, its brokers, its pods."""

    def __init__(self, folder: Path, names: dict[str, str], java: Path, jars: str) -> None:
        """`names`: as the page has them → as they are here."""
        self.folder = folder
        self.names = names
        self.daemon: Daemon | None = None
        port, liveness = processes.free_ports(2)
        names |= {"localhost:9464": f"127.0.0.1:{port}", "localhost:9465": f"127.0.0.1:{liveness}"}
        bin_folder = folder.parent / "bin"
        bin_folder.mkdir()
        scripts = {"slamon": f'exec {sys.executable} -m slamon "$@"\n'}
        for tool, name in TOOLS.items():
            scripts[tool] = f'exec {java} -cp "{jars}" org.apache.kafka.tools.{name} "$@" 2>/dev/null\n'
        scripts["kubectl"] = f'[ "$1" = logs ] && exec cat {folder.parent}/pod.log\nexit 1\n'
        for name, text in scripts.items():
            (bin_folder / name).write_text(f"#!/bin/sh\n{text}")
            (bin_folder / name).chmod(stat.S_IRWXU)
        ports = {"SLAMON_HTTP__PORT": str(port), "SLAMON_HTTP__LIVENESS_PORT": str(liveness)}
        path = {"PATH": f"{bin_folder}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
        self.environment = {**os.environ, **HERE, **ports, **path}

    def here(self, text: str) -> str:
        for name, address in self.names.items():
            text = re.sub(rf"(?<![\w-]){re.escape(name)}", address, text)
        return text

    def there(self, text: str) -> str:
        for name, address in self.names.items():
            text = text.replace(address, name)
        return text

    async def type(self, example: Example, *, soon: bool) -> None:
        words = shlex.split(example.command)
        if tuple(words[:2]) in PODS:
            await self.scale(0 if "--replicas=0" in words else 1, anew=words[1] == "rollout")
            return
        deadline = clock.monotonic() + PATIENCE
        while True:
            said, code = self.answered(example.command)
            if is_answered(example.output, said, at_any_time=True) and code == example.code:
                return
            if not soon or clock.monotonic() > deadline:
                assert (said, code) == (example.output, example.code), example.command
            await clock.wait(0.5)

    def answered(self, command: str) -> tuple[str, int]:
        """What a terminal would show, under the names of the page, and the exit code."""
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", self.here(command)],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )
        return self.there(done.stdout), done.returncode

    async def scale(self, replicas: int, *, anew: bool) -> None:
        """What Kubernetes would do with pods, with one process."""
        if self.daemon is not None and (anew or not replicas):
            if self.daemon.process.poll() is None:
                self.daemon.stop()
            self.daemon = None
        if self.daemon is None and replicas:
            with contextlib.chdir(self.folder), pytest.MonkeyPatch.context() as patch:
                for name, value in self.environment.items():
                    patch.setenv(name, value)
                self.daemon = Daemon(self.folder / "slamon.yaml", self.folder.parent / "pod.log")
            daemon = self.daemon

            async def settled() -> bool:
                """It runs all its tasks, or has ended, for something is wrong that the page is about."""
                if daemon.process.poll() is not None:
                    return True
                if not daemon.said("started"):
                    return False
                status, tasks = await daemon.readyz()
                return status == 200 and set(tasks.values()) == {"running"}

            await until(settled, "the pods are ready, or have ended")

    def close(self) -> None:
        if self.daemon is not None:
            self.daemon.kill()


@pytest.fixture
def desk(tmp_path: Path, part: Part, request: pytest.FixtureRequest) -> Iterator[Desk]:
    page: Path = request.param
    java, libs, tools = part("java"), part("kafka"), part("kafka-tools")
    processes.quicken(java, libs, print)
    text = page.read_text(encoding="utf-8")
    named = [name for name in BROKERS if re.search(rf"(?<![\w-]){name}", text)]
    with contextlib.ExitStack() as started:
        brokers = {
            name: started.enter_context(Kafka(tmp_path / f"broker-{number}", java=java, libs=libs)).bootstrap
            for number, name in enumerate(named)
        }
        folder = tmp_path / "desk"
        folder.mkdir()
        sitting = Desk(folder, brokers, java, f"{libs}/*:{tools}/*")
        files_of(page, folder)
        for file in filter(Path.is_file, folder.rglob("*")):
            file.write_text(sitting.here(file.read_text(encoding="utf-8")), encoding="utf-8")
        started.callback(sitting.close)
        yield sitting


@pytest.mark.timeout(900)  # a page is many commands, each a process that starts
@pytest.mark.parametrize(
    ("desk", "page"),
    [(path, path) for path in TYPED],
    indirect=["desk"],
    ids=[str(path.relative_to(ROOT)) for path in TYPED],
)
async def test_a_real_kafka_answers_as_the_page_says(desk: Desk, page: Path) -> None:
    for block in blocks(page):
        if block.language == "console" and block.mark.startswith("kafka"):
            for example in typed_in(block):
                await desk.type(example, soon=_waits(block))


def _waits(block: Block) -> bool:
    return "soon" in block.mark.split()
