"""Why the brokers do not take us in: each address is tried once more, and the answer put into words.

aiokafka only logs why a connection failed, and tells its caller that it did. A broker that wants TLS, a certificate or a
login of somebody who brings none just hangs up; so a connection counts as good when a request was answered on it.
"""

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from slamon.kafka import security
from slamon.settings import KafkaSettings, SecuritySettings

PATIENCE = 5.0  # s for one address
WRONG_NAME = (62, 64)  # OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH
OUT_OF_DATE = (9, 10)  # X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED


async def what_is_wrong(settings: KafkaSettings) -> str:
    """In one or two lines: of the first address that says why it will not have us, else of those that say nothing."""
    named = [(host, port) for host, port, _ in collect_hosts(settings.bootstrap_servers, randomize=False)]
    silent: list[tuple[str, int]] = []
    hung_up: list[tuple[str, int]] = []
    coming, tried = list(named), set[tuple[str, int]]()
    while coming:
        address = coming.pop(0)
        if address in tried:
            continue
        tried.add(address)
        try:
            async with asyncio.timeout(PATIENCE):
                coming += await _brokers_known_at(address, settings)
        except (OSError, KafkaError, TimeoutError) as error:
            wrong = _words(error, address[0], settings.security)
            if wrong is not None:
                return f"{address[0]}:{address[1]} {wrong}"
            (hung_up if _hung_up(error) else silent).append(address)
    answered = tried.difference(silent, hung_up)
    if hung_up and not answered:
        return f"{_listed(hung_up[:1])} hangs up on us: is kafka.security.protocol {settings.security.protocol} right for it?"
    if hung_up:
        return f"{_listed(hung_up + silent)} do not answer, {_listed(answered)} do: are all brokers up?"
    if [address for address in silent if address not in named] and silent != list(tried):
        return f"brokers call themselves {_listed(silent)} (advertised.listeners), and nobody answers there"
    return f"no Kafka answers at {settings.bootstrap_servers}: is it running, and is kafka.bootstrap_servers right?"


async def _brokers_known_at(address: tuple[str, int], settings: KafkaSettings) -> Iterable[tuple[str, int]]:
    connection: Any = await create_conn(
        *address,
        client_id="slamon-reaching",
        request_timeout_ms=round(PATIENCE * 1000),
        **security.credentials(settings.security),
    )
    try:
        answer = await connection.send(MetadataRequest([]))
        if not answer.brokers:  # so answers one that waits for the end of a login
            raise KafkaConnectionError("it names no brokers")
        return [(host, port) for _, host, port, *_ in answer.brokers]
    finally:
        connection.close()


def _words(error: BaseException, host: str, given: SecuritySettings) -> str | None:
    """What happened, and what to look at; None: nobody answered."""
    cause = error.__cause__ if isinstance(error, KafkaConnectionError) else None
    if isinstance(cause, ssl.SSLError | KafkaError):
        error = cause
    match error:
        case ssl.SSLCertVerificationError(verify_code=code) if code in WRONG_NAME:
            name = given.tls.server_name if given.tls and given.tls.server_name else host
            return f"has a certificate for another name than {name}: set kafka.security.tls.server_name to the one it bears"
        case ssl.SSLCertVerificationError(verify_code=code) if code in OUT_OF_DATE:
            return f"has a certificate that is not valid today ({error.verify_message}): renew it, or set the clock right"
        case ssl.SSLCertVerificationError():
            return (
                f"has a certificate that nobody we trust has signed ({error.verify_message}): "
                "name the CA in kafka.security.tls.ca_file"
            )
        case ssl.SSLError(reason=reason) if reason and (
            "CERTIFICATE" in reason or "HANDSHAKE_FAILURE" in reason
        ):
            return (
                f"does not take our certificate, or wants one ({_plain(reason)}): "
                "look at kafka.security.tls.cert_file"
            )
        case ssl.SSLError():
            return f"does not speak TLS ({_plain(error.reason)}): is kafka.security.protocol {given.protocol} right for it?"
        case UnsupportedSaslMechanismError():
            asked = given.sasl.mechanism if given.sasl else None
            return f"does not know {asked}: look at kafka.security.sasl.mechanism"
        case SaslAuthenticationFailed():
            user = given.sasl.username if given.sasl else None
            return f"refuses the login of {user}: look at username and password in kafka.security.sasl"
        case security.NoToken():
            return f"is not asked: {error}"
        case IllegalSaslStateError():
            return f"wants no login: is kafka.security.protocol {given.protocol} right for it?"
        case KafkaConnectionError() if given.sasl is not None and given.sasl.oauth is not None:
            # aiokafka takes any answer to a token for a yes; a broker that said no then answers nothing else.
            return "refuses our token: look at kafka.security.sasl.oauth, and at what the broker demands of tokens"
        case _:
            return None


def _hung_up(error: BaseException) -> bool:
    """Whether it took the connection, and ended it without a word: a broker that wants another protocol, or a proxy before
    one that is away.
    """
    return isinstance(error, KafkaConnectionError | ConnectionResetError | asyncio.IncompleteReadError)


def _listed(addresses: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{host}:{port}" for host, port in addresses)


def _plain(reason: str | None) -> str:
    return (reason or "no reason given").lower().replace("_", " ")
