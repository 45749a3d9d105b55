"""One entry of `spec.objectives` as an objective of its kind."""

from slamon.agreement_files.availability_objective import AVAILABILITY, read_availability_objective
from slamon.agreement_files.findings import quoted
from slamon.agreement_files.frame import Frame
from slamon.agreement_files.notations import name
from slamon.agreement_files.sections import Section
from slamon.agreement_files.ticket_objective import TICKET_CLOCK, read_ticket_objective
from slamon.domain.agreement import Objective

_KINDS = ("ticketClock", "availability")


def read_objective(section: Section, frame: Frame) -> Objective | None:
    """None if there is a fault, which is in the report."""
    faults = len(frame.report.faults)
    called = section.required("name", name, "p1-response")
    kinds = [kind for kind in (*_KINDS, "requests") if section.has(kind)]
    section.not_built(
        "requests", "remove this objective until then; `availability` can judge the service by time"
    )
    objective: Objective | None = None
    if len(kinds) > 1:
        frame.report.fault(
            section.key_place(kinds[1]),
            f"one objective is either {' or '.join(map(quoted, kinds))}",
            "make an objective of its own, with its own name, out of each",
        )
        section.skip(*_KINDS, "service", "attainment", "severity")
    elif kinds == ["ticketClock"]:
        objective = read_ticket_objective(called or "?", section, frame)
    elif kinds == ["availability"]:
        objective = read_availability_objective(called or "?", section, frame)
    else:
        section.skip(*_KINDS, "service", "attainment", "severity")
        if not kinds and section.present and section.nothing_like(*_KINDS):
            frame.report.fault(
                section.at,
                "this objective promises nothing",
                f"add `ticketClock: {TICKET_CLOCK}` or `availability: {AVAILABILITY}`",
            )
    return None if called is None or len(frame.report.faults) > faults else objective
