"""The requests that receivers want: one function for each kind, from a notice to a body, without I/O.

- PagerDuty, Events API v2: https://developer.pagerduty.com/docs/send-alert-event
- Slack, incoming webhooks and blocks: https://docs.slack.dev/reference/block-kit/blocks
- Alertmanager, webhook version 4: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
- CloudEvents 1.0 in JSON: https://github.com/cloudevents/spec
- Standard Webhooks, the signature: https://github.com/standard-webhooks/standard-webhooks
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from slamon.codec import format_instant
from slamon.outputs.notices import Notice
from slamon.outputs.templates import Rendered
from slamon.records import alert_record

Json = dict[str, Any]

PAGERDUTY_BYTES = 512 * 1024  # of a whole event
PAGERDUTY_SUMMARY = 1024
PAGERDUTY_KEY = 255
_PAGERDUTY_DETAIL = 4096  # letters of one detail; the longest of ours have some hundreds
SLACK_HEADER, SLACK_SECTION, SLACK_TEXT = 150, 3000, 4000  # letters
_NEVER = "0001-01-01T00:00:00Z"  # how Alertmanager says that an alert has not ended
_KEY_PREFIX = "whsec_"
_SHORTEST_KEY = 24  # bytes, as the standard has it


def cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


# PagerDuty


def pagerduty(notice: Notice, rendered: Rendered, routing_key: str, severities: Mapping[str, str]) -> Json:
    """An end names its beginning by the key, and says nothing else."""
    labels = notice.alert.labels
    event: Json = {
        "routing_key": routing_key,
        "event_action": "resolve" if notice.resolved else "trigger",
        "dedup_key": dedup_key(notice.alert.id),
    }
    if notice.resolved:
        return event
    severity = labels.get("severity", "critical")
    event["payload"] = {
        "summary": cut(rendered.title, PAGERDUTY_SUMMARY),
        "source": cut(labels.get("customer") or "slamon", PAGERDUTY_SUMMARY),
        "severity": severities.get(severity, severity),
        "timestamp": format_instant(notice.alert.at),
        "component": cut(labels.get("objective", ""), PAGERDUTY_SUMMARY),
        "group": cut(labels.get("agreement", ""), PAGERDUTY_SUMMARY),
        "class": labels.get("alertname", ""),
        "custom_details": {
            name: cut(value, _PAGERDUTY_DETAIL)
            for name, value in {"text": rendered.text, **labels, **notice.alert.annotations}.items()
        },
    }
    links = [
        (notice.words["runbook"], "What to do"),
        (notice.words["dashboard"], "Dashboard"),
        (notice.words["page"], "Page of the customer"),
    ]
    event["links"] = [{"href": href, "text": text} for href, text in links if href]
    event["client"] = "slamon"
    if notice.words["page"]:
        event["client_url"] = notice.words["page"]
    if len(orjson.dumps(event)) > PAGERDUTY_BYTES:
        del event["payload"]["custom_details"]
    return event


def dedup_key(id_: str) -> str:
    """The alert's id; of one that is longer than PagerDuty takes, a hash."""
    return id_ if len(id_) <= PAGERDUTY_KEY else hashlib.sha256(id_.encode()).hexdigest()


# Slack


def slack(rendered: Rendered) -> Json:
    """`text` is what a phone shows before the message is opened."""
    blocks: list[Json] = [
        {
            "type": "header",
            "text": {
                "type": "plain_text",
                "text": cut(unescaped(rendered.title), SLACK_HEADER),
                "emoji": True,
            },
        }
    ]
    if rendered.text:
        text = cut_lines(rendered.text, SLACK_SECTION)
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": text}})
    return {"text": cut(rendered.title, SLACK_TEXT), "blocks": blocks}


_ESCAPES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"))


def escaped_for_slack(word: str) -> str:
    for sign, instead in _ESCAPES:
        word = word.replace(sign, instead)
    return word


def unescaped(text: str) -> str:
    """A header is plain text, in which nothing stands for something else."""
    for sign, instead in reversed(_ESCAPES):
        text = text.replace(instead, sign)
    return text


def cut_lines(text: str, length: int) -> str:
    """Whole lines only, so that no link is torn; of a first line that is too long its beginning."""
    if len(text) <= length:
        return text
    kept = text[: length - 1].rpartition("\n")[0] or text[: length - 1]
    return f"{kept}…"


# Webhooks


def alertmanager(notice: Notice, receiver: str) -> Json:
    alert = notice.alert
    status = "resolved" if notice.resolved else "firing"
    links = {f"{name}_url": notice.words[name] for name in ("runbook", "dashboard") if notice.words[name]}
    annotations = {**alert.annotations, **links}
    started = alert.at if notice.since is None else min(notice.since, alert.at)
    page = notice.words["page"]
    one = {
        "status": status,
        "labels": alert.labels,
        "annotations": annotations,
        "startsAt": format_instant(started),
        "endsAt": format_instant(alert.at) if notice.resolved else _NEVER,
        "generatorURL": page,
        "fingerprint": alert.id,
    }
    return {
        "version": "4",
        "groupKey": f'{{}}:{{id="{alert.id}"}}',
        "truncatedAlerts": 0,
        "status": status,
        "receiver": receiver,
        "groupLabels": {"id": alert.id},
        "commonLabels": alert.labels,
        "commonAnnotations": annotations,
        "externalURL": page,
        "alerts": [one],
    }


def cloudevent(notice: Notice, source: str) -> Json:
    alert = notice.alert
    about = (alert.labels.get(name) for name in ("customer", "agreement", "objective", "ticket"))
    record = orjson.loads(alert_record(alert, None))
    del record["number"]  # by `id` a repetition is known better
    event = {
        "specversion": "1.0",
        "id": notice.key,
        "source": source,
        "type": f"slamon.alert.{alert.transition.value}",
        "time": format_instant(alert.at),
        "datacontenttype": "application/json",
        "data": record
        | {
            "links": {
                name: notice.words[name] for name in ("runbook", "dashboard", "page") if notice.words[name]
            }
        },
    }
    subject = "/".join(filter(None, about))
    return event | ({"subject": subject} if subject else {})


def signing_key(said: str) -> bytes:
    """Of `whsec_` and base64, or as it is. Raises ValueError."""
    try:
        key = (
            base64.b64decode(said.removeprefix(_KEY_PREFIX), validate=True)
            if said.startswith(_KEY_PREFIX)
            else said.encode()
        )
    except binascii.Error as error:
        raise ValueError(f"after {_KEY_PREFIX} a key is base64") from error
    if len(key) < _SHORTEST_KEY:
        raise ValueError(f"a key has {_SHORTEST_KEY} bytes at least: `openssl rand -base64 32`")
    return key


def signed(id_: str, at: int, body: bytes, keys: Iterable[bytes]) -> dict[str, str]:
    """The headers, with a signature by each key. `at` in seconds since 1970."""
    content = f"{id_}.{at}.".encode() + body
    signatures = ["v1," + base64.b64encode(hmac.digest(key, content, "sha256")).decode() for key in keys]
    head = {"webhook-id": id_, "webhook-timestamp": str(at)}
    return head | ({"webhook-signature": " ".join(signatures)} if signatures else {})
