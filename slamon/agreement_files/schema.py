"""JSON Schema of agreement files, for editors: every key with what it means, words taken from the domain.

The loader stays the judge: it knows more than a schema can say (calendars that exist, dates that overlap), and its words
are for people. Values may stand in quotes or not, as in the files, so that a number may be a string here.
"""

import enum
from collections.abc import Iterable, Mapping
from typing import Any

from slamon.agreement_files.notations import DURATION, DURATION_OR_BUSINESS_DAYS, PERCENTAGE
from slamon.agreement_files.rules import RULES
from slamon.domain.agreement import (
    AlertName,
    BelowMinimum,
    DegradedCountsAs,
    ExclusionsCountAs,
    Measure,
    OnPriorityChange,
    OnReopen,
    Severity,
    StopOn,
    UnknownCountsAs,
)
from slamon.domain.calendars import WEEKDAYS
from slamon.domain.events import ExclusionReason
from slamon.domain.periods import Unit

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

# Letters and digits of any script, `_`, and after the first character `.` and `-`. `\w` would mean ASCII in editors.
_NAME = r"^[^\s!-/:-@\[-\^`{-~][^\s!-,/:-@\[-\^`{-~]{0,99}$"
_DAY = f"({'|'.join(''.join(f'[{letter}{letter.upper()}]' for letter in day) for day in WEEKDAYS)})"
_DAYS = rf"^\s*{_DAY}(\s*-\s*{_DAY})?(\s*,\s*{_DAY}(\s*-\s*{_DAY})?)*\s*$"
_HOURS = r"^\s*[0-9]{1,2}:[0-9]{2}\s*-\s*[0-9]{1,2}:[0-9]{2}(\s*,\s*[0-9]{1,2}:[0-9]{2}\s*-\s*[0-9]{1,2}:[0-9]{2})*\s*$"


def _matching(pattern: str, description: str = "", *examples: str) -> Schema:
    return _said({"type": "string", "pattern": pattern}, description, *examples)


def _said(schema: Schema, description: str, *examples: str) -> Schema:
    if description:
        schema["description"] = description
    if examples:
        schema["examples"] = list(examples)
    return schema


def _one_of(
    words: type[enum.Enum] | Iterable[str], description: str, default: enum.Enum | str | None = None
) -> Schema:
    values = [word.value if isinstance(word, enum.Enum) else word for word in words]
    schema = _said({"enum": values}, description)
    if default is not None:
        schema["default"] = default.value if isinstance(default, enum.Enum) else default
    return schema


def _object(description: str, keys: Mapping[str, Schema], *required: str, **more: Any) -> Schema:
    schema: Schema = {
        "type": "object",
        "description": description,
        "properties": dict(keys),
        "additionalProperties": False,
    }
    if required:
        schema["required"] = list(required)
    return schema | more


def _list(of: Schema, description: str) -> Schema:
    return {"type": "array", "minItems": 1, "items": of, "description": description}


def _one_or_more(of: Schema, description: str, *, least: int = 1) -> Schema:
    return {
        "anyOf": [of, {"type": "array", "minItems": least, "items": of, "uniqueItems": True}],
        "description": description,
    }


def _exactly_one(*keys: str) -> Schema:
    return {"oneOf": [{"required": [key]} for key in keys]}


def _word(description: str = "") -> Schema:
    """Compared exactly, as it is written; a word that looks like a number is one for other readers of YAML."""
    return _said({"type": ["string", "number", "boolean"]}, description)


def _text(description: str) -> Schema:
    return _said({"type": ["string", "number", "boolean"], "pattern": r"\S"}, description)


def _duration(description: str, *examples: str) -> Schema:
    return _matching(DURATION, description, *examples)


def _clock_time(description: str, *examples: str) -> Schema:
    return _matching(DURATION_OR_BUSINESS_DAYS, description, *examples)


def _percentage(description: str, *examples: str) -> Schema:
    return _matching(PERCENTAGE, description, *examples)


def _number(description: str) -> Schema:
    return {
        "anyOf": [{"type": "integer", "minimum": 0}, _matching("^[0-9]{1,9}$")],
        "description": description,
    }


def _decimal(description: str) -> Schema:
    number = _matching(r"^[0-9]{1,12}(\.[0-9]{1,12})?$")
    return {"anyOf": [{"type": "number", "minimum": 0}, number], "description": description}


def _flag(description: str, default: bool | None = None) -> Schema:
    schema = _said({"enum": [True, False, "true", "false"]}, description)
    return schema if default is None else schema | {"default": default}


def _date(description: str) -> Schema:
    return _matching("^[0-9]{4}-[0-9]{2}-[0-9]{2}$", description, "2026-01-31")


def _name(description: str) -> Schema:
    return {
        "anyOf": [_matching(_NAME), {"type": "integer", "minimum": 0}],
        "description": description,
    }


_TIME_ZONE = "Zone of the IANA database."
_CALENDAR_NAME = "Name of a document of kind Calendar, or `always`."

_TIME_WINDOW = _object(
    "What is judged as a whole: a calendar period in the agreement's zone, or the last days.",
    {
        "calendar": _one_of(Unit, "A whole period of the calendar."),
        "rolling": _duration("Whole days of 24 hours, up to now.", "30d"),
    },
    **_exactly_one("calendar", "rolling"),
)

_TICKETS = {
    "priority": _one_or_more(_word(), "Any of these priorities."),
    "service": _one_or_more(_word(), "Any of these services."),
    "attributes": {
        "type": "object",
        "description": "All of these attributes, each with any of its values.",
        "additionalProperties": _one_or_more(_word(), "Any of these values."),
    },
}

_TICKET_CLOCK = _object(
    "A promise about each ticket.",
    {
        "measure": _one_of(Measure, "What is timed."),
        "when": _object("Which tickets; the first objective of a measure that matches governs.", _TICKETS),
        "calendar": _name(f"When the clock runs. {_CALENDAR_NAME}") | {"default": "always"},
        "target": _clock_time(
            "The longest time that keeps the promise, in the calendar's time.", "15m", "4h", "2bd"
        ),
        "pauseWhile": _object(
            "When the clock stands still; by default, a resolution waits for the customer.",
            {
                "waitingOn": _one_or_more(
                    _word(), "Parties that the ticket waits on; [] means never.", least=0
                )
            },
            "waitingOn",
        ),
        "stopOn": _one_of(StopOn, "What ends a resolution.", StopOn.RESOLVED),
        "onPriorityChange": _one_of(
            OnPriorityChange,
            "Whether the time so far counts when this objective takes over.",
            OnPriorityChange.CARRY,
        ),
        "onReopen": _one_of(
            OnReopen, "What becomes of a resolution when the ticket is reopened.", OnReopen.CONTINUE
        ),
        "warnAt": _one_or_more(
            {
                "anyOf": [
                    _percentage("A share of the target."),
                    _matching(f"^-{DURATION_OR_BUSINESS_DAYS[1:]}", "Time left."),
                ]
            },
            "When to warn: shares of the target used up, or time that is left.",
        ),
    },
    "measure",
    "target",
)

_ATTAINMENT = _object(
    "What share of the tickets has to be in time. Without it: all, in each reporting period.",
    {
        "target": _percentage("Of the decided tickets.", "95%") | {"default": "100%"},
        "timeWindow": _TIME_WINDOW,
        "minimumTickets": _number("Fewer decided tickets are judged by `belowMinimum`."),
        "belowMinimum": _one_of(
            BelowMinimum, "How a period with fewer tickets is judged.", BelowMinimum.ALLOW_ONE_MISS
        ),
    },
    dependentRequired={"belowMinimum": ["minimumTickets"]},
)

_BURN_RATES = {
    "anyOf": [
        _one_of(["default", "none"], "The table of slamon's own, or none.", "default"),
        {
            "type": "array",
            "minItems": 1,
            "items": _object(
                "Warn when so much of the budget is used within `long`, and still within `short`.",
                {
                    "share": _percentage("The share of the period's budget.", "2%"),
                    "long": _duration("The long window: at most half the period.", "1h"),
                    "short": _duration("The short window; a twelfth of the long one by default.", "5m"),
                    "severity": _one_of(Severity, "The severity of the alert."),
                    "step": _word(),
                },
                "share",
                "long",
                "severity",
            ),
        },
    ],
    "description": "The table of burn rates that warn.",
}

_AVAILABILITY = _object(
    "A promise about the share of time in which the service is up.",
    {
        "target": _percentage("The least share of time up.", "99.9%"),
        "timeWindow": _TIME_WINDOW,
        "calendar": _name(f"Service hours: only they count. {_CALENDAR_NAME}") | {"default": "always"},
        "degradedCountsAs": _one_of(DegradedCountsAs, "What `degraded` is.", DegradedCountsAs.UP),
        "unknownCountsAs": _one_of(
            UnknownCountsAs, "What decides when too little was measured.", UnknownCountsAs.UNDETERMINED
        ),
        "minimumOutage": _duration(
            "Shorter outages do not count; longer ones do from their first second.", "60s"
        ),
        "exclusionsCountAs": _one_of(
            ExclusionsCountAs,
            "Excluded time is taken out of the ratio, or counts as up.",
            ExclusionsCountAs.REMOVED,
        ),
        "downWhile": _object(
            "The service is down, too, while such a ticket is open.",
            {"tickets": _object("Which tickets.", _TICKETS)},
            "tickets",
        ),
        "alerts": _object(
            "What warns before the budget is gone.",
            {
                "burnRates": _BURN_RATES,
                "timeLeft": _one_or_more(
                    {
                        "anyOf": [
                            _percentage("A share of the period's budget."),
                            _clock_time("A time, in service hours."),
                        ]
                    },
                    "Warn while an outage runs, when so much of the budget is left.",
                ),
                "alertAfter": _duration("No outage warns before it has lasted so long.", "2m")
                | {"default": "2m"},
                "coverageBelow": _percentage("Below this share of measured time, burn rates freeze.", "90%")
                | {"default": "90%"},
                "forecastAbove": _percentage("Warn when the forecast of a breach reaches this.", "80%"),
            },
        ),
    },
    "target",
    "timeWindow",
)

_REQUESTS = _object(
    "A promise about the share of requests that succeed.",
    {
        "target": _percentage("The least share of good requests.", "99.5%"),
        "timeWindow": _TIME_WINDOW,
        "calendar": _name(f"Service hours: only they count. {_CALENDAR_NAME}") | {"default": "always"},
        "exclusionsCountAs": _one_of(
            ExclusionsCountAs, "Excluded requests are taken out, or count as good.", ExclusionsCountAs.REMOVED
        ),
        "alerts": _object("What warns before the budget is gone.", {"burnRates": _BURN_RATES}),
    },
    "target",
    "timeWindow",
)

_SEVERITY = _object(
    "How severe the alerts of this objective are, where not as usual.",
    {
        alert.value: _one_of(Severity, "The severity of this alert.")
        for alert in AlertName
        if alert is not AlertName.EVALUATION_DELAYED
    },
)

_OBJECTIVE = _object(
    "One promise: exactly one of `ticketClock`, `availability` and `requests`.",
    {
        "name": _name("Stands in alerts, metrics and statements."),
        "service": _word("What it is about; of a ticket clock, only tickets about this service."),
        "ticketClock": _TICKET_CLOCK,
        "attainment": _ATTAINMENT,
        "availability": _AVAILABILITY,
        "requests": _REQUESTS,
        "severity": _SEVERITY,
    },
    "name",
    **_exactly_one("ticketClock", "availability", "requests"),
    dependentRequired={
        "availability": ["service"],
        "requests": ["service"],
        "attainment": ["ticketClock"],
    },
)

_EXCLUSION = _object(
    "Time that does not count, for availability and requests: scheduled here, or declared by events.",
    {
        "name": _name("Stands in explanations."),
        "reason": _one_of(ExclusionReason, "Declared exclusions apply by their reason."),
        "schedule": _object(
            "When it recurs.",
            {
                "rrule": _said(
                    {"type": "string"}, "Rule of RFC 5545, daily or slower.", "FREQ=WEEKLY;BYDAY=SU"
                ),
                "at": _matching("^[0-9]{1,2}:[0-9]{2}$", "Local time of day at which it begins.", "02:00"),
                "duration": _duration("How long it lasts.", "2h"),
            },
            "rrule",
            "at",
            "duration",
        ),
        "declared": _flag("Events declare it."),
        "notice": _duration("How long ahead it has to be announced, to count.", "72h"),
        "atMost": _object(
            "What exceeds this counts.",
            {
                "duration": _duration("The longest excluded time.", "8h"),
                "per": _one_of(Unit, "In each of these periods."),
            },
            "duration",
            "per",
        ),
        "services": _one_or_more(_word(), "For these services; all without it."),
        "clause": _text("Where the contract says so."),
    },
    "name",
    "reason",
    anyOf=[{"required": ["schedule"]}, {"required": ["declared"]}],
)

_CREDIT = _object(
    "What a missed objective costs: exactly one of `bands`, `perMiss` and `linear`.",
    {
        "objective": _name("Name of the objective."),
        "bands": _list(
            _object(
                "One band.",
                {
                    "below": _percentage("For a ratio below this.", "99.9%"),
                    "credit": _percentage("Share of the fee.", "10%"),
                },
                "below",
                "credit",
            ),
            "The lowest band that is reached counts, alone.",
        ),
        "perMiss": _percentage("Share of the fee for each missed ticket.", "1%"),
        "linear": _object(
            "In proportion to what is missed.",
            {"percentPerPoint": _decimal("Percent of the fee for each percentage point.")},
            "percentPerPoint",
        ),
        "cap": _percentage("The most that this entry can cost.", "15%"),
    },
    "objective",
    **_exactly_one("bands", "perMiss", "linear"),
)

_REMEDIES = _object(
    "What is owed for missed periods.",
    {
        "fee": _object(
            "What is paid, of which credits are shares.",
            {
                "amount": _decimal("In the main unit of the currency."),
                "currency": _matching("^[A-Z]{3}$", "Code of ISO 4217.", "EUR"),
                "per": _one_of(Unit, "For each of these periods."),
            },
            "amount",
            "currency",
            "per",
        ),
        "credits": _list(_CREDIT, "Several entries of one objective add up."),
        "cap": _percentage("The most that one period can cost.", "100%"),
        "claimWithin": _duration("After the statement.", "30d"),
    },
    "credits",
)

_SPEC = _object(
    "The terms.",
    {
        "customer": _word("The customer id in the events."),
        "effective": _object(
            "The days on which these terms hold, in `timeZone`.",
            {"from": _date("The first day."), "to": _date("The last day; without it the end is open.")},
            "from",
        ),
        "timeZone": _said(
            {"type": "string", "default": "UTC"}, f"{_TIME_ZONE} Days, months and years begin there."
        ),
        "services": _list(
            _object(
                "A service.",
                {"name": _word("As in the events."), "description": _text("For people.")},
                "name",
            ),
            "What is promised; tickets about other services are not covered. All services without it.",
        ),
        "support": _object(
            "Who helps.",
            {
                "calendar": _name(f"When support works. {_CALENDAR_NAME}"),
                "contacts": _list(
                    _object(
                        "Whom to call.",
                        {
                            "role": _text("What this person does."),
                            "email": _text("Address."),
                            "phone": _text("Number."),
                        },
                        "role",
                        anyOf=[{"required": ["email"]}, {"required": ["phone"]}],
                    ),
                    "Whom to call.",
                ),
                "escalation": _list(
                    _object(
                        "Who else is told, and when.",
                        {
                            "after": _percentage("Share of a ticket's target, or of an error budget.", "75%"),
                            "to": _text("Who else is told: the name stands in the alert."),
                        },
                        "after",
                        "to",
                    ),
                    "Who else is told when time runs out.",
                ),
            },
        ),
        "objectives": _list(
            _OBJECTIVE, "The promises, in order: of a measure the first that matches a ticket governs."
        ),
        "exclusions": _list(_EXCLUSION, "Time that does not count; the first entry that matches applies."),
        "remedies": _REMEDIES,
        "liability": _object(
            "What credits do not settle.",
            {
                "indemnification": _text("The clause."),
                "notes": _text("For people."),
            },
        ),
        "reporting": _object(
            "When periods are judged.",
            {
                "period": _one_of(Unit, "Of objectives without a calendar period.", Unit.MONTH),
                "settleAfter": _duration("After its end a period is settled.", "24h") | {"default": "24h"},
                "portal": _flag("Whether the customer has pages.", default=False),
            },
        ),
        "silence": _list(
            _object(
                "Advice of `slamon check` that is not wanted.",
                {
                    "rule": _one_of(RULES, "Name of the rule."),
                    "reason": _text("Why it is not wanted."),
                    "at": _word("Name of an objective, exclusion or service; everywhere without it."),
                },
                "rule",
                "reason",
            ),
            "Advice that is known and not wanted.",
        ),
    },
    "customer",
    "effective",
    "objectives",
)

_CALENDAR = _object(
    "Business hours.",
    {
        "timeZone": _said({"type": "string"}, _TIME_ZONE, "Europe/Berlin"),
        "hours": {
            "type": "object",
            "description": "Opening hours by day or range of days; days without any are closed.",
            "minProperties": 1,
            "propertyNames": {"pattern": _DAYS},
            "additionalProperties": _one_or_more(
                _matching(_HOURS),
                "Spans of the day, such as 08:00-12:00, 13:00-18:00; 22:00-02:00 runs past midnight.",
            ),
        },
        "holidays": _object(
            "Days that are closed: the public holidays of a place.",
            {
                "country": _said({"type": "string"}, "Code of ISO 3166.", "DE"),
                "subdivision": _word("Code of ISO 3166-2 without the country."),
                "except": _one_or_more(_date("A date."), "Open in spite of a holiday."),
                "also": _one_or_more(_date("A date."), "Closed as well."),
            },
        ),
    },
    "timeZone",
    "hours",
)


def _document(kind: str, what: str, spec: Schema) -> Schema:
    return _object(
        what,
        {
            "apiVersion": {"const": "slamon/v1"},
            "kind": {"const": kind},
            "metadata": _object(
                "How it is called.",
                {"name": _name("Its name."), "displayName": _text("For people.")},
                "name",
            ),
            "spec": spec,
        },
        "apiVersion",
        "kind",
        "metadata",
        "spec",
    )


def agreement_schema() -> Schema:
    """Of one YAML document of an agreement file."""
    return {
        "$schema": DIALECT,
        "title": "slamon agreement or calendar",
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"enum": ["Agreement", "Calendar"]}},
        "if": {"properties": {"kind": {"const": "Calendar"}}},
        "then": {"$ref": "#/$defs/Calendar"},
        "else": {"$ref": "#/$defs/Agreement"},
        "$defs": {
            "Agreement": _document("Agreement", "What was promised to one customer.", _SPEC),
            "Calendar": _document("Calendar", "Business hours that agreements name.", _CALENDAR),
        },
    }
