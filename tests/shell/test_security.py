"""Settings of Kafka's security: what makes no sense is refused, secrets stay hidden, renewed files are taken up."""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import ValidationError

from slamon.kafka.security import Unusable, credentials
from slamon.settings import SecuritySettings, Settings, read_settings

SECRET = "hunter2"  # what must be seen nowhere
PLAIN = {"mechanism": "PLAIN", "username": "u", "password": SECRET}
GRANT = {"token_url": "https://sso/token", "client_id": "c", "client_secret": SECRET}


def oauth(**more: object) -> dict[str, object]:
    return {"protocol": "SASL_SSL", "sasl": {"mechanism": "OAUTHBEARER", "oauth": more}}


def sasl(**more: object) -> dict[str, object]:
    return {"protocol": "SASL_SSL", "sasl": more}


def tls(**more: object) -> dict[str, object]:
    return {"protocol": "SSL", "tls": more}


SENSELESS: dict[str, tuple[Mapping[str, object], str]] = {
    "TLS without encryption": (
        {"protocol": "PLAINTEXT", "tls": {}},
        "tls is given, but PLAINTEXT is not encrypted: use SSL or SASL_SSL",
    ),
    "a login that nobody asks for": (
        {"protocol": "SSL", "sasl": PLAIN},
        "sasl is given, but SSL does without: use SASL_SSL or SASL_PLAINTEXT",
    ),
    "no login": ({"protocol": "SASL_SSL"}, "SASL_SSL wants sasl, with a mechanism"),
    "an unknown mechanism": (
        sasl(mechanism="GSSAPI"),
        "'PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512' or 'OAUTHBEARER'",
    ),
    "a login without a name": (
        sasl(mechanism="PLAIN", password=SECRET),
        "PLAIN wants username, and password or password_file",
    ),
    "a login without a password": (
        sasl(mechanism="SCRAM-SHA-256", username="u"),
        "SCRAM-SHA-256 wants username, and password or password_file",
    ),
    "two passwords": (
        sasl(**PLAIN, password_file="f"),
        "PLAIN wants username, and password or password_file",
    ),
    "a token for a login": (
        sasl(**PLAIN, oauth=GRANT),
        "oauth is for OAUTHBEARER, and the mechanism is PLAIN",
    ),
    "a password beside a token": (
        sasl(mechanism="OAUTHBEARER", oauth=GRANT, password=SECRET),
        "OAUTHBEARER wants oauth, and neither username nor password",
    ),
    "no source of tokens": (oauth(), "give token_file, or token_url with client_id and client_secret"),
    "two sources of tokens": (
        oauth(**GRANT, token_file="f"),
        "give token_file, or token_url with client_id and client_secret",
    ),
    "a scope for a token that is there": (
        oauth(token_file="f", scope="s"),
        "token_file holds the token already: nothing else is asked for it",
    ),
    "a token server that knows nobody": (
        oauth(token_url="https://sso/token"),
        "token_url wants client_id, and client_secret or client_secret_file",
    ),
    "a password in an address": (
        oauth(**GRANT | {"token_url": f"https://u:{SECRET}@sso/token"}),
        "no user or password in token_url, where logs would show them: use client_id",
    ),
    "a key without a certificate": (
        tls(key_file="k"),
        "key_file is the key of a certificate: name that as cert_file",
    ),
    "a password of no key": (
        tls(key_password=SECRET),
        "key_password is for the key of a certificate: name that as cert_file",
    ),
    "two passwords of a key": (
        tls(cert_file="c", key_password=SECRET, key_password_file="f"),
        "give key_password or key_password_file, not both",
    ),
    "a name that is not looked for": (
        tls(server_name="n", check_hostname=False),
        "server_name is looked for only if check_hostname is true",
    ),
}


@pytest.mark.parametrize(("said", "words"), SENSELESS.values(), ids=SENSELESS)
def test_what_makes_no_sense_is_refused_in_words_that_hold_no_secret(
    said: Mapping[str, object], words: str
) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({"kafka": {"security": said}})
    assert len(refused.value.errors()) == 1
    assert words in str(refused.value)
    assert SECRET not in str(refused.value)


def test_secrets_come_from_the_environment_and_show_in_no_form_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = "kafka: {security: {protocol: SASL_SSL, sasl: {mechanism: PLAIN, username: u}}}"
    (tmp_path / "slamon.yaml").write_text(said)
    monkeypatch.setenv("SLAMON_KAFKA__SECURITY__SASL__PASSWORD", SECRET)
    settings = read_settings(tmp_path / "slamon.yaml")
    assert credentials(settings.kafka.security)["sasl_plain_password"] == SECRET
    for shown in (repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())):
        assert SECRET not in shown


def test_files_are_named_from_the_folder_of_the_settings(tmp_path: Path) -> None:
    said = """
kafka: {security: {protocol: SASL_SSL, tls: {ca_file: ca.pem}, sasl: {mechanism: PLAIN, username: u, password_file: /p}}}
notifier: {alertmanagers: [{url: "http://a", basic_auth: {username: u, password_file: p}}]}
"""
    (tmp_path / "slamon.yaml").write_text(said)
    settings = read_settings(tmp_path / "slamon.yaml")
    security = settings.kafka.security
    assert security.tls is not None
    assert security.sasl is not None
    basic = settings.notifier.alertmanagers[0].basic_auth
    assert basic is not None
    assert security.tls.ca_file == tmp_path / "ca.pem"
    assert security.sasl.password_file == Path("/p")
    assert basic.password_file == tmp_path / "p"


def test_a_password_is_what_its_file_holds_when_a_client_is_made(tmp_path: Path) -> None:
    file = tmp_path / "password"
    security = SecuritySettings.model_validate(
        sasl(mechanism="SCRAM-SHA-256", username="u", password_file=file)
    )
    for held in ("first\n", "second"):
        file.write_text(held)
        assert credentials(security)["sasl_plain_password"] == held.strip()
    file.write_text("\n")
    with pytest.raises(Unusable, match="password is empty"):
        credentials(security)


class Broker:
    """The other end of a handshake: asks for a certificate, and knows one CA."""

    def __init__(self, authority: trustme.CA) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.verify_mode = ssl.CERT_REQUIRED
        authority.configure_trust(self.context)
        authority.issue_cert("kafka.example").configure_cert(self.context)

    def meets(self, client: ssl.SSLContext, name: str) -> str:
        """Whom the client's certificate names. Raises ssl.SSLError."""
        up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
        ends = [
            client.wrap_bio(down, up, server_hostname=name),
            self.context.wrap_bio(up, down, server_side=True),
        ]
        waiting = list(ends)
        while waiting:
            for end in list(waiting):
                try:
                    end.do_handshake()
                except ssl.SSLWantReadError:
                    continue
                waiting.remove(end)
        shown: Any = ends[1].getpeercert()
        named: dict[str, str] = dict(field for relative in shown["subject"] for field in relative)
        return named["commonName"]


def test_each_connection_shows_the_certificate_that_is_there_and_the_last_good_one_while_it_is_broken(
    tmp_path: Path,
) -> None:
    authority = trustme.CA()
    broker = Broker(authority)
    ca, cert = tmp_path / "ca.pem", tmp_path / "cert.pem"
    authority.cert_pem.write_to_path(ca)

    def put(name: str) -> None:
        cert.write_bytes(
            authority.issue_cert(f"{name}.example", common_name=name).private_key_and_cert_chain_pem.bytes()
        )

    put("first")
    given = credentials(SecuritySettings.model_validate(tls(ca_file=ca, cert_file=cert)))["ssl_context"]
    assert broker.meets(given, "kafka.example") == "first"
    cert.write_text("half of a certi")
    assert broker.meets(given, "kafka.example") == "first"
    put("second")
    assert broker.meets(given, "kafka.example") == "second"
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        broker.meets(given, "other.example")
    trustme.CA().cert_pem.write_to_path(ca)
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate"):
        broker.meets(given, "kafka.example")  # a CA that was taken away is trusted no more


def test_all_clients_of_a_process_share_what_is_costly() -> None:
    said = {**oauth(**GRANT), "tls": {}}
    first, second = (credentials(SecuritySettings.model_validate(said)) for _ in range(2))
    assert first["ssl_context"] is second["ssl_context"]
    assert first["sasl_oauth_token_provider"] is second["sasl_oauth_token_provider"]
