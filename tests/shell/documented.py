"""What others document of the bodies they take, as strict models: https://developer.pagerduty.com/docs/send-alert-event,
https://docs.slack.dev/reference/block-kit/blocks, https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
and https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md.
"""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from pydantic.types import StringConstraints


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


Words = Annotated[str, StringConstraints(min_length=1)]
Address = Annotated[str, StringConstraints(pattern=r"^https?://\S+$")]
Instant = Annotated[AwareDatetime, Field(strict=False)]


# PagerDuty


class _Payload(_Strict):
    summary: Annotated[str, StringConstraints(min_length=1, max_length=1024)]
    source: Words
    severity: Literal["critical", "error", "warning", "info"]
    timestamp: Instant
    component: str = ""
    group: str = ""
    class_: str = Field("", alias="class")
    custom_details: dict[str, Any] = {}


class _Link(_Strict):
    href: Address
    text: str = ""


class PagerDutyEvent(_Strict):
    routing_key: Annotated[str, StringConstraints(min_length=32, max_length=32)]
    event_action: Literal["trigger", "acknowledge", "resolve"]
    dedup_key: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    payload: _Payload | None = None
    links: list[_Link] = []
    client: str = ""
    client_url: Address | None = None

    @model_validator(mode="after")
    def _a_trigger_has_a_payload(self) -> "PagerDutyEvent":
        assert (self.event_action == "trigger") == (self.payload is not None)
        return self


# Slack


class _PlainText(_Strict):
    type: Literal["plain_text"]
    text: Annotated[str, StringConstraints(min_length=1, max_length=150)]
    emoji: bool = False


class _Mrkdwn(_Strict):
    type: Literal["mrkdwn"]
    text: Annotated[str, StringConstraints(min_length=1, max_length=3000)]


class _Header(_Strict):
    type: Literal["header"]
    text: _PlainText


class _Section(_Strict):
    type: Literal["section"]
    text: _Mrkdwn


class SlackMessage(_Strict):
    text: Annotated[str, StringConstraints(min_length=1, max_length=4000)]
    blocks: Annotated[
        list[Annotated[_Header | _Section, Field(discriminator="type")]], Field(min_length=1, max_length=50)
    ]


# Alertmanager


class _Camel(_Strict):
    model_config = ConfigDict(alias_generator=to_camel)


class _Alert(_Camel):
    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: Instant
    ends_at: Instant
    generator_url: str = Field(alias="generatorURL")
    fingerprint: Words


class AlertmanagerWebhook(_Camel):
    version: Literal["4"]
    group_key: Words
    truncated_alerts: Annotated[int, Field(ge=0)]
    status: Literal["firing", "resolved"]
    receiver: Words
    group_labels: dict[str, str]
    common_labels: dict[str, str]
    common_annotations: dict[str, str]
    external_url: str = Field(alias="externalURL")
    alerts: Annotated[list[_Alert], Field(min_length=1)]


# CloudEvents


class CloudEvent(_Strict):
    specversion: Literal["1.0"]
    id: Words
    source: Words
    type: Words
    subject: Words | None = None
    time: Instant
    datacontenttype: Literal["application/json"]
    data: dict[str, Any]
