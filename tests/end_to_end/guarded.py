"""A Kafka that lets nobody in without a proof: a listener for each kind of proof, and who may pass.

All certificates, names and passwords are made for one run. The open listener `CLIENTS` is the brokers' own, and the
tests': who comes by it may do everything.
"""

import base64
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Self
from urllib.parse import quote_plus

import orjson
import trustme
from aiohttp import web
from cryptography.hazmat.primitives import serialization

from slamon import clock
from slamon.demo.processes import HOST, Kafka

USER, PASSWORD = "slamon", "correct-horse-battery"
GUEST = "guest"  # lets itself in as the user does, and may do only what it is granted
KEY_PASSWORD = "staple-of-the-key"
TOKEN_CLIENT, TOKEN_SECRET = "slamon client", "s3cret/of:the client"
OTHER_NAME = "kafka.example"  # the only name in the certificate of the listener STRANGER
SESSION = 3000  # ms after which the broker wants to see the proof again, where it wants that
LISTENERS = {
    "TLS": "SSL",
    "MUTUAL": "SSL",
    "STRANGER": "SSL",
    "PASSWORDS": "SASL_SSL",
    "IMPATIENT": "SASL_PLAINTEXT",
    "TOKENS": "SASL_PLAINTEXT",
}
_MODULES = "org.apache.kafka.common.security"
_UNSECURED = f"{_MODULES}.oauthbearer.internals.unsecured.OAuthBearerUnsecured"


class Certificates:
    """PEM files of one CA, and of another that nobody trusts."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.ca, self.stranger_ca = folder / "ca.pem", folder / "stranger-ca.pem"
        self.broker, self.stranger = folder / "broker.pem", folder / "stranger.pem"
        self.cert, self.key = folder / "slamon.pem", folder / "slamon-key.pem"
        self.authority = trustme.CA()
        self.authority.cert_pem.write_to_path(self.ca)
        trustme.CA().cert_pem.write_to_path(self.stranger_ca)
        for file, name in ((self.broker, HOST), (self.stranger, OTHER_NAME)):
            issued = self.authority.issue_cert(name)
            file.write_bytes(_pkcs8(issued) + b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        self.issue(USER)

    def issue(self, common_name: str) -> None:
        """A client's certificate, its key encrypted, in the place of the one before."""
        issued = self.authority.issue_cert(f"{common_name}.example", common_name=common_name)
        self.cert.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        self.key.write_bytes(_pkcs8(issued, KEY_PASSWORD))


def _pkcs8(issued: trustme.LeafCert, password: str | None = None) -> bytes:
    """Kafka reads no other form of key."""
    key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), None)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password.encode())
        if password
        else serialization.NoEncryption(),
    )


def guarded_kafka(folder: Path, certificates: Certificates, *, java: Path, libs: Path) -> Kafka:
    trust = {"ssl.truststore.type": "PEM", "ssl.truststore.location": certificates.ca}
    identity = {"ssl.keystore.type": "PEM", "ssl.keystore.location": certificates.broker}
    plain = f'{_MODULES}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
    scram = f"{_MODULES}.scram.ScramLoginModule required;"
    unsecured = (
        f'{_MODULES}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";'
    )
    of_listeners: dict[str, Mapping[str, object]] = {
        "mutual": {"ssl.client.auth": "required", "ssl.principal.mapping.rules": "RULE:.*CN=([^,]+).*/$1/"},
        "stranger": {"ssl.keystore.type": "PEM", "ssl.keystore.location": certificates.stranger},
        "passwords": {
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            "plain.sasl.jaas.config": plain,
            "scram-sha-256.sasl.jaas.config": scram,
            "scram-sha-512.sasl.jaas.config": scram,
        },
        "impatient": {
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "scram-sha-512.sasl.jaas.config": scram,
            "scram-sha-512.connections.max.reauth.ms": SESSION,
        },
        "tokens": {
            "sasl.enabled.mechanisms": "OAUTHBEARER",
            "oauthbearer.sasl.jaas.config": unsecured,
            "oauthbearer.sasl.server.callback.handler.class": f"{_UNSECURED}ValidatorCallbackHandler",
            "oauthbearer.sasl.login.callback.handler.class": f"{_UNSECURED}LoginCallbackHandler",
            "oauthbearer.connections.max.reauth.ms": SESSION,
        },
    }
    prefixed = {
        f"listener.name.{listener}.{name}": value
        for listener, settings in of_listeners.items()
        for name, value in settings.items()
    }
    authorizer = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "false",
        "super.users": f"User:ANONYMOUS;User:{USER}",
    }
    properties = {**trust, **identity, **prefixed, **authorizer}
    known = itertools.product((USER, GUEST), ("SCRAM-SHA-256", "SCRAM-SHA-512"))
    scrams = [("--add-scram", f"{kind}=[name={name},password={PASSWORD}]") for name, kind in known]
    return Kafka(
        folder,
        java=java,
        libs=libs,
        listeners=LISTENERS,
        properties={name: str(value) for name, value in properties.items()},
        formatting=list(itertools.chain.from_iterable(scrams)),
    )


class TokenServer:
    """Gives tokens that the broker's unsecured validator takes, each for so many seconds, and counts them."""

    def __init__(self, lives: int) -> None:
        self.lives = lives
        self.given: list[str] = []
        self.asked: list[dict[str, str]] = []
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_post("/token", self._grant)
        self._runner = web.AppRunner(application)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, 0)
        await site.start()
        self.url = f"http://{HOST}:{self._runner.addresses[0][1]}/token"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _grant(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.asked.append(form)
        if request.headers["Authorization"] != f"Basic {basic(TOKEN_CLIENT, TOKEN_SECRET)}":
            return web.json_response({"error": "invalid_client"}, status=401)
        self.given.append(token(USER, self.lives))
        return web.json_response(
            {"access_token": self.given[-1], "token_type": "Bearer", "expires_in": self.lives}
        )


def basic(name: str, password: str) -> str:
    """RFC 6749, 2.3.1: form-encoded, then as in RFC 7617."""
    return base64.b64encode(f"{quote_plus(name)}:{quote_plus(password)}".encode()).decode()


def token(subject: str, lives: int) -> str:
    """An unsecured JSON Web Token (RFC 7519, 6), good for so many seconds."""
    now = clock.wall() / 1e6
    parts = ({"alg": "none"}, {"sub": subject, "iat": now, "exp": now + lives})
    return ".".join(base64.urlsafe_b64encode(orjson.dumps(part)).decode().rstrip("=") for part in parts) + "."
