"""One entry of `spec.objectives` as an objective of its kind."""

from collections.abc import Callable, Mapping

from slamon.agreement_files.availability_objective import AVAILABILITY, read_availability_objective
from slamon.agreement_files.findings import quoted
from slamon.agreement_files.frame import Frame
from slamon.agreement_files.notations import name
from slamon.agreement_files.requests_objective import REQUESTS, read_requests_objective
from slamon.agreement_files.sections import Section
from slamon.agreement_files.ticket_objective import TICKET_CLOCK, read_ticket_objective
from slamon.domain.agreement import Objective

_READERS: Mapping[str, Callable[[str, Section, Frame], Objective | None]] = {
    "ticketClock": read_ticket_objective,
    "availability": read_availability_objective,
    "requests": read_requests_objective,
}


def read_objective(section: Section, frame: Frame) -> Objective | None:
    """None if there is a fault, which is in the report."""
    faults = len(frame.report.faults)
    called = section.required("name", name, "p1-response")
    kinds = [kind for kind in _READERS if section.has(kind)]
    objective: Objective | None = None
    if len(kinds) > 1:
        frame.report.fault(
            section.key_place(kinds[1]),
            f"one objective is either {' or '.join(map(quoted, kinds))}",
            "make an objective of its own, with its own name, out of each",
        )
        section.skip(*_READERS, "service", "attainment", "severity")
    elif kinds:
        objective = _READERS[kinds[0]](called or "?", section, frame)
    else:
        section.skip(*_READERS, "service", "attainment", "severity")
        if section.present and section.nothing_like(*_READERS):
            frame.report.fault(
                section.at,
                "this objective promises nothing",
                f"add `ticketClock: {TICKET_CLOCK}`, `availability: {AVAILABILITY}` or `requests: {REQUESTS}`",
            )
    return None if called is None or len(frame.report.faults) > faults else objective
