"""How this process runs: settings from a YAML file, then from the environment, each with unit, default and reason.

The file wins nothing over the environment: `SLAMON_KAFKA__BOOTSTRAP_SERVERS=…` replaces `kafka.bootstrap_servers`.
Unknown keys are refused. What customers were promised is not here but in the agreement files.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, SecretStr, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from slamon.domain.agreement import AlertName

Seconds = Annotated[float, Field(gt=0)]
FORMATS = (1, 2)  # of the changelog: the previous release's and this one's
IN_ADDRESSES = ("alertname", "severity", "customer", "agreement", "objective", "ticket", "step")
_PLACES = ", ".join(f"${name}" for name in IN_ADDRESSES)


def _address(text: str) -> str:
    template = Template(text)
    unknown = sorted(set(template.get_identifiers()) - set(IN_ADDRESSES))
    if not re.match(r"https?://[^/$]", text):
        raise ValueError("an address begins with https:// or http:// and a host")
    if not template.is_valid() or unknown:
        raise ValueError(f"what may stand for something in an address is {_PLACES}; write $$ for a dollar")
    return text


AddressTemplate = Annotated[str, AfterValidator(_address)]

ALERTS = tuple(one.value for one in AlertName)


def _alert(name: str) -> str:
    if name not in ALERTS:
        raise ValueError(f"there is no alert {name!r}; there are {', '.join(ALERTS)}")
    return name


AlertLabel = Annotated[str, AfterValidator(_alert), Field(json_schema_extra={"enum": list(ALERTS)})]


class _Section(BaseModel):
    # What was given is in no text of an error: it may be a secret.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Topics(_Section):
    """Names of the topics; `slamon topics create` makes what is missing."""

    tickets: str = Field(
        "sla.tickets", description="Input: events about tickets (any event type may arrive on any input)."
    )
    availability: str = Field("sla.availability", description="Input: events about services.")
    changelog: str = Field(
        "slamon.changelog", description="Facts from which the state is rebuilt, and the input positions."
    )
    alerts: str = Field("slamon.alerts", description="One record per alert transition.")
    standings: str = Field("slamon.standings", description="The newest standing of each objective.")
    statements: str = Field("slamon.statements", description="Judged periods, every revision.")
    dead_letters: str = Field(
        "slamon.dead-letters", description="Records that cannot be events, byte for byte."
    )


class BasicAuth(_Section):
    """Named as in Prometheus' http_config."""

    username: str = Field(description="As the server knows us.")
    password: SecretStr | None = Field(None, description="Of that user.")
    password_file: Path | None = Field(None, description="A file with nothing else, read for each request.")


class Authorization(_Section):
    """Named as in Prometheus' http_config."""

    type: str = Field("Bearer", description="The first word of the header Authorization.")
    credentials: SecretStr | None = Field(None, description="What follows it, such as a token.")
    credentials_file: Path | None = Field(
        None, description="A file with nothing else, read for each request."
    )


class TlsConfig(_Section):
    """Named as in Prometheus' http_config."""

    ca_file: Path | None = Field(
        None,
        description="PEM; whom the server's certificate is to be signed by. Default: those the system trusts.",
    )
    cert_file: Path | None = Field(
        None, description="PEM; our own certificate, where the server asks for one."
    )
    key_file: Path | None = Field(None, description="PEM; the key of cert_file.")
    server_name: str | None = Field(
        None,
        description="The name that the certificate bears, if it is not the one the server is reached by.",
    )
    insecure_skip_verify: bool = Field(False, description="Take any certificate: only for a first try.")


class KafkaTls(_Section):
    """Files are looked at anew before each connection, so that renewed certificates need no restart."""

    ca_file: Path | None = Field(
        None,
        description="PEM; whom brokers' certificates are to be signed by. Default: those the system trusts.",
    )
    cert_file: Path | None = Field(
        None,
        description="PEM; our own certificate, where brokers ask for one (mTLS), and those that signed it.",
    )
    key_file: Path | None = Field(
        None,
        description="PEM; the key of cert_file, unless that holds it too; both PKCS 1 and PKCS 8 will do.",
    )
    key_password: SecretStr | None = Field(None, description="Of a key that is encrypted.")
    key_password_file: Path | None = Field(None, description="A file with nothing else.")
    server_name: str | None = Field(
        None,
        description="The name that certificates of all brokers bear, if it is not the one they are reached by.",
    )
    check_hostname: bool = Field(
        True,
        description="Whether a certificate must bear the broker's name; off, anybody with a certificate of that CA may pass for a broker.",
    )

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if self.cert_file is None and self.key_file is not None:
            raise ValueError("key_file is the key of a certificate: name that as cert_file")
        if self.key_file is None and self.cert_file is None and (self.key_password or self.key_password_file):
            raise ValueError("key_password is for the key of a certificate: name that as cert_file")
        if self.key_password and self.key_password_file:
            raise ValueError("give key_password or key_password_file, not both")
        if self.server_name and not self.check_hostname:
            raise ValueError("server_name is looked for only if check_hostname is true")
        return self


class OauthSettings(_Section):
    """Where tokens come from: a file that others keep fresh, or a server that gives them for client credentials."""

    token_file: Path | None = Field(
        None,
        description="A token that others keep fresh, read for each connection; as Kubernetes projects them.",
    )
    token_url: HttpUrl | None = Field(
        None,
        description="The server's token endpoint; asked with grant_type=client_credentials (RFC 6749, 4.4).",
    )
    client_id: str | None = Field(None, description="As the server knows us; with token_url.")
    client_secret: SecretStr | None = Field(None, description="Of that client.")
    client_secret_file: Path | None = Field(None, description="A file with nothing else.")
    scope: str | None = Field(None, description="What is asked for, as the server names it.")
    parameters: dict[str, str] = Field(
        {}, description="What else the server wants to be told, such as {audience: kafka}; no secrets."
    )
    extensions: dict[str, str] = Field(
        {}, description="What the broker wants beside the token (RFC 7628), such as {logicalCluster: lkc-1}."
    )
    tls_config: TlsConfig | None = Field(None, description="For the token endpoint.")
    timeout: Seconds = Field(10.0, description="s for one request to the token endpoint.")

    def __hash__(self) -> int:
        return hash((self.token_file, self.token_url, self.client_id))  # dicts cannot take part

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        asked = (self.client_id, self.client_secret, self.client_secret_file, self.scope, self.tls_config)
        if (self.token_file is None) == (self.token_url is None):
            raise ValueError("give token_file, or token_url with client_id and client_secret")
        if self.token_file is not None and (self.parameters or any(one is not None for one in asked)):
            raise ValueError("token_file holds the token already: nothing else is asked for it")
        if self.token_url is not None:
            if not self.client_id or (self.client_secret is None) == (self.client_secret_file is None):
                raise ValueError("token_url wants client_id, and client_secret or client_secret_file")
            if self.token_url.username or self.token_url.password:
                raise ValueError(
                    "no user or password in token_url, where logs would show them: use client_id"
                )
        return self


class SaslSettings(_Section):
    """Who we are to the brokers."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = Field(
        description="As the brokers' listener has it."
    )
    username: str | None = Field(None, description="For PLAIN and SCRAM.")
    password: SecretStr | None = Field(None, description="For PLAIN and SCRAM.")
    password_file: Path | None = Field(
        None, description="A file with nothing else, read by each client when it is made."
    )
    oauth: OauthSettings | None = Field(None, description="For OAUTHBEARER: where tokens come from.")

    @model_validator(mode="after")
    def _fits_the_mechanism(self) -> Self:
        named = (self.username, self.password, self.password_file)
        if self.mechanism == "OAUTHBEARER":
            if self.oauth is None or any(one is not None for one in named):
                raise ValueError("OAUTHBEARER wants oauth, and neither username nor password")
        elif self.oauth is not None:
            raise ValueError(f"oauth is for OAUTHBEARER, and the mechanism is {self.mechanism}")
        elif not self.username or (self.password is None) == (self.password_file is None):
            raise ValueError(f"{self.mechanism} wants username, and password or password_file")
        return self


class SecuritySettings(_Section):
    """How brokers know us, and we them."""

    protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="As the brokers' listener has it; SSL is TLS."
    )
    tls: KafkaTls | None = Field(None, description="For SSL and SASL_SSL; they do without, too.")
    sasl: SaslSettings | None = Field(None, description="For SASL_PLAINTEXT and SASL_SSL.")

    @model_validator(mode="after")
    def _fits_the_protocol(self) -> Self:
        if self.tls is not None and not self.encrypted:
            raise ValueError(f"tls is given, but {self.protocol} is not encrypted: use SSL or SASL_SSL")
        if self.sasl is not None and not self.protocol.startswith("SASL_"):
            raise ValueError(
                f"sasl is given, but {self.protocol} does without: use SASL_SSL or SASL_PLAINTEXT"
            )
        if self.sasl is None and self.protocol.startswith("SASL_"):
            raise ValueError(f"{self.protocol} wants sasl, with a mechanism")
        return self

    @property
    def encrypted(self) -> bool:
        return self.protocol in ("SSL", "SASL_SSL")


class KafkaSettings(_Section):
    """Where Kafka is, and how it is read and written."""

    bootstrap_servers: str = Field("localhost:9092", description="host:port, comma-separated.")
    security: SecuritySettings = SecuritySettings()
    topics: Topics = Topics()
    partitioner: Literal["murmur2", "crc32"] = Field(
        "murmur2",
        description="How producers map customer to partition: murmur2 as Java does, crc32 as librdkafka does by default.",
    )
    start: Literal["earliest", "latest"] = Field(
        "earliest",
        description="Where a partition without a recorded position begins; earliest, because history is what verdicts come from.",
    )
    group_instance_id: str | None = Field(
        None,
        description="Static membership, the pod's name in Kubernetes: a restart within the session timeout moves nothing.",
    )
    session_timeout: Seconds = Field(30.0, description="s; a member silent for so long loses its tasks.")
    heartbeat_interval: Seconds = Field(3.0, description="s; a tenth of the session timeout.")
    rebalance_timeout: Seconds = Field(
        30.0, description="s; how long a rebalance waits for a member's last commits."
    )
    max_records: int = Field(1000, gt=0, description="Records taken in one poll; 500 to 2,000 measured best.")
    max_partition_fetch_bytes: int = Field(
        1 << 19, gt=0, description="Bytes of one partition in one fetch; keeps one poll under some 20 ms."
    )
    fetch_max_wait: Seconds = Field(
        0.2, description="s; how long the broker holds an empty fetch, and so how far the clock trails."
    )
    commit_interval: Seconds = Field(
        1.0, description="s; how often changed state is committed; at once when an alert waits."
    )
    commit_timeout: Seconds = Field(
        20.0, description="s; above the brokers' failure detection (9 s) plus an election."
    )
    restore_timeout: Seconds = Field(
        300.0, description="s without progress after which a restore is given up and begun again."
    )
    delay_limit: Seconds = Field(
        120.0,
        description="s that a partition may be judged behind the wall clock before SlaEvaluationDelayed fires; above a takeover (session timeout, rebalance, restore), below what anybody's deadline can spare.",
    )
    poll_stall: Seconds = Field(
        120.0, description="s without a successful fetch after which the process exits to be restarted."
    )
    dead_letter_records: int = Field(
        1000,
        gt=0,
        description="Dead letters that a task may record in a minute; beyond it they are counted, with their offsets.",
    )
    dead_letter_bytes: int = Field(
        4 << 20,
        gt=0,
        description="Bytes of dead letters that a task may record in a minute: at worst 6 GB a day for each task.",
    )
    check_crcs: bool = Field(
        True, description="Check record checksums again in the client; off gains a tenth of throughput."
    )
    replication_factor: int = Field(3, gt=0, description="Of topics made by `slamon topics create`.")
    min_insync_replicas: int = Field(2, gt=0, description="Of topics made by `slamon topics create`.")
    partitions: int = Field(
        8, gt=0, description="Of topics made by `slamon topics create`; inputs and outputs must agree."
    )


class FactsSettings(_Section):
    """How much is remembered of what happened, and so how late one may hear of it."""

    keep: int = Field(
        100,
        gt=0,
        description="Days; what lies further back is forgotten, and what speaks of it is a dead letter. At least the longest window of an agreement, its settleAfter and 35 days more.",
    )
    subject_limit: int = Field(
        10_000,
        gt=0,
        description="Events of one ticket or exclusion, or of one service within one hour; more of them are dead letters.",
    )


class HttpAccess(_Section):
    """How a server is asked, and what it wants to see; named as in Prometheus' http_config."""

    timeout: Seconds = Field(10.0, description="s for one request, as Prometheus has it.")
    basic_auth: BasicAuth | None = None
    authorization: Authorization | None = None
    tls_config: TlsConfig | None = None

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if self.basic_auth and self.authorization:
            raise ValueError("give basic_auth or authorization, not both")
        return self


class AlertmanagerSettings(HttpAccess):
    """One Alertmanager."""

    url: HttpUrl = Field(description="Base address, as people open it; /api/v2/alerts is added.")

    @model_validator(mode="after")
    def _no_secret_in_the_url(self) -> Self:
        if self.url.username or self.url.password:
            raise ValueError("no user or password in the url, where logs would show them: use basic_auth")
        return self


class PagerDutySettings(_Section):
    """PagerDuty's Events API v2. Each alert is an incident of its own, known by the alert's id."""

    routing_key: SecretStr | None = Field(None, description="The integration key of a service.")
    routing_key_file: Path | None = Field(
        None, description="A file with nothing else, read for each request."
    )
    url: HttpUrl = Field(
        HttpUrl("https://events.pagerduty.com/v2/enqueue"),
        description="For accounts in Europe https://events.eu.pagerduty.com/v2/enqueue.",
    )
    severities: dict[
        Literal["critical", "warning", "info"], Literal["critical", "error", "warning", "info"]
    ] = Field({}, description="slamon's severity to PagerDuty's; what is not named keeps its word.")
    timeout: Seconds = Field(10.0, description="s for one request.")
    tls_config: TlsConfig | None = None
    template: Path | None = Field(None, description="A file of texts in place of the shipped ones.")

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if (self.routing_key is None) == (self.routing_key_file is None):
            raise ValueError("give routing_key_file or routing_key")
        return self


class _SecretAddress(_Section):
    """Of a webhook: often who knows it may write there."""

    url: SecretStr | None = Field(None, description="Where messages are sent; not shown anywhere.")
    url_file: Path | None = Field(None, description="A file with nothing else, read for each request.")

    @model_validator(mode="after")
    def _one_address(self) -> Self:
        if (self.url is None) == (self.url_file is None):
            raise ValueError("give url_file or url")
        if self.url is not None and not re.match(r"https?://[^/]", self.url.get_secret_value()):
            raise ValueError("url begins with https:// or http:// and a host")
        return self


class SlackSettings(_SecretAddress):
    """An incoming webhook of Slack, or of what takes the same messages."""

    timeout: Seconds = Field(10.0, description="s for one request.")
    tls_config: TlsConfig | None = None
    template: Path | None = Field(None, description="A file of texts in place of the shipped ones.")


class WebhookSettings(_SecretAddress, HttpAccess):
    """Any server: it gets a POST for each transition of an alert, signed as standardwebhooks.com says."""

    body: Literal["alertmanager", "cloudevents"] = Field(
        "alertmanager",
        description="Alertmanager's webhook version 4 with one alert, or a CloudEvents 1.0 event around the record of the alerts topic.",
    )
    key: SecretStr | None = Field(
        None, description="Signs what is sent; 24 to 64 bytes, as whsec_ and their base64."
    )
    key_file: Path | None = Field(None, description="The same in a file, read for each request.")
    next_key_file: Path | None = Field(
        None, description="A second key that signs too, while the receiver changes from one to the other."
    )

    @model_validator(mode="after")
    def _keys(self) -> Self:
        if self.key is not None and self.key_file is not None:
            raise ValueError("give key_file or key, not both")
        if self.next_key_file is not None and self.key is None and self.key_file is None:
            raise ValueError("next_key_file comes beside a key: name that as key_file")
        return self


class AppriseSettings(_Section):
    """Whatever Apprise can reach; wants the extra `slamon[apprise]`."""

    urls: tuple[SecretStr, ...] = Field((), description="Addresses as Apprise has them; they hold secrets.")
    urls_file: Path | None = Field(
        None, description="A file with an address a line, read for each notification."
    )
    timeout: Seconds = Field(30.0, description="s for one notification to all addresses.")
    template: Path | None = Field(None, description="A file of texts in place of the shipped ones.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if bool(self.urls) == (self.urls_file is not None):
            raise ValueError("give urls_file or urls")
        return self


class LogReceiverSettings(_Section):
    """slamon's own log, to try out routes and texts without waking anybody."""

    template: Path | None = Field(None, description="A file of texts in place of the shipped ones.")


ReceiverKind = PagerDutySettings | SlackSettings | WebhookSettings | AppriseSettings | LogReceiverSettings


class ReceiverSettings(_Section):
    """One of the kinds, and what holds for all of them."""

    pagerduty: PagerDutySettings | None = None
    slack: SlackSettings | None = None
    webhook: WebhookSettings | None = None
    apprise: AppriseSettings | None = None
    log: LogReceiverSettings | None = None
    send_resolved: bool = Field(True, description="Whether it is told of ends, too.")

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if len(list(self._kinds())) != 1:
            raise ValueError(f"give one of {', '.join(RECEIVER_KINDS)}")
        return self

    def _kinds(self) -> Iterator[ReceiverKind]:
        return (kind for name in RECEIVER_KINDS if (kind := getattr(self, name)) is not None)

    @property
    def kind(self) -> ReceiverKind:
        return next(self._kinds())

    @property
    def kind_name(self) -> str:
        return next(name for name in RECEIVER_KINDS if getattr(self, name) is not None)


RECEIVER_KINDS = ("pagerduty", "slack", "webhook", "apprise", "log")


class RouteSettings(_Section):
    """Alerts that match everything a route names go to its receivers. Every route that matches counts."""

    receivers: tuple[str, ...] = Field(min_length=1, description="Names of receivers.")
    customers: tuple[str, ...] = Field((), description="Customer ids; none named: all.")
    severities: tuple[Literal["critical", "warning", "info"], ...] = Field((), description="None named: all.")
    alertnames: tuple[AlertLabel, ...] = Field((), description="Such as SlaTicketBreached; none named: all.")


class NotifierSettings(_Section):
    """Who is told of alerts, and how often."""

    alertmanagers: tuple[AlertmanagerSettings, ...] = Field((), description="Each gets every alert.")
    resend_interval: Seconds = Field(
        60.0, description="s; how often firing alerts are sent again, as Prometheus does."
    )
    resolved_retention: Seconds = Field(900.0, description="s; how long a resolved alert is still sent.")
    queue_capacity: int = Field(
        10_000,
        gt=0,
        description="Alerts waiting for one Alertmanager; beyond it the oldest are dropped and counted.",
    )
    batch_size: int = Field(256, gt=0, description="Alerts in one request.")
    external_url: HttpUrl | None = Field(
        None, description="Where people open slamon's pages; becomes generatorURL of alerts."
    )
    customer_url: AddressTemplate | None = Field(
        None, description=f"The page about a customer; default: external_url. May hold {_PLACES}."
    )
    dashboard_url: AddressTemplate | None = Field(
        None, description=f"Where the alert is seen in its surroundings. May hold {_PLACES}."
    )
    runbook_url: AddressTemplate = Field(
        "https://slamon.example/docs/runbook/$alertname/",
        description=f"What to do when an alert comes. May hold {_PLACES}.",
    )
    receivers: dict[str, ReceiverSettings] = Field(
        {}, description="Whom slamon tells itself, by the name that routes and agreements give them."
    )
    routes: tuple[RouteSettings, ...] = Field(
        (), description="Who gets what; whom an agreement escalates to needs none."
    )

    @model_validator(mode="after")
    def _receivers_are_known(self) -> Self:
        for name in self.receivers:
            if "," in name or name != name.strip() or not name.isprintable() or len(name) > LONGEST_RECEIVER:
                raise ValueError(
                    f"receivers: {name!r} is no name: at most {LONGEST_RECEIVER} letters, without a comma, and without blanks around it"
                )
        for position, route in enumerate(self.routes):
            unknown = [name for name in route.receivers if name not in self.receivers]
            if unknown:
                known = ", ".join(self.receivers) or "none"
                raise ValueError(f"routes[{position}]: there is no receiver {unknown[0]!r}; there is {known}")
        return self


LONGEST_RECEIVER = 80  # letters; it is part of the name of a consumer group, and a label of metrics


class HttpSettings(_Section):
    """What is scraped and probed."""

    host: str = Field("0.0.0.0", description="Address to listen on.")  # noqa: S104 - scraped and probed from outside the pod
    port: int = Field(
        9464, ge=0, le=65535, description="/metrics, /metrics/sla, /readyz; 0 takes a free one and logs it."
    )
    liveness_port: int = Field(9465, ge=0, le=65535, description="/livez, answered by a thread of its own.")


class MetricsSettings(_Section):
    """How much of the metrics there is."""

    ticket_series: int = Field(
        100, ge=0, description="Clocks that are due soonest and get a series each; the rest is only counted."
    )
    series_limit: int = Field(
        200_000, gt=0, description="Series on /metrics/sla; beyond it objectives are left out and counted."
    )


class LogSettings(_Section):
    """What the process tells of itself, on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least that is told.")
    format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto: colours on a terminal, JSON on a pipe."
    )


class Settings(BaseSettings):
    """Everything `slamon run --config FILE` reads."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        env_prefix="SLAMON_",
        env_nested_delimiter="__",
    )

    application_id: str = Field(
        "slamon", description="Prefix of group and transactional ids: two slamons on one cluster need two."
    )
    format: int | None = Field(
        None,
        ge=FORMATS[0],
        le=FORMATS[-1],
        description="Of the changelog. Unset: as it stands, the newest if there is none; raise it when every pod runs a release that reads it.",
    )
    agreements: tuple[Path, ...] = Field((), description="Files or directories of agreements and calendars.")
    agreements_poll: Seconds = Field(
        10.0,
        description="s; how often they are looked at for changes. A mounted ConfigMap takes up to a minute to arrive anyway; SIGHUP does not wait.",
    )
    kafka: KafkaSettings = KafkaSettings()
    facts: FactsSettings = FactsSettings()
    notifier: NotifierSettings = NotifierSettings()
    http: HttpSettings = HttpSettings()
    metrics: MetricsSettings = MetricsSettings()
    log: LogSettings = LogSettings()
    shutdown_timeout: Seconds = Field(
        20.0,
        description="s for the last commits and notifications after SIGTERM; below the pod's grace period.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment over what the file says, and nothing else."""
        del settings_cls, dotenv_settings, file_secret_settings
        return (env_settings, init_settings)


def read_settings(file: Path) -> Settings:
    """The settings of a YAML file, with `SLAMON_…` variables over it; paths in it are relative to its folder.

    Raises pydantic.ValidationError, yaml.YAMLError, OSError, ValueError if the file is no mapping.
    """
    said = yaml.safe_load(file.read_text(encoding="utf-8"))
    if said is not None and not isinstance(said, dict):
        raise ValueError("a mapping of settings is wanted, such as `kafka: {bootstrap_servers: ...}`")
    settings: Settings = _from_folder(Settings(**(said or {})), file.parent)
    return settings


def _from_folder(value: Any, folder: Path) -> Any:
    """The same with every path counted from the folder."""
    if isinstance(value, Path):
        return folder / value
    if isinstance(value, BaseModel):
        changed = {name: _from_folder(each, folder) for name, each in value}
        return value.model_copy(update={name: changed[name] for name in value.model_fields_set})
    if isinstance(value, tuple):
        return tuple(_from_folder(each, folder) for each in value)
    if isinstance(value, dict):
        return {key: _from_folder(each, folder) for key, each in value.items()}
    return value
