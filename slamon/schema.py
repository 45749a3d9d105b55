"""JSON Schema (draft 2020-12) of what slamon reads: agreements, events, settings.

Events are described in their flat shape; `codec.py` reads CloudEvents around them as well, and is the judge.
"""

import enum
from collections.abc import Callable
from typing import Any

import orjson

from slamon.agreement_files.schema import DIALECT, Schema, agreement_schema
from slamon.domain.events import SECOND, ExclusionReason, ExclusionState, Reply, ServiceStatus, TicketStatus
from slamon.plain_records import LARGEST_INTEGER, LONGEST_DURATION
from slamon.settings import Settings


def printed(of: str) -> str:
    """KeyError for what has no schema."""
    return orjson.dumps(_SCHEMAS[of](), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def settings_schema() -> Schema:
    return {"$schema": DIALECT, **Settings.model_json_schema(), "title": "slamon settings"}


# A member that is null is a member left out, so those that may be left out may be null.


def _required(schema: Schema, description: str) -> Schema:
    return {**schema, "description": description}


def _optional(schema: Schema, description: str) -> Schema:
    return {"anyOf": [schema, {"type": "null"}], "description": description}


def _words(closed: type[enum.Enum]) -> Schema:
    return {"enum": [word.value for word in closed]}


_STRING: Schema = {"type": "string"}
_INSTANT: Schema = {
    "type": "string",
    "pattern": (
        r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?"
        r"([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
    ),
    "examples": ["2026-11-23T14:32:00Z", "2026-11-23T15:32:00+01:00"],
}
_SECONDS: Schema = {"type": "number", "exclusiveMinimum": 0, "maximum": LONGEST_DURATION // SECOND}
_COUNT: Schema = {"type": "integer", "minimum": 0, "maximum": LARGEST_INTEGER}

_COMMON: dict[str, Schema] = {
    "id": _required(
        {"type": "string", "minLength": 1},
        "A second event of the same customer, type, subject and id changes nothing.",
    ),
    "time": _required(_INSTANT, "When it happened: RFC 3339 with an offset."),
    "customer": _required(_STRING, "The customer id, which is also the Kafka key."),
    "seq": _optional(
        {"type": "integer", "minimum": -LARGEST_INTEGER, "maximum": LARGEST_INTEGER},
        "Order among events of one subject at one time.",
    ),
}


def _event(description: str, members: dict[str, Schema], *required: str, **more: Any) -> Schema:
    return {
        "type": "object",
        "description": description,
        "properties": {**_COMMON, **members},
        "required": ["id", "type", "time", *required],
        **more,
    }


_EVENTS: dict[str, Schema] = {
    "ticket": _event(
        "At `time`, the named fields of the ticket took these values; the others are unchanged.",
        {
            "ticket": _required(_STRING, "The ticket's own id."),
            "status": _optional(_words(TicketStatus), "Without any, a ticket is open."),
            "waiting_on": _optional(
                _STRING, "On whom a waiting ticket waits: customer, supplier, or another word."
            ),
            "priority": _optional(_STRING, "As agreements name it in `when`."),
            "service": _optional(_STRING, "As agreements name it in `services`."),
            "reply": _optional(_words(Reply), "A public answer by a person, or one by the customer."),
            "opened_at": _optional(
                _INSTANT, "When the ticket was opened; without it, at its earliest event."
            ),
            "attributes": _optional(
                {"type": "object", "additionalProperties": {"type": ["string", "null"]}},
                "Merged key by key.",
            ),
        },
        "customer",
        "ticket",
    ),
    "availability": _event(
        "From `time` on, the service has this status, until its next event.",
        {
            "customer": _optional(
                _STRING, "Without it, all customers of the partition whose agreements cover the service."
            ),
            "service": _required(_STRING, "As agreements name it."),
            "status": _required(_words(ServiceStatus), "As the monitor sees it."),
            "interval_seconds": _optional(
                _SECONDS,
                "When the next heartbeat is promised; after three of them in silence the status is unknown.",
            ),
        },
        "service",
        "status",
    ),
    "requests": _event(
        "In the `seconds` before `time`, `bad` of `total` requests failed.",
        {
            "service": _required(_STRING, "As agreements name it."),
            "total": _required(_COUNT, "All requests."),
            "bad": _required(_COUNT, "Those that failed: no more than `total`."),
            "seconds": _required(_SECONDS, "The length of the span that ends at `time`."),
        },
        "customer",
        "service",
        "total",
        "bad",
        "seconds",
    ),
    "exclusion": _event(
        "This span does not count, if the agreement says so; the newest event of one exclusion replaces the earlier ones.",
        {
            "exclusion": _required(_STRING, "The exclusion's own id."),
            "state": _required(_words(ExclusionState), "A cancelled one needs nothing else."),
            "reason": _optional(_words(ExclusionReason), "As agreements name it in `exclusions`."),
            "from": _optional(_INSTANT, "Where it begins."),
            "to": _optional(_INSTANT, "Where it ends, after `from`."),
            "service": _optional(_STRING, "Without it, all services that the agreement's entry is for."),
            "announced_at": _optional(_INSTANT, "Without it, when it was first declared with this span."),
            "approved_by": _optional(_STRING, "Who agreed."),
            "evidence": _optional(_STRING, "Where that can be seen."),
        },
        "customer",
        "exclusion",
        "state",
        **{
            "if": {"properties": {"state": {"const": ExclusionState.DECLARED.value}}},
            "then": {
                "required": ["reason", "from", "to"],
                "properties": {"reason": _words(ExclusionReason), "from": _STRING, "to": _STRING},
            },
        },
    ),
}


def event_schema() -> Schema:
    """Of one event: the value of a Kafka record, or a line of a file."""
    return {
        "$schema": DIALECT,
        "title": "slamon event",
        "description": "Unknown members are ignored; null is a member left out.",
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"enum": list(_EVENTS), "description": "What the event is about."}},
        "allOf": [
            {"if": {"properties": {"type": {"const": kind}}}, "then": {"$ref": f"#/$defs/{kind}"}}
            for kind in _EVENTS
        ],
        "$defs": _EVENTS,
    }


_SCHEMAS: dict[str, Callable[[], Schema]] = {
    "agreement": agreement_schema,
    "event": event_schema,
    "settings": settings_schema,
}
