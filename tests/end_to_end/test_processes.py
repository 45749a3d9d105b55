"""The real Kafka, Prometheus and Alertmanager start, serve, die and come back as told, and never outlive us."""

import http.client
import json
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError

from slamon import clock
from slamon.demo import processes
from slamon.demo.processes import Alertmanager, Kafka, ProcessFailed, Prometheus, Toxiproxy

PROMETHEUS = "global: {scrape_interval: 1s}\n"
ALERTMANAGER = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"

Part = Callable[[str], Path]


@pytest.fixture(scope="module")
def java(part: Part) -> Path:
    return part("java")


@pytest.fixture(scope="module")
def libs(part: Part, java: Path) -> Path:
    libs = part("kafka")
    processes.quicken(java, libs, print)
    return libs


@pytest.fixture
def kafka(tmp_path: Path, java: Path, libs: Path) -> Iterator[Kafka]:
    with Kafka(tmp_path / "kafka", java=java, libs=libs) as started:
        yield started


def until(so: Callable[[], bool], what: str) -> None:
    deadline = clock.monotonic() + 60
    while not so():
        assert clock.monotonic() < deadline, f"not within 60 s: {what}"
        clock.sleep(0.02)


def running_with(words: str) -> list[str]:
    """The command lines of all running processes that contain the words."""
    lines = subprocess.run(
        ["ps", "-A", "-ww", "-o", "args="], capture_output=True, text=True, check=True
    ).stdout
    return [line for line in lines.splitlines() if words in line]


async def create_topic(kafka: Kafka, name: str, copies: int = 1) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, num_partitions=1, replication_factor=copies)])
    finally:
        await admin.close()


@asynccontextmanager
async def producing(kafka: Kafka, **settings: Any) -> AsyncIterator[Any]:
    producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, **settings)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def contents(kafka: Kafka, topic: str, count: int) -> list[bytes]:
    """The first so many committed records of the topic."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap, isolation_level="read_committed")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        await consumer.seek_to_beginning()
        return [(await consumer.getone()).value for _ in range(count)]
    finally:
        await consumer.stop()


def get(url: str, path: str) -> Any:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    try:
        connection.request("GET", path)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


# ---- Kafka


async def test_records_make_the_round_trip_and_an_aborted_transaction_is_not_seen(kafka: Kafka) -> None:
    await create_topic(kafka, "words")
    async with producing(kafka) as producer:
        await producer.send_and_wait("words", b"plain")
    async with producing(kafka, transactional_id="test-0") as producer:
        await producer.begin_transaction()
        await producer.send_and_wait("words", b"aborted")
        await producer.abort_transaction()
        async with producer.transaction():
            await producer.send_and_wait("words", b"committed")
    assert await contents(kafka, "words", 2) == [b"plain", b"committed"]


async def test_a_killed_broker_comes_back_on_its_port_with_its_records(kafka: Kafka) -> None:
    await create_topic(kafka, "words")
    async with producing(kafka) as producer:
        await producer.send_and_wait("words", b"before")
    address, pid = kafka.bootstrap, kafka.programs[1].pid

    kafka.kill()
    assert not kafka.programs[1].alive
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", kafka.ports[1]), timeout=5)

    kafka.restart()
    assert kafka.bootstrap == address
    assert kafka.programs[1].pid != pid
    assert await contents(kafka, "words", 1) == [b"before"]


def test_a_paused_broker_answers_nothing_until_it_is_resumed(kafka: Kafka) -> None:
    kafka.pause()
    with socket.create_connection(("127.0.0.1", kafka.ports[1]), timeout=5) as connection:
        connection.sendall(
            bytes.fromhex("0000000c 0012 0000 00000001 0002 7878")
        )  # which versions are spoken?
        connection.settimeout(0.5)
        with pytest.raises(TimeoutError):
            connection.recv(4)
        kafka.resume()
        connection.settimeout(30)
        assert connection.recv(4)


async def test_three_brokers_serve_on_while_one_is_killed_and_take_it_back(
    tmp_path: Path, java: Path, libs: Path
) -> None:
    with Kafka(tmp_path / "kafka", java=java, libs=libs, brokers=3) as kafka:
        await create_topic(kafka, "words", copies=3)
        kafka.await_in_sync()
        kafka.kill(2)
        async with (
            producing(kafka, acks="all", transactional_id="test-0") as producer,
            producer.transaction(),
        ):
            await producer.send_and_wait("words", b"while one is away")
        kafka.restart(2)
        kafka.await_in_sync()
        kafka.kill(1)
        assert await contents(kafka, "words", 1) == [b"while one is away"]


def test_a_broker_that_cannot_start_fails_with_the_end_of_its_log(
    tmp_path: Path, java: Path, libs: Path
) -> None:
    broken = Kafka(
        tmp_path / "kafka", java=java, libs=libs, properties={"log.retention.check.interval.ms": "-1"}
    )
    with pytest.raises(ProcessFailed, match=r"(?s)kafka-1.*log\.retention\.check\.interval\.ms"), broken:
        pass
    assert not running_with(str(tmp_path))


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path, java: Path, libs: Path) -> None:
    (tmp_path / "kept").touch()
    with pytest.raises(ProcessFailed, match="is not empty; give a new folder"):
        Kafka(tmp_path, java=java, libs=libs).start()


def test_a_port_that_somebody_took_meanwhile_is_given_up_for_another(
    part: Part, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = part("prometheus")
    free_ports = processes.free_ports
    with socket.create_server(("127.0.0.1", 0)) as strangers:
        offers = [[strangers.getsockname()[1]]]
        monkeypatch.setattr(
            processes, "free_ports", lambda count: offers.pop() if offers else free_ports(count)
        )
        with Prometheus(tmp_path / "prometheus", program=program, config=PROMETHEUS) as prometheus:
            assert prometheus.port != strangers.getsockname()[1]
            assert get(prometheus.url, "/api/v1/status/config")["status"] == "success"


async def test_a_door_leads_through_its_proxies_which_cut_swallow_and_slow_what_passes(
    tmp_path: Path, java: Path, libs: Path, part: Part
) -> None:
    with Toxiproxy(tmp_path / "toxiproxy", program=part("toxiproxy-server")) as network:
        doors = {"POD": {1: network.proxy("pod", upstream=1)}}
        with Kafka(tmp_path / "kafka", java=java, libs=libs, doors=doors) as kafka:
            network.lead("pod", kafka.behind["POD"][1])
            await create_topic(kafka, "words")
            through = f"{processes.HOST}:{doors['POD'][1]}"

            async def passes() -> float | None:
                """Seconds that a record took, by a client that knows no other way."""
                producer = AIOKafkaProducer(bootstrap_servers=through, request_timeout_ms=1000)
                began = clock.monotonic()
                try:
                    await producer.start()
                    await producer.send_and_wait("words", b"passed")
                except KafkaError:
                    return None
                finally:
                    await producer.stop()
                return clock.monotonic() - began

            assert await passes() is not None
            for close in (network.cut, network.swallow):
                close("pod")
                assert await passes() is None
                network.mend("pod")
                assert await passes() is not None
            network.slow("pod", latency=100)
            slow = await passes()
            assert slow is not None
            assert slow >= 0.2, "in each direction"
            network.heal()
            assert await contents(kafka, "words", 4) == [b"passed"] * 4


def test_when_the_leader_of_the_cluster_is_killed_another_broker_leads(
    tmp_path: Path, java: Path, libs: Path
) -> None:
    with Kafka(tmp_path / "kafka", java=java, libs=libs, brokers=3) as kafka:
        leader = kafka.controller()
        assert leader is not None
        kafka.kill(leader)
        until(lambda: kafka.controller() not in (None, leader), "another leads")


# ---- Nothing is left


OWNER = """
import signal
import sys
from pathlib import Path
from slamon.demo.processes import Kafka
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs in the background inherits that it is ignored
try:
    with Kafka(Path(sys.argv[1]), java=Path(sys.argv[2]), libs=Path(sys.argv[3])):
        print("started", flush=True)
        sys.stdin.read()
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("moment", ["starting", "started"])
def test_a_broker_never_outlives_its_owner(
    tmp_path: Path, java: Path, libs: Path, number: signal.Signals, moment: str
) -> None:
    folder = tmp_path / "kafka"
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, folder, java, libs], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as owner:
        assert owner.stdout is not None
        if moment == "started":
            assert owner.stdout.readline() == b"started\n"
        broker = f"kafka.Kafka {folder}"
        until(lambda: bool(running_with(broker)), "the broker runs")
        owner.send_signal(number)
        until(lambda: not running_with(str(folder)), "the broker, its guard and its owner are gone")
        if number is signal.SIGINT:
            assert owner.stdout.readline() == b"interrupted\n"


def test_stopping_leaves_neither_broker_nor_guard(tmp_path: Path, java: Path, libs: Path) -> None:
    with Kafka(tmp_path / "kafka", java=java, libs=libs) as kafka:
        kafka.pause()  # even so
        assert running_with(f"slamon-guard {kafka.programs[1].pid} {tmp_path}")
    assert not running_with(str(tmp_path))


# ---- Prometheus and Alertmanager


def test_prometheus_starts_with_its_configuration_and_comes_back(part: Part, tmp_path: Path) -> None:
    with Prometheus(tmp_path / "prometheus", program=part("prometheus"), config=PROMETHEUS) as prometheus:
        assert "scrape_interval: 1s" in get(prometheus.url, "/api/v1/status/config")["data"]["yaml"]
        url = prometheus.url
        prometheus.kill()
        prometheus.restart()
        assert prometheus.url == url
        assert get(url, "/api/v1/query?query=vector(1)")["data"]["result"][0]["value"][1] == "1"
    assert not running_with(str(tmp_path))


def test_alertmanager_starts_with_its_configuration_alone_and_comes_back(part: Part, tmp_path: Path) -> None:
    program = part("alertmanager")
    with Alertmanager(tmp_path / "alertmanager", program=program, config=ALERTMANAGER) as alertmanager:
        status = get(alertmanager.url, "/api/v2/status")
        assert "receiver: nobody" in status["config"]["original"]
        assert status["cluster"]["status"] == "disabled"
        alertmanager.restart()
        assert get(alertmanager.url, "/api/v2/alerts") == []
    assert not running_with(str(tmp_path))


def test_a_configuration_that_is_refused_fails_with_the_programs_own_words(
    part: Part, tmp_path: Path
) -> None:
    broken = Prometheus(tmp_path / "prometheus", program=part("prometheus"), config="nonsense: 1\n")
    with pytest.raises(ProcessFailed, match=r"(?s)prometheus ended while.*field nonsense not found"), broken:
        pass
