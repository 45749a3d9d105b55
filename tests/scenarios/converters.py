"""Recorded data of other tools as events: the same files give the same events with the same ids.

Help desk (one row per activity, sorted by case):
- The ticket opens at its first row, and nothing else says when: a ticket whose first row resolves it opened before the
  recording. Local times are Europe/Rome; no row lies in a repeated or skipped hour.
- Take in charge is the agent's public answer; Wait waits on the customer until the next activity, whatever it is.
- Resolve ticket resolves, Closed closes; only Take in charge undoes either. What else is written on a done ticket
  (the second system's VERIFIED, INVALID, ...) changes its fields, not its status.
- A row under another customer moves the ticket: it is cancelled under the old customer and begins under the new with its
  `opened_at` and all it was, also where it comes back.

Upptime (one row per check, or per change of status): the status of a site from then on, without a heartbeat, because only
changes and a daily sample are recorded.
"""

import csv
import gzip
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from slamon.codec import parse_instant
from slamon.domain.events import AvailabilityEvent, Reply, ServiceStatus, TicketEvent, TicketStatus

_ROME = ZoneInfo("Europe/Rome")
_DONE = (TicketStatus.RESOLVED, TicketStatus.CLOSED)


class Row(NamedTuple):
    """One activity of the help desk's log. `line` counts from 1, the heading being line 1."""

    line: int
    ticket: str
    activity: str
    time: int
    customer: str
    priority: str
    service_level: str
    workgroup: str


def help_desk_rows(file: Path) -> Iterator[Row]:
    with gzip.open(file, "rt", encoding="utf-8", newline="") as text:
        rows = csv.reader(text)
        heading = next(rows)
        # "Variant" is there twice, so that positions are looked up by name where the name is unique
        case, activity, time, customer, priority, level, group = (
            heading.index(name)
            for name in (
                "Case ID",
                "Activity",
                "Complete Timestamp",
                "customer",
                "seriousness_2",
                "service_level",
                "workgroup",
            )
        )
        for line, row in enumerate(rows, start=2):
            yield Row(
                line=line,
                ticket=row[case],
                activity=row[activity],
                time=_rome(row[time]),
                customer=_named("customer", row[customer]),
                priority=_named("seriousness", row[priority]),
                service_level=_named("level", row[level]),
                workgroup=_named("group", row[group]),
            )


def help_desk_events(rows: Iterable[Row]) -> Iterator[TicketEvent]:
    """The events of all tickets, ticket by ticket; `seq` is the line, as times may be equal."""
    for _, of_ticket in groupby(rows, key=lambda row: row.ticket):
        yield from _ticket_events(list(of_ticket))


def _ticket_events(rows: list[Row]) -> Iterator[TicketEvent]:
    opened_at = rows[0].time
    customer = rows[0].customer
    status = TicketStatus.OPEN
    for row in rows:
        moved = row.customer != customer
        if moved:
            yield TicketEvent(
                id=f"{row.line}-left",
                time=row.time,
                customer=customer,
                ticket=row.ticket,
                seq=row.line,
                status=TicketStatus.CANCELLED,
            )
            customer = row.customer
        status = _status_after(row.activity, status)
        yield TicketEvent(
            id=str(row.line),
            time=row.time,
            customer=row.customer,
            ticket=row.ticket,
            seq=row.line,
            status=status,
            waiting_on="customer" if status is TicketStatus.WAITING else None,
            priority=row.priority,
            reply=Reply.AGENT if row.activity == "Take in charge ticket" else None,
            opened_at=opened_at if moved else None,
            attributes={"service_level": row.service_level, "workgroup": row.workgroup},
        )


_SAYS = {
    "Take in charge ticket": TicketStatus.OPEN,
    "Resolve ticket": TicketStatus.RESOLVED,
    "Closed": TicketStatus.CLOSED,
}


def _status_after(activity: str, status: TicketStatus) -> TicketStatus:
    said = _SAYS.get(activity)
    if said is not None:
        return status if said is TicketStatus.RESOLVED and status is TicketStatus.CLOSED else said
    if status in _DONE:
        return status
    return TicketStatus.WAITING if activity == "Wait" else TicketStatus.OPEN


def _rome(text: str) -> int:
    local = datetime.strptime(text, "%Y/%m/%d %H:%M:%S.%f").replace(tzinfo=_ROME)
    return parse_instant(local.isoformat())


def _named(kind: str, value: str) -> str:
    """`Value 7` is all the log says: the kind makes it a name."""
    return f"{kind}-{value.removeprefix('Value ')}"


def shop_number(site: str) -> str | None:
    """LimeCommerce: a client's shop is named `NNNNN-name`, the number being the client; other sites are everybody's."""
    match = re.fullmatch(r"(\d{5})-.+", site)
    return None if match is None else match[1]


def edition(site: str) -> str:
    """DHBern: every edition is a customer, known by its site's name."""
    return site


def upptime_transitions(file: Path, customer_of: Callable[[str], str | None]) -> Iterator[AvailabilityEvent]:
    """From `*_transitions.csv`, in the file's order."""
    with file.open(encoding="utf-8", newline="") as text:
        for line, row in enumerate(csv.DictReader(text), start=2):
            yield AvailabilityEvent(
                id=f"{row['at']} {row['status']}",
                time=parse_instant(row["at"]),
                customer=customer_of(row["slug"]),
                service=row["slug"],
                status=ServiceStatus(row["status"]),
                seq=line,
            )


def upptime_checks(file: Path, customer_of: Callable[[str], str | None]) -> Iterator[AvailabilityEvent]:
    """From `*_checks.csv.gz`, in the file's order; each check is a commit."""
    with gzip.open(file, "rt", encoding="utf-8", newline="") as text:
        for line, row in enumerate(csv.DictReader(text), start=2):
            yield AvailabilityEvent(
                id=row["commit"],
                time=parse_instant(row["committed_at"]),
                customer=customer_of(row["slug"]),
                service=row["slug"],
                status=ServiceStatus(row["status"]),
                seq=line,
            )
