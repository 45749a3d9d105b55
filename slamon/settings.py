"""How this process runs: settings from a YAML file, then from the environment, each with unit, default and reason.

The file wins nothing over the environment: `SLAMON_KAFKA__BOOTSTRAP_SERVERS=…` replaces `kafka.bootstrap_servers`.
Unknown keys are refused. What customers were promised is not here but in the agreement files.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, SecretStr, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

Seconds = Annotated[float, Field(gt=0)]
FORMATS = (1, 2)  # of the changelog: the previous release's and this one's


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


class AlertmanagerSettings(_Section):
    """One Alertmanager."""

    url: HttpUrl = Field(description="Base address, as people open it; /api/v2/alerts is added.")
    timeout: Seconds = Field(10.0, description="s for one request, as Prometheus has it.")
    basic_auth: BasicAuth | None = None
    authorization: Authorization | None = None
    tls_config: TlsConfig | None = None

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if self.url.username or self.url.password:
            raise ValueError("no user or password in the url, where logs would show them: use basic_auth")
        if self.basic_auth and self.authorization:
            raise ValueError("give basic_auth or authorization, not both")
        return self


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
    return value
