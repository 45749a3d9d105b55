"""The way in to whoever is told of alerts: what a server wants to see before it answers, and an Alertmanager's addresses."""

import base64
import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import aiohttp
import orjson
import yarl
from pydantic import SecretStr

from slamon.settings import AlertmanagerSettings, Authorization, BasicAuth, TlsConfig
from slamon.tls import context_of


class DeliveryError(Exception):
    """A request came to nothing; the alerts stay queued."""

    def __init__(self, why: str, patience: float = 0.0) -> None:
        super().__init__(why)
        self.patience = patience  # s; how long the server asks to be left alone


def in_words(error: BaseException) -> str:
    """Why a request came to nothing."""
    if type(error) in (aiohttp.ClientConnectorError, aiohttp.ClientConnectorDNSError):
        assert isinstance(error, aiohttp.ClientConnectorError)
        # Of the failed call itself asyncio tells only the address, and aiohttp says that twice.
        number = error.os_error.errno
        # Those of names that are not found are negative.
        why = os.strerror(number) if number is not None and number > 0 else error.os_error.strerror
        return f"no connection to {error.host}:{error.port}: {why or error.os_error}"
    # These would tell the address, which may be a secret.
    if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
        return "the address does not begin with http:// or https:// and a host"
    if isinstance(error, aiohttp.ClientResponseError):
        return f"{type(error).__name__}: {error.message}"
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


class Access:
    """What a server wants to see before it answers. Files are read again for each request."""

    def __init__(
        self,
        tls_config: TlsConfig | None = None,
        basic_auth: BasicAuth | None = None,
        authorization: Authorization | None = None,
    ) -> None:
        self._config = tls_config
        self._basic_auth = basic_auth
        self._authorization = authorization
        self.server_name = tls_config.server_name if tls_config else None
        self._tls: ssl.SSLContext | bool = True
        self._tls_files: tuple[tuple[int, int], ...] | None = None

    def headers(self) -> dict[str, str]:
        """Raises DeliveryError when a file cannot be read."""
        if basic := self._basic_auth:
            return _basic(basic.username, secret(basic.password, basic.password_file))
        if bearer := self._authorization:
            return {"Authorization": f"{bearer.type} {secret(bearer.credentials, bearer.credentials_file)}"}
        return {}

    def tls(self) -> ssl.SSLContext | bool:
        """The context of the files as they are now; connections made with older ones are not used again.

        Raises DeliveryError when a file cannot be read or used.
        """
        config = self._config
        if config is None:
            return True
        try:
            paths = [path for path in (config.ca_file, config.cert_file, config.key_file) if path]
            stats = [path.stat() for path in paths]
            files = tuple((stat.st_mtime_ns, stat.st_size) for stat in stats)
            if files != self._tls_files:
                self._tls = context_of(config)
                self._tls_files = files
        except OSError as error:  # ssl.SSLError is one
            raise DeliveryError(f"tls_config: {error}") from error
        return self._tls


class Door(Access):
    """Of an Alertmanager, with its addresses."""

    def __init__(self, settings: AlertmanagerSettings) -> None:
        super().__init__(settings.tls_config, settings.basic_auth, settings.authorization)
        base = yarl.URL(str(settings.url))
        self.alerts = base / "api/v2/alerts"
        self.status = base / "api/v2/status"
        self.ready = base / "-/ready"


class Knock(NamedTuple):
    """How an Alertmanager answered. `error`: why it cannot be told anything; else it is of this version."""

    url: str
    error: str | None
    version: str | None = None


async def knock(settings: AlertmanagerSettings) -> Knock:
    """Ask whether it is ready, and for its status, which it gives to nobody who may not send alerts either."""
    door, url = Door(settings), str(settings.url)
    try:
        headers, tls = door.headers(), door.tls()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=settings.timeout)) as session:
            body = b""
            for address in (door.ready, door.status):
                async with session.get(
                    address, headers=headers, ssl=tls, server_hostname=door.server_name, allow_redirects=False
                ) as answer:
                    body = await answer.read()
                    if answer.status != 200:
                        return Knock(url, f"{address.path} answers {answer.status}")
        status = orjson.loads(body)
    except (aiohttp.ClientError, OSError, TimeoutError, DeliveryError) as error:
        return Knock(url, in_words(error))
    except orjson.JSONDecodeError:
        return Knock(url, f"{door.status.path} answers no JSON: is this an Alertmanager?")
    version = status.get("versionInfo", {}) if isinstance(status, Mapping) else {}
    return Knock(url, None, str(version.get("version", "unknown")))


def _basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def secret(value: SecretStr | None, file: Path | None) -> str:
    """As it is set, or as it stands in its file now. Raises DeliveryError."""
    if file is None:
        return value.get_secret_value() if value else ""
    try:
        text = file.read_text().strip()
    except OSError as error:
        raise DeliveryError(f"secret file {file}: {error.strerror}") from error
    if not text:
        raise DeliveryError(f"secret file {file}: it is empty")
    return text
