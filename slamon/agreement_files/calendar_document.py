"""A document of kind Calendar as business hours."""

import re
from datetime import date

from slamon.agreement_files.findings import Place, Report, quoted
from slamon.agreement_files.notations import day, name
from slamon.agreement_files.sections import RefusedError, Section
from slamon.domain.calendars import WEEKDAYS, Calendar, parse_days, parse_hours
from slamon.domain.periods import zone_rules

_HOLIDAYS = "{country: DE, subdivision: BE}"
_DATES = "[2026-12-24]"


def calendar_name(text: str) -> str:
    if text == "always":
        raise RefusedError(
            "`always` is built in: open 24 hours on 7 days", "choose another name for this calendar"
        )
    return name(text)


def zone(text: str) -> str:
    """The name of a time zone, as the IANA database has it."""
    try:
        zone_rules(text)
    except ValueError:
        offset = re.fullmatch(r"(UTC|GMT)?\s*[+-][0-9:]+", text)
        if offset or re.fullmatch("[A-Z]{2,5}", text):  # the nearest name would be another zone altogether
            what = "an offset, which knows no summer time" if offset else "no time zone that is known"
            raise RefusedError(f"{quoted(text)} is {what}", "name the place: `Europe/Berlin`") from None
        raise
    return text


def read_calendar(called: str, spec: Section, report: Report) -> Calendar | None:
    """None if there is a fault, which is in the report."""
    faults = len(report.faults)
    time_zone = spec.required("timeZone", zone, "Europe/Berlin")
    week = spec.child("hours", '{mon-fri: "08:00-18:00"}', required=True)
    hours = _hours(week, report)
    country, subdivision, opened, closed = _holidays(spec.child("holidays", _HOLIDAYS))
    if len(report.faults) > faults or time_zone is None or not spec.present:
        return None
    if not week.present:
        return None
    try:
        return Calendar.weekly(
            called,
            time_zone,
            hours,
            country=country,
            subdivision=subdivision,
            except_dates=opened,
            also_dates=closed,
        )
    except ValueError as refused:
        report.fault(spec.at, f"this calendar makes no sense: {refused}")
        return None


def _hours(week: Section, report: Report) -> dict[int, list[tuple[int, int]]]:
    hours: dict[int, list[tuple[int, int]]] = {}
    named: dict[int, Place] = {}
    for pair in week.pairs():
        spans = week.values(pair, parse_hours, '"08:00-12:00, 13:00-18:00"', commas=True)
        try:
            weekdays = parse_days(pair.key)
        except ValueError as refused:
            report.fault(pair.key_at, *_about_days(str(refused)))
            continue
        for weekday in weekdays:
            if weekday in hours:
                report.fault(
                    pair.key_at,
                    f"{quoted(WEEKDAYS[weekday])} already has its hours in line {named[weekday].line}",
                    "name each day once; several spans of a day stand together: `08:00-12:00, 13:00-18:00`",
                )
            named[weekday] = pair.key_at
            hours[weekday] = [span for group in spans or () for span in group]
    if week.present and not hours and not week.pairs():
        report.fault(week.at, "no opening hours at all", 'name at least one day: `mon-fri: "08:00-18:00"`')
    return hours


def _about_days(message: str) -> tuple[str, str]:
    wrong, _, known = message.replace('"', "`").partition(": ")
    return wrong, known or "name each day once"


def _holidays(holidays: Section) -> tuple[str | None, str | None, frozenset[date], frozenset[date]]:
    """Country and subdivision are tried on a calendar of one minute, so that a fault stands at its own place."""

    def known_country(text: str) -> str:
        Calendar.weekly("trial", "UTC", {0: [(0, 1)]}, country=text)
        return text

    country = holidays.optional("country", known_country, None, "DE")

    def known_subdivision(text: str) -> str:
        if country is not None:
            Calendar.weekly("trial", "UTC", {0: [(0, 1)]}, country=country, subdivision=text)
        elif not holidays.has("country"):
            raise RefusedError(f"subdivision {quoted(text)} of which country?", "add `country: DE`")
        return text

    subdivision = holidays.optional("subdivision", known_subdivision, None, "BE")
    opened = holidays.each("except", day, example=_DATES) or ()
    closed = holidays.each("also", day, example=_DATES) or ()
    return country, subdivision, frozenset(opened), frozenset(closed)
