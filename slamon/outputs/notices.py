"""What a notification says, as words by name: what happened, for whom, due when, why, and what to do.

The names are those that templates may use; `WORDS` says what each means. What an alert has nothing to say about is
empty. What the record of an alert does not hold comes from the agreement in force when it became true, if that is still
in use; what changes while a receiver is away, as the time that is left, is counted when it is told.
"""

from collections.abc import Callable, Iterable, Mapping
from string import Template
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from slamon.codec import InstantError, format_instant, parse_instant
from slamon.domain import announcements
from slamon.domain.agreement import (
    Agreement,
    AvailabilityObjective,
    Measure,
    Objective,
    RequestsObjective,
    TicketObjective,
)
from slamon.domain.decisions import AlertTransition, Reason, Transition
from slamon.domain.events import SECOND
from slamon.domain.terms import time_window
from slamon.settings import IN_ADDRESSES, NotifierSettings

WORDS: Mapping[str, str] = {
    "summary": "what happened, in one line, as it was when it fired",
    "description": "the same at more length",
    "subject": "what the alert is about, in few words",
    "mark": "a sign for the severity, or for an end",
    "transition": "fired or resolved",
    "reason": "why it fired or resolved, in words",
    "alertname": "the alert's name",
    "severity": "critical, warning or info",
    "customer": "the customer's id",
    "customer_name": "the agreement's display name, or else the customer's id",
    "agreement": "the agreement's name",
    "objective": "the objective's name",
    "promise": "what the objective promises, in words",
    "why": "objective, agreement and promise",
    "ticket": "the ticket's id",
    "step": "which threshold was reached",
    "due": "when it is due, in the agreement's time zone",
    "due_utc": "the same in UTC",
    "time_left": "until then, as it is told; or by how much it is overdue",
    "breached": "since when the promise is broken, in the agreement's time zone",
    "breached_utc": "the same in UTC",
    "at": "when it became true, or ended, in the agreement's time zone",
    "at_utc": "the same in UTC",
    "contacts": "whom to call, as the agreement says",
    "escalated_to": "receivers that the agreement escalates to",
    "runbook": "address of what to do",
    "dashboard": "address of a dashboard",
    "page": "address of the customer's page",
    "id": "the alert's id, the same for its beginning and its end",
    "episode": "which firing of it this is",
}
MARKS = {"critical": "🔴", "warning": "🟠", "info": "🔵"}
OVER = "✅"
REASONS: Mapping[Reason, str] = {
    Reason.STEP_REACHED: "a step was reached",
    Reason.LIMIT_EXCEEDED: "the limit is exceeded",
    Reason.RESUMED: "the clock goes on, and the step still holds",
    Reason.SUPERSEDED: "a later step has taken over",
    Reason.BREACHED: "the limit is exceeded, which is an alert of its own",
    Reason.STOPPED: "the clock has stopped",
    Reason.PAUSED: "the clock is paused",
    Reason.VOID: "the ticket was cancelled",
    Reason.TAKEN_OVER: "another objective governs it now",
    Reason.RECOVERED: "it holds no longer",
    Reason.PERIOD_ENDED: "its period is over",
    Reason.AMENDED: "it turned out never to have been true",
}
_MEASURES = {
    Measure.FIRST_RESPONSE: "first response",
    Measure.NEXT_REPLY: "next reply",
    Measure.UPDATE: "an update",
    Measure.RESOLUTION: "resolution",
}


class Notice(NamedTuple):
    """One transition, ready to be told. `since`: when it fired, as far as that is known."""

    alert: AlertTransition
    since: int | None
    words: Mapping[str, str]

    @property
    def resolved(self) -> bool:
        return self.alert.transition is Transition.RESOLVED

    @property
    def key(self) -> str:
        """Of this transition alone, and of all its repetitions."""
        return f"{self.alert.id}-{self.alert.episode}-{self.alert.transition.value}"


def notice(
    alert: AlertTransition,
    since: int | None,
    settings: NotifierSettings,
    agreements: Callable[[], Iterable[Agreement]],
    now: int,
) -> Notice:
    """`now`: by the clock that agreements are judged by."""
    alert = clean(alert)
    words = _words(alert, settings, _in_force(alert, agreements()), now)
    return Notice(alert, since, {name: text(word) for name, word in words.items()})


def clean(alert: AlertTransition) -> AlertTransition:
    """Half of a surrogate pair, as YAML can hold it, cannot be sent; a question mark in a name beats no alert."""
    return msgspec.structs.replace(
        alert,
        labels={name: text(value) for name, value in alert.labels.items()},
        annotations={name: text(value) for name, value in alert.annotations.items()},
    )


def text(value: str) -> str:
    return value if value.isascii() else value.encode(errors="replace").decode()


def links(settings: NotifierSettings, labels: Mapping[str, str]) -> dict[str, str]:
    """Addresses of the runbook, the dashboard and the customer's page, as far as they are set."""
    quoted = {name: quote(text(labels.get(name, "")), safe="") for name in IN_ADDRESSES}
    page = settings.customer_url or (str(settings.external_url) if settings.external_url else None)
    templates = {"runbook": settings.runbook_url, "dashboard": settings.dashboard_url}
    found = {name: Template(one).substitute(quoted) for name, one in templates.items() if one}
    if page is not None:
        found["page"] = page if settings.customer_url is None else Template(page).substitute(quoted)
    return found


def linked(settings: NotifierSettings, labels: Mapping[str, str]) -> dict[str, str]:
    """The annotations by which dashboards and pages of alerts know a runbook and a dashboard."""
    found = links(settings, labels)
    return {f"{name}_url": found[name] for name in ("runbook", "dashboard") if name in found}


def _words(
    alert: AlertTransition, settings: NotifierSettings, agreement: Agreement | None, now: int
) -> dict[str, str]:
    labels, annotations = alert.labels, alert.annotations
    severity, objective = labels.get("severity", ""), labels.get("objective", "")
    resolved = alert.transition is Transition.RESOLVED
    promised = _promised(agreement, objective)
    due, breached = _instant(annotations.get("due_at")), _instant(annotations.get("breached_at"))
    said = {name: labels.get(name, "") for name in ("alertname", "customer", "agreement", "ticket", "step")}
    return (
        dict.fromkeys(WORDS, "")
        | said
        | {
            "summary": annotations.get("summary", "") or _subject(labels),
            "description": annotations.get("description", ""),
            "subject": _subject(labels),
            "mark": OVER if resolved else MARKS.get(severity, ""),
            "transition": alert.transition.value,
            "reason": REASONS[alert.reason],
            "severity": severity,
            "customer_name": (agreement.display_name if agreement else "") or labels.get("customer", ""),
            "objective": objective,
            "promise": promised,
            "why": _why(labels, promised),
            "due": _local(due, agreement),
            "due_utc": _utc(due),
            "time_left": "" if due is None or resolved else _left(due - now),
            "breached": _local(breached, agreement),
            "breached_utc": _utc(breached),
            "at": _local(alert.at, agreement),
            "at_utc": _utc(alert.at),
            "contacts": annotations.get("contacts", ""),
            "escalated_to": annotations.get("escalate_to", ""),
            "id": alert.id,
            "episode": str(alert.episode),
            **links(settings, labels),
        }
    )


def _subject(labels: Mapping[str, str]) -> str:
    about = labels.get("ticket") or labels.get("objective") or f"partition {labels.get('partition', '?')}"
    named = [labels.get("customer", ""), labels.get("alertname", ""), labels.get("step", ""), about]
    return " ".join(filter(None, named))


def _why(labels: Mapping[str, str], promised: str) -> str:
    if not labels.get("objective"):
        return ""
    where = f"objective {labels['objective']} of agreement {labels.get('agreement', '')}"
    return f"{where}: {promised}" if promised else where


def _promised(agreement: Agreement | None, name: str) -> str:
    found = next((one for one in agreement.objectives if one.name == name), None) if agreement else None
    return "" if found is None else promise(found)


def promise(objective: Objective) -> str:
    match objective:
        case TicketObjective():
            hours = "" if objective.calendar.always else " of service hours"
            within = (
                f"{_MEASURES[objective.measure]} within {announcements.duration(objective.target)}{hours}"
            )
            return f"{within}, for {announcements.percent(objective.attainment.target)} of the tickets of {_window(objective)}"
        case AvailabilityObjective():
            return (
                f"{objective.service} is up {announcements.percent(objective.target)} of {_window(objective)}"
            )
        case RequestsObjective():
            share = announcements.percent(objective.target)
            return f"{share} of the requests to {objective.service} succeed in {_window(objective)}"


def _window(objective: Objective) -> str:
    window = time_window(objective)
    if window.rolling is not None:
        return f"the last {announcements.duration(window.rolling)}"
    assert window.unit is not None, "a window is calendar or rolling"
    return f"the {window.unit.value}"


def _in_force(alert: AlertTransition, agreements: Iterable[Agreement]) -> Agreement | None:
    """The version whose words the alert was said in; else the nearest one there is."""
    customer, name = alert.labels.get("customer"), alert.labels.get("agreement")
    versions = [one for one in agreements if one.customer == customer and one.name == name]
    begun = [one for one in versions if one.start <= alert.at]
    return max(begun, key=lambda one: one.start) if begun else next(iter(versions), None)


def _instant(said: str | None) -> int | None:
    try:
        return parse_instant(said) if said else None
    except InstantError:
        return None


def _local(at: int | None, agreement: Agreement | None) -> str:
    return announcements.local(at, agreement) if at is not None and agreement is not None else _utc(at)


def _utc(at: int | None) -> str:
    """To the second."""
    return "" if at is None else format_instant(at - at % SECOND).replace(".000000Z", "Z")


def _left(microseconds: int) -> str:
    length = announcements.duration(microseconds)
    return f"{length} left" if microseconds > 0 else f"overdue by {length}"
