"""`slamon run` before a Kafka that wants proofs: each kind lets it in, a wrong one ends it with words, no secret is shown."""

import base64
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka.conn import CloseReason

from slamon.demo.processes import Kafka
from slamon.domain.events import MINUTE
from tests.end_to_end.guarded import (
    KEY_PASSWORD,
    OTHER_NAME,
    PASSWORD,
    SESSION,
    TOKEN_CLIENT,
    TOKEN_SECRET,
    USER,
    Certificates,
    TokenServer,
    basic,
    token,
)
from tests.end_to_end.place import (
    PARTITIONS,
    SLAMON,
    Daemon,
    Event,
    Place,
    assert_numbered,
    ticket,
    until,
    whole_second,
)

Security = Mapping[str, Any]

ACME = """\
apiVersion: slamon/v1
kind: Agreement
metadata: {name: "{place}"}
spec:
  customer: acme
  effective: {from: 2020-01-01}
  objectives:
    - name: response
      ticketClock: {measure: firstResponse, calendar: always, target: 1h, warnAt: [50%]}
"""
NOWHERE = "http://127.0.0.1:9"  # no Alertmanager is asked here


@pytest.fixture
async def place(tmp_path: Path, guarded: Kafka) -> AsyncIterator[Place]:
    async with Place(tmp_path, guarded.bootstrap, NOWHERE, ACME) as place:
        await place.make_topics()
        yield place


@pytest.fixture
async def tokens() -> AsyncIterator[TokenServer]:
    async with TokenServer(lives=SESSION * 2 // 1000) as server:
        yield server


class Proofs:
    """What to tell slamon for each listener, and what must then be seen nowhere."""

    def __init__(self, certificates: Certificates, folder: Path) -> None:
        self.certificates = certificates
        self.folder = folder
        self.secrets: list[str] = [PASSWORD, KEY_PASSWORD, TOKEN_SECRET, basic(TOKEN_CLIENT, TOKEN_SECRET)]

    def file(self, name: str, content: str) -> str:
        file = self.folder / name
        file.write_text(content + "\n")
        return str(file)

    @property
    def trust(self) -> dict[str, str]:
        return {"ca_file": str(self.certificates.ca)}

    def tls(self, **more: object) -> Security:
        return {"protocol": "SSL", "tls": {**self.trust, **more}}

    def mutual(self, *, key_password: str = KEY_PASSWORD) -> Security:
        files = {"cert_file": str(self.certificates.cert), "key_file": str(self.certificates.key)}
        return self.tls(**files, key_password_file=self.file("key-password", key_password))

    def passwords(self, mechanism: str, *, password: str = PASSWORD) -> Security:
        sasl = {"mechanism": mechanism, "username": USER, "password_file": self.file("password", password)}
        return {"protocol": "SASL_SSL", "tls": self.trust, "sasl": sasl}

    def without_file(self, mechanism: str) -> Security:
        sasl = {"mechanism": mechanism, "username": USER, "password_file": str(self.folder / "absent")}
        return {"protocol": "SASL_SSL", "tls": self.trust, "sasl": sasl}

    def impatient(self) -> Security:
        sasl = {"mechanism": "SCRAM-SHA-512", "username": USER, "password": PASSWORD}
        return {"protocol": "SASL_PLAINTEXT", "sasl": sasl}

    def token_server(self, server: TokenServer, *, secret: str = TOKEN_SECRET) -> Security:
        oauth = {
            "token_url": server.url,
            "client_id": TOKEN_CLIENT,
            "client_secret_file": self.file("client-secret", secret),
            "scope": "kafka",
            "parameters": {"audience": "brokers"},
        }
        return {"protocol": "SASL_PLAINTEXT", "sasl": {"mechanism": "OAUTHBEARER", "oauth": oauth}}

    def token_file(self, *, lives: int = 3600) -> Security:
        self.secrets.append(token(USER, lives))
        oauth = {"token_file": self.file("token", self.secrets[-1])}
        return {"protocol": "SASL_PLAINTEXT", "sasl": {"mechanism": "OAUTHBEARER", "oauth": oauth}}


@pytest.fixture
def proofs(certificates: Certificates, tmp_path: Path) -> Proofs:
    return Proofs(certificates, tmp_path)


def assert_silent(said: str, secrets: list[str]) -> None:
    """None of them stands there, neither plainly nor in base64 at any of its three alignments."""
    for secret in secrets:
        assert secret not in said
        for before in range(3):
            encoded = base64.b64encode(b"\0" * before + secret.encode()).decode()
            assert encoded[4:-4] not in said


IN: dict[str, tuple[str, Callable[[Proofs], Security]]] = {
    "TLS": ("TLS", lambda proofs: proofs.tls()),
    "TLS under another name": ("STRANGER", lambda proofs: proofs.tls(server_name=OTHER_NAME)),
    "TLS under any name": ("STRANGER", lambda proofs: proofs.tls(check_hostname=False)),
    "mTLS": ("MUTUAL", lambda proofs: proofs.mutual()),
    "PLAIN": ("PASSWORDS", lambda proofs: proofs.passwords("PLAIN")),
    "SCRAM-SHA-256": ("PASSWORDS", lambda proofs: proofs.passwords("SCRAM-SHA-256")),
    "SCRAM-SHA-512": ("PASSWORDS", lambda proofs: proofs.passwords("SCRAM-SHA-512")),
    "a token from a file": ("TOKENS", lambda proofs: proofs.token_file()),
}


def opened(name: str) -> Event:
    return ticket(name, whole_second() - 40 * MINUTE, customer="acme", status="open")


async def makes_the_round(place: Place, config: Path, name: str) -> str:
    """An event goes in, its alert comes out, the daemon stops in order. What it has said."""
    daemon = await place.running(config)
    await place.send(opened(name))
    await alert_of(place, name)
    daemon.stop()
    return daemon.log.read_text()


async def alert_of(place: Place, name: str) -> None:
    async def there() -> bool:
        for daemon in place.daemons:
            daemon.assert_goes_on()
        return f"SlaTicketAtRisk {name} 50%" in {alert.short for alert in await place.alerts()}

    await until(there, f"{name} is announced")


@pytest.mark.parametrize("by", IN)
async def test_it_gets_in_and_judges_and_shows_no_secret_even_at_debug(
    by: str, place: Place, proofs: Proofs, guarded: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLAMON_LOG__LEVEL", "debug")
    listener, security_of = IN[by]
    security = security_of(proofs)
    config = place.like("in.yaml", bootstrap_servers=guarded.bootstrap_of(listener), security=security)
    said = await makes_the_round(place, config, "T-1")
    assert "aiokafka.conn" in said  # it did say everything
    assert_silent(said, proofs.secrets)


async def test_it_survives_a_broker_that_ends_every_session_after_seconds(
    place: Place, proofs: Proofs, guarded: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLAMON_LOG__LEVEL", "debug")
    address = guarded.bootstrap_of("IMPATIENT")
    config = place.like("in.yaml", bootstrap_servers=address, security=proofs.impatient())
    daemon = await place.running(config)
    for number in range(3):
        seen = hung_up_on(daemon, address)

        async def again(seen: int = seen) -> bool:
            daemon.assert_goes_on()
            return hung_up_on(daemon, address) >= seen + PARTITIONS

        await until(again, "the broker has ended as many connections as there are tasks")
        await place.send(opened(f"T-{number}"))
        await alert_of(place, f"T-{number}")
    daemon.stop()
    assert not daemon.said("task_failed")
    assert_numbered(await place.alerts())


def hung_up_on(daemon: Daemon, address: str) -> int:
    """Connections that were ended by the other side."""
    broken = f"Closing connection at {address} ({CloseReason.CONNECTION_BROKEN:d},"
    return sum(line["message"].startswith(broken) for line in daemon.said("library_log"))


async def test_a_token_is_asked_for_as_the_settings_say_and_renewed_before_it_ends(
    place: Place, proofs: Proofs, guarded: Kafka, tokens: TokenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLAMON_LOG__LEVEL", "debug")
    config = place.like(
        "in.yaml", bootstrap_servers=guarded.bootstrap_of("TOKENS"), security=proofs.token_server(tokens)
    )
    daemon = await place.running(config)
    assert len(tokens.given) == 1  # for all clients of the process
    assert tokens.asked[0] == {"grant_type": "client_credentials", "scope": "kafka", "audience": "brokers"}

    async def renewed() -> bool:
        daemon.assert_goes_on()
        return len(tokens.given) >= 3

    await until(renewed, "the token was renewed twice")
    await place.send(opened("T-1"))
    await alert_of(place, "T-1")
    daemon.stop()
    assert not daemon.said("task_failed")
    assert_silent(daemon.log.read_text(), [*proofs.secrets, *tokens.given])


OUT: dict[str, tuple[str, Callable[[Proofs], Security], str]] = {
    "a CA that signed nothing here": (
        "TLS",
        lambda proofs: proofs.tls(ca_file=str(proofs.certificates.stranger_ca)),
        "name the CA in kafka.security.tls.ca_file",
    ),
    "a broker of another name": (
        "STRANGER",
        lambda proofs: proofs.tls(),
        "has a certificate for another name than 127.0.0.1: set kafka.security.tls.server_name to the one it bears",
    ),
    "no certificate of ours": (
        "MUTUAL",
        lambda proofs: proofs.tls(),
        "does not take our certificate, or wants one (",
    ),
    "TLS where there is none": (
        "CLIENTS",
        lambda proofs: proofs.tls(),
        "is kafka.security.protocol SSL right for it?",
    ),
    "no TLS where there is some": (
        "TLS",
        lambda _: {"protocol": "PLAINTEXT"},
        "hangs up on us: is kafka.security.protocol PLAINTEXT right for it?",
    ),
    "no login where one is wanted": (
        "IMPATIENT",
        lambda _: {"protocol": "PLAINTEXT"},
        "hangs up on us: is kafka.security.protocol PLAINTEXT right for it?",
    ),
    "a login where none is wanted": (
        "CLIENTS",
        lambda proofs: proofs.impatient(),
        "wants no login: is kafka.security.protocol SASL_PLAINTEXT right for it?",
    ),
    "a wrong password, PLAIN": (
        "PASSWORDS",
        lambda proofs: proofs.passwords("PLAIN", password="hunter2"),
        "refuses the login of slamon: look at username and password in kafka.security.sasl",
    ),
    "a wrong password, SCRAM": (
        "PASSWORDS",
        lambda proofs: proofs.passwords("SCRAM-SHA-256", password="hunter2"),
        "refuses the login of slamon: look at username and password in kafka.security.sasl",
    ),
    "a mechanism the broker does not know": (
        "TOKENS",
        lambda proofs: proofs.impatient(),
        "does not know SCRAM-SHA-512: look at kafka.security.sasl.mechanism",
    ),
    "an outdated token": (
        "TOKENS",
        lambda proofs: proofs.token_file(lives=-60),
        "refuses our token: look at kafka.security.sasl.oauth, and at what the broker demands of tokens",
    ),
    "a file of a password that is not there": (
        "PASSWORDS",
        lambda proofs: proofs.without_file("PLAIN"),
        "absent'",
    ),
    "a file of certificates that holds none": (
        "TLS",
        lambda proofs: proofs.tls(ca_file=proofs.file("empty.pem", "")),
        "empty.pem holds no certificates in PEM",
    ),
    "a wrong password of the key": (
        "MUTUAL",
        lambda proofs: proofs.mutual(key_password="hunter2"),
        "are no certificate with its key: is the key encrypted, and key_password right?",
    ),
}


@pytest.fixture(scope="module")
def refused(
    guarded: Kafka, certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[int, str, list[str]]]:
    """What came of each start: exit code, output, secrets."""
    folder = tmp_path_factory.mktemp("refused")
    (folder / "agreements.yaml").write_text(ACME.replace("{place}", "refused"))
    ended: dict[str, tuple[int, str, list[str]]] = {}
    for number, (what, (listener, security_of, _)) in enumerate(OUT.items()):
        here = folder / str(number)
        here.mkdir()
        proofs = Proofs(certificates, here)
        address = guarded.bootstrap if listener == "CLIENTS" else guarded.bootstrap_of(listener)
        settings = {
            "agreements": ["../agreements.yaml"],
            "kafka": {"bootstrap_servers": address, "security": security_of(proofs)},
            "http": {"host": "127.0.0.1", "port": 0, "liveness_port": 0},
            "log": {"level": "debug"},
        }
        (here / "slamon.yaml").write_bytes(orjson.dumps(settings))
        done = subprocess.run(
            [*SLAMON, "run", "--config", here / "slamon.yaml"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        ended[what] = done.returncode, done.stdout, [*proofs.secrets, "hunter2"]
    return ended


@pytest.mark.parametrize("what", OUT)
def test_what_does_not_fit_ends_the_start_with_one_line_that_says_what_to_do(
    what: str, refused: dict[str, tuple[int, str, list[str]]]
) -> None:
    code, said, secrets = refused[what]
    words = [line for line in said.splitlines() if line and not line.startswith("{")]
    assert code == 1, said
    assert len(words) == 1, said
    assert words[0].startswith("error: ")
    assert OUT[what][2] in words[0]
    assert "Traceback" not in said
    assert_silent(said, secrets)


async def test_a_server_that_gives_no_token_is_named_with_what_it_said(
    place: Place, proofs: Proofs, guarded: Kafka, tokens: TokenServer
) -> None:
    security = proofs.token_server(tokens, secret="hunter2")
    config = place.like("out.yaml", bootstrap_servers=guarded.bootstrap_of("TOKENS"), security=security)
    daemon = place.start(config)

    async def ended() -> bool:
        return daemon.process.poll() is not None

    await until(ended, "the start is given up")
    said = daemon.log.read_text()
    assert daemon.process.returncode == 1
    assert f'{tokens.url} gives no token: it answers 401 {{"error": "invalid_client"}}' in said
    assert_silent(said, ["hunter2"])


async def test_a_renewed_certificate_is_shown_on_the_next_connection(
    place: Place, proofs: Proofs, guarded: Kafka, certificates: Certificates
) -> None:
    config = place.like("in.yaml", bootstrap_servers=guarded.bootstrap_of("MUTUAL"), security=proofs.mutual())
    daemon = await place.running(config)
    certificates.issue(USER)
    guarded.restart()
    await place.send(opened("T-1"))
    await alert_of(place, "T-1")
    assert daemon.said("kafka_certificates_taken")
    daemon.stop()
