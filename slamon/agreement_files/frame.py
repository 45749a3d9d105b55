"""What the parts of an agreement share: its calendars, services and periods, and the readers for them."""

from collections.abc import Mapping
from dataclasses import dataclass

from slamon.agreement_files.findings import Report, closest, listed, quoted
from slamon.agreement_files.notations import days, one_of, percentage_up_to_100
from slamon.agreement_files.sections import RefusedError, Section
from slamon.domain.agreement import AlertName, Severity, Share
from slamon.domain.calendars import ALWAYS, Calendar
from slamon.domain.periods import TimeWindow, Unit

UNITS = {unit.value: unit for unit in Unit}
WINDOW = "{calendar: month}"
SEVERITIES = {one.value: one for one in Severity}


@dataclass(frozen=True, slots=True)
class Frame:
    """What the rest of the agreement, and the other files, say to its objectives."""

    calendars: Mapping[str, Calendar | None]  # None: written, but with a fault
    calendars_complete: bool  # False: a file could not be read, and may hold the missing one
    unit: Unit  # of periods, where the objective says none
    services: frozenset[str] | None  # None: all
    support_calendar: str | None
    report: Report

    def calendar(self, text: str) -> Calendar | None:
        if text == "always":
            return ALWAYS
        if text not in self.calendars and self.calendars_complete:
            known = ["always", *sorted(self.calendars)]
            meant = closest(text, known)
            question = f": did you mean {quoted(meant)}?" if meant else ""
            raise RefusedError(
                f"no calendar is named {quoted(text)}{question}",
                f"known are {listed(known)}; others need a document of `kind: Calendar` in the files that are read",
            )
        return self.calendars.get(text)

    def check_service(self, section: Section, key: str, services: frozenset[str]) -> None:
        """A promise about a service that the agreement does not list is allowed, and probably a slip."""
        for written in section.written(key):
            text = written.text
            if self.services is not None and text in services - self.services:
                meant = closest(text, self.services)
                self.report.advise(
                    written.at,
                    "service-not-listed",
                    f"the service {quoted(text)} is not among the agreement's `services`",
                    f"did you mean {quoted(meant)}?"
                    if meant
                    else f"listed are {listed(sorted(self.services))}",
                )


def calendar_of(section: Section, frame: Frame) -> Calendar | None:
    if not section.has("calendar"):
        section.skip("calendar")
        return ALWAYS
    return section.required("calendar", frame.calendar, "always")


def time_window(section: Section, report: Report) -> TimeWindow | None:
    """None if the section is absent or has a fault."""
    unit = section.optional("calendar", one_of(UNITS, "period"), None)
    rolling = section.optional("rolling", days, None, "30d")
    both = section.has("calendar") and section.has("rolling")
    if both or (section.present and section.nothing_like("calendar", "rolling")):
        report.fault(
            section.key_place("rolling") if both else section.at,
            "a time window is either `calendar` or `rolling`" if both else "a time window of which length?",
            "write `{calendar: month}` or `{rolling: 30d}`",
        )
        return None
    return TimeWindow(unit=unit, rolling=rolling) if unit or rolling else None


def severities(section: Section, alerts: tuple[AlertName, ...], report: Report) -> dict[AlertName, Severity]:
    by_name = {alert.value: alert for alert in alerts}
    read_name = one_of(
        by_name,
        "alert of this objective",
        {AlertName.BREACH_FORECAST.value: "remove the line: nothing is forecast until then"},
    )
    severities = {}
    for pair in section.pairs():
        severity = section.value(pair, one_of(SEVERITIES, "severity"), "warning")
        try:
            alert = read_name(pair.key)
        except RefusedError as refused:
            report.fault(pair.key_at, str(refused), refused.help)
            continue
        if severity is not None:
            severities[alert] = severity
    return severities


def share_step(text: str) -> Share:
    share = percentage_up_to_100(text)
    if not share:
        raise RefusedError(f"{quoted(text)} is reached before anything begins", "write a share above `0%`")
    return Share(share, text)


def is_time(text: str) -> bool:
    """Whether a step is meant as a duration, rather than as a share."""
    return not text.endswith("%") and text[-1:].isalpha()
