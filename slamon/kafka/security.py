"""How clients prove who they are, and whom they take for a broker: `kafka.security` as aiokafka wants it.

The rules:

- A secret is in the settings or in a file, and leaves them only towards the broker or the token server. aiokafka logs
  whole requests when it is asked for everything; those that carry credentials are kept out of its log.
- What was renewed on disk is taken up as far as aiokafka lets us: certificates before each new connection, tokens and
  client secrets with each request for a token. A password is held by a client from when it is made until it ends, so a
  new one reaches the group's consumer with the next start of the process.
- aiokafka does not authenticate again on an open connection (KIP-368): a broker that wants that closes the connection,
  and the client comes back with a new one.
"""

import asyncio
import functools
import logging
import ssl
from base64 import b64encode
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote_plus

import aiohttp
import msgspec
import structlog
from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaError
from pydantic import SecretStr

from slamon import clock
from slamon.settings import KafkaTls, OauthSettings, SaslSettings, SecuritySettings
from slamon.tls import context_of

SPENT = 0.8  # of a token's life after which another is asked for
CREDENTIALS = (
    "SaslAuthenticateRequest",
    "SaslAuthenticateResponse",
)  # the latter is half of what guessing needs

log = structlog.get_logger()


class NoToken(KafkaError):  # type: ignore[misc]  # noqa: N818 - aiokafka ships no types; reads as what it says
    """No token is to be had; the text says why."""

    retriable = True


class Unusable(OSError):  # noqa: N818 - reads as what it says
    """A file of the settings, or what is in it, is of no use; the text says which and why."""


def credentials(settings: SecuritySettings) -> dict[str, Any]:
    """What every client is given beside the address. Raises Unusable."""
    given: dict[str, Any] = {"security_protocol": settings.protocol}
    if settings.encrypted:
        given["ssl_context"] = _brokers(settings.tls or KafkaTls())
    if settings.sasl is not None:
        _connections.addFilter(_tells_no_credentials)  # once is enough, and twice is once
        given |= _sasl(settings.sasl)
    return given


def _sasl(sasl: SaslSettings) -> dict[str, Any]:
    if sasl.oauth is not None:
        return {"sasl_mechanism": sasl.mechanism, "sasl_oauth_token_provider": _tokens(sasl.oauth)}
    return {
        "sasl_mechanism": sasl.mechanism,
        "sasl_plain_username": sasl.username,
        "sasl_plain_password": secret(sasl.password, sasl.password_file),
    }


def secret(given: SecretStr | None, file: Path | None) -> str:
    """What was given, or what the file holds without the space around it. Raises Unusable if that is nothing."""
    said = given.get_secret_value() if given is not None else ""
    if file is not None:
        try:
            said = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Unusable(f"kafka.security: the secret cannot be read: {error}") from error
    if not said:
        raise Unusable(f"kafka.security: {file or 'a secret'} is empty")
    return said


_connections = logging.getLogger("aiokafka.conn")


def _tells_no_credentials(line: logging.LogRecord) -> bool:
    said = line.args if isinstance(line.args, tuple) else ()
    return not any(type(each).__name__.startswith(CREDENTIALS) for each in said)


# ----------------------------------------------------------------------------------------------------------------- TLS


@functools.cache
def _brokers(tls: KafkaTls) -> "_Brokers":
    return _Brokers(tls)


class _Brokers(ssl.SSLContext):
    """Whom to trust and what to show, as the files are at each connection.

    asyncio asks a context for nothing but this one object. While the files cannot be used, what they held before is.
    """

    def __new__(cls, tls: KafkaTls) -> Self:
        del tls
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, tls: KafkaTls) -> None:
        """Raises Unusable."""
        super().__init__()
        self._tls = tls
        self._files = _state_of(tls)
        self._current = _context(tls)

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        self._look()
        name = self._tls.server_name or server_hostname
        return self._current.wrap_bio(incoming, outgoing, server_side, name, session)

    def _look(self) -> None:
        try:
            files = _state_of(self._tls)
            if files != self._files:
                self._current, self._files = _context(self._tls), files
                log.info("kafka_certificates_taken")
        except Unusable as error:  # in the middle of a change, or for good: a start would say so
            log.warning("kafka_certificates_refused", error=str(error))


def _state_of(tls: KafkaTls) -> tuple[tuple[int, int], ...]:
    paths = (tls.ca_file, tls.cert_file, tls.key_file, tls.key_password_file)
    try:
        stats = [path.stat() for path in paths if path is not None]
    except OSError as error:
        raise Unusable(f"kafka.security.tls: {error}") from error
    return tuple((stat.st_mtime_ns, stat.st_size) for stat in stats)


def _context(tls: KafkaTls) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
    except OSError as error:
        raise Unusable(f"kafka.security.tls: {tls.ca_file} holds no certificates in PEM: {error}") from error
    context.check_hostname = tls.check_hostname
    if tls.cert_file is not None:
        given = tls.key_password or tls.key_password_file
        # Without an answer of ours OpenSSL would ask whoever sits at the terminal.
        password = secret(tls.key_password, tls.key_password_file) if given else ""
        try:
            context.load_cert_chain(tls.cert_file, tls.key_file, lambda: password)
        except (OSError, ValueError) as error:
            why = getattr(error, "reason", None) or "is the key encrypted, and key_password right?"
            raise Unusable(
                f"kafka.security.tls: {tls.cert_file} and {tls.key_file or 'the key in it'} are no certificate with its key: {why}"
            ) from error
    return context


# -------------------------------------------------------------------------------------------------------------- tokens


class _Granted(msgspec.Struct):
    """The answer of a token endpoint (RFC 6749, 5.1). `expires_in` in seconds; some servers quote it."""

    access_token: str
    expires_in: float = 0.0


_granted = msgspec.json.Decoder(_Granted, strict=False)


@functools.cache
def _tokens(oauth: OauthSettings) -> "_Tokens":
    return _Tokens(oauth)


class _Tokens(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka ships no types
    """One token for all clients of the process, renewed before it ends."""

    def __init__(self, oauth: OauthSettings) -> None:
        self._oauth = oauth
        self._token = ""
        self._renew_at = self._ends_at = 0.0  # monotonic
        self._asking = asyncio.Lock()

    def extensions(self) -> dict[str, str]:
        return dict(self._oauth.extensions)

    async def token(self) -> str:
        """Raises NoToken."""
        if self._oauth.token_file is not None:
            try:
                return secret(None, self._oauth.token_file)
            except Unusable as error:
                raise NoToken(str(error)) from error
        async with self._asking:
            if clock.monotonic() >= self._renew_at:
                try:
                    await self._renew()
                except NoToken as failure:
                    if clock.monotonic() >= self._ends_at:
                        raise
                    log.warning("kafka_token_not_renewed", error=str(failure))
            return self._token

    async def _renew(self) -> None:
        asked_at = clock.monotonic()
        try:
            granted = await _ask(self._oauth)
        except (OSError, ValueError, TimeoutError, aiohttp.ClientError) as error:
            told = str(error) or type(error).__name__
            raise NoToken(f"{self._oauth.token_url} gives no token: {told}") from error
        self._token = granted.access_token
        self._renew_at = asked_at + SPENT * granted.expires_in
        self._ends_at = asked_at + granted.expires_in


async def _ask(oauth: OauthSettings) -> _Granted:
    """Raises what _renew expects; no text holds the secret."""
    wanted = {"grant_type": "client_credentials", **oauth.parameters}
    if oauth.scope is not None:
        wanted["scope"] = oauth.scope
    # RFC 6749, 2.3.1: both are form-encoded before they become Basic authentication.
    password = secret(oauth.client_secret, oauth.client_secret_file)
    login = b64encode(f"{quote_plus(oauth.client_id or '')}:{quote_plus(password)}".encode()).decode()
    tls = context_of(oauth.tls_config) if oauth.tls_config is not None else True
    async with (
        aiohttp.ClientSession(headers={"User-Agent": "slamon", "Accept": "application/json"}) as session,
        session.post(
            str(oauth.token_url),
            data=wanted,
            headers={"Authorization": f"Basic {login}"},
            ssl=tls,
            server_hostname=oauth.tls_config.server_name if oauth.tls_config else None,
            timeout=aiohttp.ClientTimeout(total=oauth.timeout),
            allow_redirects=False,  # the secret is for this address alone
        ) as answer,
    ):
        body = await answer.read()
        if answer.status != 200:
            said = body[:200].decode(errors="replace").strip()
            raise ValueError(f"it answers {answer.status} {said} (client_id is {oauth.client_id})")
        try:
            return _granted.decode(body)
        except msgspec.DecodeError as error:  # its text names a member, never a value
            raise ValueError(f"its answer is none of RFC 6749: {error}") from error
