"""How this process runs: settings from a YAML file, then from the environment, each with unit, default and reason.

The file wins nothing over the environment: `SLAMON_KAFKA__BOOTSTRAP_SERVERS=…` replaces `kafka.bootstrap_servers`.
Unknown keys are refused. What customers were promised is not here but in the agreement files.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

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
    model_config = ConfigDict(extra="forbid", frozen=True)


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


class KafkaSettings(_Section):
    bootstrap_servers: str = Field("localhost:9092", description="host:port, comma-separated.")
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
        100 * 86_400,
        gt=0,
        description="s that facts are kept after they can last matter; 100 days: a month and its statement, and 35 days more to correct it. Longer for agreements with longer windows; an event about a time before is a dead letter.",
    )
    subject_limit: int = Field(
        10_000,
        gt=0,
        description="Events of one ticket or exclusion, or of one service within one record; more of them are dead letters.",
    )


class BasicAuth(_Section):
    """Named as in Prometheus' http_config."""

    username: str
    password: SecretStr | None = None
    password_file: Path | None = None


class Authorization(_Section):
    type: str = "Bearer"
    credentials: SecretStr | None = None
    credentials_file: Path | None = None


class TlsConfig(_Section):
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    server_name: str | None = None
    insecure_skip_verify: bool = False


class AlertmanagerSettings(_Section):
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
    host: str = Field("0.0.0.0", description="Address to listen on.")  # noqa: S104 - scraped and probed from outside the pod
    port: int = Field(
        9464, ge=0, le=65535, description="/metrics, /metrics/sla, /readyz; 0 takes a free one and logs it."
    )
    liveness_port: int = Field(9465, ge=0, le=65535, description="/livez, answered by a thread of its own.")


class MetricsSettings(_Section):
    ticket_series: int = Field(
        100, ge=0, description="Clocks that are due soonest and get a series each; the rest is only counted."
    )
    series_limit: int = Field(
        200_000, gt=0, description="Series on /metrics/sla; beyond it objectives are left out and counted."
    )


class LogSettings(_Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto: colours on a terminal, JSON on a pipe."
    )


class Settings(BaseSettings):
    """Everything `slamon run --config FILE` reads."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="SLAMON_", env_nested_delimiter="__"
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
    settings = Settings(**(said or {}))
    return settings.model_copy(
        update={"agreements": tuple(file.parent / path for path in settings.agreements)}
    )
