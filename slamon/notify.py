"""`slamon notify test`: a sample of an alert to receivers, and what each answered; or only who would get it, and how.

The sample is about the customer's own agreement, if there is one, so that names, time zone and promise are real; its
summary says that nothing is wrong. It is fired, and then resolved, under an id that no real alert has.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

import msgspec

from slamon import clock
from slamon.codec import format_instant
from slamon.domain.agreement import Agreement, AlertName, Severity, TicketObjective
from slamon.domain.decisions import AlertTransition, Reason, Transition
from slamon.domain.events import MINUTE
from slamon.outputs.door import DeliveryError
from slamon.outputs.metrics import Metrics
from slamon.outputs.receivers import Receiver, RefusedError, connected, receivers_of
from slamon.outputs.routes import Routes
from slamon.settings import Settings

FINE, FAILED = 0, 1
LEFT = 30 * MINUTE
TICKET = "TEST-1"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the sample is to be like; `receivers`: only these, whatever the routes say. Nothing asked: all of them."""

    receivers: Sequence[str] = ()
    customer: str | None = None
    severity: Severity | None = None
    alertname: AlertName | None = None

    @property
    def anything(self) -> bool:
        return bool(self.receivers or self.customer or self.severity or self.alertname)


class UnknownReceiver(ValueError):  # noqa: N818 - reads as what it says
    """The text says which, and who there is."""


def sample(asked: Asked, agreements: Sequence[Agreement], now: int) -> AlertTransition:
    """As it fires."""
    agreement = next(
        (one for one in agreements if one.customer == asked.customer or asked.customer is None), None
    )
    customer = asked.customer or (agreement.customer if agreement else "example")
    objectives = agreement.objectives if agreement else ()
    objective = next((one for one in objectives if isinstance(one, TicketObjective)), None)
    labels = {
        "alertname": (asked.alertname or AlertName.TICKET_AT_RISK).value,
        "severity": (asked.severity or Severity.CRITICAL).value,
        "customer": customer,
        "agreement": agreement.name if agreement else "example",
        "objective": objective.name if objective else "example",
        "ticket": TICKET,
        "step": "90%",
    }
    return AlertTransition(
        id=f"slamon-notify-test-{now}",
        episode=1,
        transition=Transition.FIRED,
        at=now,
        detected_at=now,
        late=False,
        reason=Reason.STEP_REACHED,
        labels=labels,
        annotations={
            "summary": f"{customer}: this is a test of slamon's notifications; nothing is wrong",
            "description": f"So would you hear of ticket {TICKET}, thirty minutes before it is due.",
            "due_at": format_instant(now + LEFT),
            "time_left": "30 min",
        },
    )


def ended(fired: AlertTransition, now: int) -> AlertTransition:
    return msgspec.structs.replace(
        fired, transition=Transition.RESOLVED, at=now, detected_at=now, reason=Reason.STOPPED
    )


def _chosen(settings: Settings, asked: Asked, fired: AlertTransition) -> list[str]:
    known = settings.notifier.receivers
    unknown = [name for name in asked.receivers if name not in known]
    if unknown:
        raise UnknownReceiver(f"there is no receiver {unknown[0]!r}; there is {', '.join(known) or 'none'}")
    if asked.receivers or not asked.anything:
        return list(asked.receivers or known)
    return list(_why(settings, fired))


def _why(settings: Settings, fired: AlertTransition) -> dict[str, str]:
    """The route by which it reaches each receiver that it reaches."""
    found = {
        name: next(Routes(settings.notifier, name).by_route(fired), None)
        for name in settings.notifier.receivers
    }
    return {name: route for name, route in found.items() if route is not None}


async def send(settings: Settings, asked: Asked, agreements: Sequence[Agreement], out: TextIO) -> int:
    """Sends it. The exit code: 1 if it was not taken everywhere. Raises UnknownReceiver, receivers.Unusable."""
    fired = sample(asked, agreements, clock.now())
    names = _chosen(settings, asked, fired)
    if not names:
        out.write(f"nobody: no route is for {_words(fired)}\n")
        return FAILED
    receivers = receivers_of(settings.notifier, lambda: agreements, Metrics("test"))
    failed = 0
    async with connected(receivers):
        for one in receivers:
            if one.name in names:
                out.write(f"{one.name} ({settings.notifier.receivers[one.name].kind_name})\n")
                failed += not await _both(one, fired, out)
    out.write(f"{len(names) - failed} of {len(names)} took it\n")
    return FAILED if failed else FINE


async def _both(receiver: Receiver, fired: AlertTransition, out: TextIO) -> bool:
    if not await _one(receiver, fired, fired.at, out):
        return False
    if not receiver.send_resolved:
        out.write("  resolved  not sent: send_resolved is off\n")
        return True
    return await _one(receiver, ended(fired, clock.now()), fired.at, out)


async def _one(receiver: Receiver, alert: AlertTransition, since: int, out: TextIO) -> bool:
    try:
        answer, taken = f"taken    {await receiver.attempt(alert, since)}", True
    except RefusedError as refusal:
        answer, taken = f"refused  {refusal}", False
    except DeliveryError as failure:
        answer, taken = f"failed   {failure}", False
    out.write(f"  {alert.transition.value:<8}  {' '.join(answer.split(chr(10)))}\n")
    return taken


def dry_run(settings: Settings, asked: Asked, agreements: Sequence[Agreement], out: TextIO) -> int:
    """Who would get it, why, and what would be sent. Raises UnknownReceiver, receivers.Unusable."""
    fired = sample(asked, agreements, clock.now())
    why = _why(settings, fired)
    names = _chosen(settings, asked, fired)
    out.write(f"{_words(fired)} goes to:\n")
    out.writelines(
        f"  {name} ({settings.notifier.receivers[name].kind_name}), {_because(name, why)}\n" for name in names
    )
    if not names:
        out.write("  nobody: no route matches\n")
    out.writelines(f"  {line}\n" for line in _escalations(agreements, fired.labels["customer"]))
    if number := len(settings.notifier.alertmanagers):
        out.write(f"  every Alertmanager: {number}\n")
    for one in receivers_of(settings.notifier, lambda: agreements, Metrics("test")):
        if one.name in names:
            out.writelines(
                f"\n--- {one.name}, {alert.transition.value}\n{one.shown(alert, fired.at)}\n"
                for alert in (fired, ended(fired, fired.at))
            )
    return FINE


def _because(name: str, why: dict[str, str]) -> str:
    return f"by {why[name]}" if name in why else "though no route leads there"


def _escalations(agreements: Sequence[Agreement], customer: str) -> Iterator[str]:
    theirs = [agreement for agreement in agreements if agreement.customer == customer]
    if agreements and not theirs:
        yield f"no agreement is one of {customer}: is it spelt as there?"
    for agreement in theirs:
        for one in agreement.escalation:
            yield f"{one.to}, by the escalation of {agreement.name}, once {one.after.text} is used up"


def _words(fired: AlertTransition) -> str:
    labels = fired.labels
    return f"{labels['alertname']}, {labels['severity']}, of {labels['customer']},"
