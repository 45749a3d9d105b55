"""Every option of an agreement makes a difference: change it, and what slamon says of the same events changes too.

One agreement, in which all options stand, and one stream of events on which each of them bites. Whoever adds a key to the
schema adds a line here.
"""

from pathlib import Path

import pytest
import yaml

from slamon.agreement_files import load
from tests.scenarios.stories import Story, Verdicts, verdicts
from tests.shell.test_schema import FREE, path_of, places, schema_keys

TERMS = """\
apiVersion: slamon/v1
kind: Calendar
metadata: {name: office}
spec:
  timeZone: Europe/Berlin
  hours: {mon-thu: "08:00-12:00, 13:00-17:00", fri: "08:00-16:00", sun: "10:00-12:00"}
  holidays: {country: DE, subdivision: BE, except: [2026-04-06], also: [2026-03-10]}
---
apiVersion: slamon/v1
kind: Agreement
metadata: {name: terms, displayName: Terms}
spec:
  customer: acme
  effective: {from: 2026-03-01, to: 2026-04-30}
  timeZone: Europe/Berlin
  services: [{name: api, description: Of ACME}, {name: shop}]
  support: {calendar: office, contacts: [{role: manager, email: a@example.com, phone: "1"}], escalation: [{after: 50%, to: duty}]}
  objectives:
    - {name: answer-others, ticketClock: {measure: firstResponse, when: {priority: [P4]}, target: 24h}}
    - name: answer
      ticketClock: {measure: firstResponse, when: {priority: [P1], service: [api], attributes: {region: [eu]}}, calendar: always, target: 60m, pauseWhile: {waitingOn: [supplier]}, onPriorityChange: carry, warnAt: [50%, -10m]}
      attainment: {target: 60%, timeWindow: {calendar: month}}
      severity: {SlaTicketAtRisk: info, SlaTicketBreached: warning, SlaBreached: info}
    - name: repair
      service: api
      ticketClock: {measure: resolution, calendar: office, target: 16h, stopOn: closed, onReopen: newCycle}
      attainment: {target: 90%, timeWindow: {rolling: 20d}, minimumTickets: 9, belowMinimum: notApplicable}
    - name: time
      service: api
      availability:
        target: 99%
        timeWindow: {calendar: month}
        calendar: always
        degradedCountsAs: down
        unknownCountsAs: down
        minimumOutage: 5m
        exclusionsCountAs: removed
        downWhile: {tickets: {priority: [P2], service: [shop], attributes: {kind: [outage]}}}
        alerts:
          burnRates: [{share: 5%, long: 6h, short: 30m, severity: info, step: medium}]
          timeLeft: [50%]
          alertAfter: 10m
          coverageBelow: 80%
      severity: {SlaOutageBudget: info, SlaMeasurementLost: info}
    - name: lately
      service: api
      availability: {target: 99.5%, timeWindow: {rolling: 10d}, alerts: {burnRates: none}}
    - name: calls
      service: api
      requests: {target: 98%, timeWindow: {calendar: month}, calendar: office, exclusionsCountAs: removed, alerts: {burnRates: [{share: 5%, long: 6h, short: 1h, severity: info, step: calls}]}}
    - name: calls-lately
      service: api
      requests: {target: 98%, timeWindow: {rolling: 7d}, alerts: {burnRates: [{share: 5%, long: 6h, severity: info}]}}
      severity: {SlaBudgetBurn: info}
  exclusions:
    - {name: nightly, reason: maintenance, schedule: {rrule: "FREQ=WEEKLY;BYDAY=TH", at: "02:00", duration: 2h}, services: [api]}
    - {name: announced, reason: maintenance, declared: true, notice: 24h, atMost: {duration: 3h, per: month}, clause: "§ 9"}
  remedies:
    fee: {amount: "1000.00", currency: EUR, per: month}
    credits:
      - {objective: time, bands: [{below: 99%, credit: 10%}, {below: 95%, credit: 20%}]}
      - {objective: answer, perMiss: 10%, cap: 25%}
      - {objective: calls, linear: {percentPerPoint: 4}}
    cap: 50%
    claimWithin: 30d
  liability: {indemnification: "§ 7", notes: none}
  reporting: {period: month, settleAfter: 12h}
  silence: [{rule: rolling-window-with-credits, reason: not here, at: time}]
"""

TIMELINE = [
    "2026-02-26 00:00 api up",
    "2026-03-02 09:00 A-1 opened priority=P1 service=api region=eu",
    "10:30 A-1 agent replied",
    "2026-03-03 09:00 A-2 opened priority=P1 service=api region=eu",
    "09:20 A-2 waiting on supplier",
    "09:50 A-2 open",
    "10:05 A-2 agent replied",
    "2026-03-03 11:00 A-3 opened priority=P1 service=shop region=eu",
    "2026-03-03 11:00 A-4 opened priority=P1 service=api region=us",
    "2026-03-03 11:00 A-5 opened priority=P4 service=api region=eu",
    "12:00 A-5 priority=P1",
    "14:00 A-5 agent replied",
    "2026-03-04 08:00 api 1000 requests 10 failed in 10m",
    "09:00 R-1 opened priority=P3 service=api",
    "2026-03-05 00:30 api down",
    "03:30 api up",
    "07:10 api 1000 requests 400 failed in 20m",
    "10:00 R-1 waiting on customer",
    "2026-03-06 10:00 R-1 open",
    "12:00 R-1 resolved",
    "2026-03-09 09:00 R-1 closed",
    "2026-03-11 09:00 R-1 open",
    "2026-03-12 12:00 R-1 closed",
    "2026-03-13 09:00 exclusion CHG-1 declared maintenance 2026-03-14 10:00..2026-03-14 15:00",
    "2026-03-13 12:00 exclusion CHG-2 declared maintenance 2026-03-13 20:00..2026-03-13 21:00",
    "20:00 api down",
    "20:30 api up",
    "2026-03-14 10:00 api down",
    "14:10 api up",
    "14:20 api 500 requests 100 failed in 6h",
    "2026-03-16 09:30 api 500 requests 100 failed in 1h",
    "2026-03-17 10:00 O-1 opened priority=P2 service=shop kind=outage",
    "12:00 O-1 resolved",
    "13:00 O-2 opened priority=P2 service=api kind=outage",
    "13:30 O-2 resolved",
    "13:00 O-3 opened priority=P4 service=shop kind=outage",
    "13:30 O-3 resolved",
    "14:00 O-4 opened priority=P2 service=shop kind=question",
    "14:30 O-4 resolved",
    "2026-03-18 10:00 api degraded",
    "10:40 api up",
    "11:00 api down",
    "11:04 api up",
    "12:00 api down",
    "12:09 api up",
    "2026-03-19 06:00 api unknown",
    "18:00 api up",
    "2026-03-18 20:00 exclusion CHG-3 declared maintenance 2026-03-20 12:00..2026-03-20 14:00",
    "2026-03-20 12:00 api down",
    "13:00 api 100 requests 50 failed in 30m",
    "2026-03-20 16:00 api up",
    "2026-03-24 08:00 H-1 opened priority=P3 service=api",
    "2026-04-10 10:00 H-1 closed",
    "2026-04-20 09:00 A-6 opened priority=P1 service=api region=eu",
    "2026-04-20 09:10 A-6 cancelled",
    "2026-04-21 10:00 api down",
    "10:20 api up",
    "2026-04-22 06:00 api unknown",
    "18:00 api up",
]
UNTIL = "2026-05-06 00:00"

# What is changed, from what, to what. Texts stand once in the terms.
CHANGES = [
    ("Agreement.spec.customer", "customer: acme", "customer: somebody"),
    ("Agreement.spec.effective.from", "from: 2026-03-01", "from: 2026-03-03"),
    ("Agreement.spec.effective.to", "to: 2026-04-30", "to: 2026-04-20"),
    (
        "Agreement.spec.timeZone",
        "  timeZone: Europe/Berlin\n  services",
        "  timeZone: Asia/Tokyo\n  services",
    ),
    ("Agreement.spec.services.name", "{name: api, description", "{name: another, description"),
    ("Agreement.spec.support.escalation.after", "after: 50%", "after: 95%"),
    ("Agreement.spec.support.escalation.to", "to: duty", "to: somebody else"),
    ("Agreement.spec.support.contacts.role", "role: manager", "role: boss"),
    ("Agreement.spec.support.contacts.email", "a@example.com", "b@example.com"),
    ("Agreement.spec.support.contacts.phone", 'phone: "1"', 'phone: "2"'),
    ("Agreement.spec.objectives.name", "name: repair", "name: mend"),
    (
        "Agreement.spec.objectives.service",
        "service: api\n      ticketClock",
        "service: shop\n      ticketClock",
    ),
    (
        "Agreement.spec.objectives.ticketClock.measure",
        "measure: firstResponse, when: {priority: [P1]",
        "measure: update, when: {priority: [P1]",
    ),
    ("Agreement.spec.objectives.ticketClock.when.priority", "priority: [P1]", "priority: [P2]"),
    (
        "Agreement.spec.objectives.ticketClock.when.service",
        "service: [api], attributes: {region",
        "service: [api, shop], attributes: {region",
    ),
    ("Agreement.spec.objectives.ticketClock.when.attributes", "region: [eu]", "region: [eu, us]"),
    (
        "Agreement.spec.objectives.ticketClock.calendar",
        "calendar: office, target: 16h",
        "calendar: always, target: 16h",
    ),
    ("Agreement.spec.objectives.ticketClock.target", "target: 60m", "target: 40m"),
    ("Agreement.spec.objectives.ticketClock.pauseWhile.waitingOn", "waitingOn: [supplier]", "waitingOn: []"),
    (
        "Agreement.spec.objectives.ticketClock.onPriorityChange",
        "onPriorityChange: carry",
        "onPriorityChange: reset",
    ),
    ("Agreement.spec.objectives.ticketClock.warnAt", "warnAt: [50%, -10m]", "warnAt: [50%, -5m]"),
    ("Agreement.spec.objectives.ticketClock.stopOn", "stopOn: closed", "stopOn: resolved"),
    ("Agreement.spec.objectives.ticketClock.onReopen", "onReopen: newCycle", "onReopen: continue"),
    ("Agreement.spec.objectives.ticketClock.onReopen", "onReopen: newCycle", "onReopen: ignore"),
    ("Agreement.spec.objectives.attainment.target", "target: 60%", "target: 20%"),
    (
        "Agreement.spec.objectives.attainment.timeWindow.calendar",
        "{target: 60%, timeWindow: {calendar: month}",
        "{target: 60%, timeWindow: {calendar: week}",
    ),
    ("Agreement.spec.objectives.attainment.timeWindow.rolling", "rolling: 20d", "rolling: 25d"),
    (
        "Agreement.spec.objectives.attainment.belowMinimum",
        "belowMinimum: notApplicable",
        "belowMinimum: countAsUsual",
    ),
    (
        "Agreement.spec.objectives.attainment.minimumTickets",
        "minimumTickets: 9",
        "minimumTickets: 2",
    ),
    (
        "Agreement.spec.objectives.severity.SlaTicketAtRisk",
        "SlaTicketAtRisk: info",
        "SlaTicketAtRisk: critical",
    ),
    (
        "Agreement.spec.objectives.severity.SlaTicketBreached",
        "SlaTicketBreached: warning",
        "SlaTicketBreached: critical",
    ),
    ("Agreement.spec.objectives.severity.SlaBreached", "SlaBreached: info", "SlaBreached: critical"),
    (
        "Agreement.spec.objectives.severity.SlaOutageBudget",
        "SlaOutageBudget: info",
        "SlaOutageBudget: critical",
    ),
    ("Agreement.spec.objectives.severity.SlaBudgetBurn", "SlaBudgetBurn: info", "SlaBudgetBurn: critical"),
    (
        "Agreement.spec.objectives.severity.SlaMeasurementLost",
        "SlaMeasurementLost: info",
        "SlaMeasurementLost: critical",
    ),
    ("Agreement.spec.objectives.availability.target", "target: 99%\n", "target: 98%\n"),
    (
        "Agreement.spec.objectives.availability.timeWindow.calendar",
        "timeWindow: {calendar: month}\n        calendar",
        "timeWindow: {calendar: week}\n        calendar",
    ),
    ("Agreement.spec.objectives.availability.timeWindow.rolling", "rolling: 10d", "rolling: 12d"),
    (
        "Agreement.spec.objectives.availability.calendar",
        "calendar: always\n        degraded",
        "calendar: office\n        degraded",
    ),
    (
        "Agreement.spec.objectives.availability.degradedCountsAs",
        "degradedCountsAs: down",
        "degradedCountsAs: up",
    ),
    (
        "Agreement.spec.objectives.availability.unknownCountsAs",
        "unknownCountsAs: down",
        "unknownCountsAs: up",
    ),
    ("Agreement.spec.objectives.availability.minimumOutage", "minimumOutage: 5m", "minimumOutage: 3m"),
    (
        "Agreement.spec.objectives.availability.exclusionsCountAs",
        "exclusionsCountAs: removed\n        down",
        "exclusionsCountAs: up\n        down",
    ),
    (
        "Agreement.spec.objectives.availability.downWhile.tickets.priority",
        "priority: [P2]",
        "priority: [P2, P4]",
    ),
    (
        "Agreement.spec.objectives.availability.downWhile.tickets.service",
        "service: [shop], attributes: {kind",
        "service: [api], attributes: {kind",
    ),
    (
        "Agreement.spec.objectives.availability.downWhile.tickets.attributes",
        "kind: [outage]",
        "kind: [outage, question]",
    ),
    (
        "Agreement.spec.objectives.availability.alerts.burnRates.share",
        "{share: 5%, long: 6h, short: 30m",
        "{share: 4%, long: 6h, short: 30m",
    ),
    (
        "Agreement.spec.objectives.availability.alerts.burnRates.long",
        "long: 6h, short: 30m",
        "long: 5h, short: 30m",
    ),
    ("Agreement.spec.objectives.availability.alerts.burnRates.short", "short: 30m", "short: 20m"),
    (
        "Agreement.spec.objectives.availability.alerts.burnRates.severity",
        "severity: info, step: medium",
        "severity: warning, step: medium",
    ),
    (
        "Agreement.spec.objectives.requests.alerts.burnRates.severity",
        "severity: info, step: calls",
        "severity: warning, step: calls",
    ),
    ("Agreement.spec.objectives.availability.alerts.burnRates.step", "step: medium", "step: middle"),
    ("Agreement.spec.objectives.availability.alerts.timeLeft", "timeLeft: [50%]", "timeLeft: [40%]"),
    ("Agreement.spec.objectives.availability.alerts.alertAfter", "alertAfter: 10m", "alertAfter: 3h"),
    (
        "Agreement.spec.objectives.availability.alerts.coverageBelow",
        "coverageBelow: 80%",
        "coverageBelow: 40%",
    ),
    (
        "Agreement.spec.objectives.requests.target",
        "requests: {target: 98%, timeWindow: {calendar",
        "requests: {target: 95%, timeWindow: {calendar",
    ),
    (
        "Agreement.spec.objectives.requests.timeWindow.calendar",
        "{target: 98%, timeWindow: {calendar: month}",
        "{target: 98%, timeWindow: {calendar: week}",
    ),
    ("Agreement.spec.objectives.requests.timeWindow.rolling", "rolling: 7d", "rolling: 8d"),
    (
        "Agreement.spec.objectives.requests.calendar",
        "calendar: office, exclusionsCountAs",
        "calendar: always, exclusionsCountAs",
    ),
    (
        "Agreement.spec.objectives.requests.exclusionsCountAs",
        "calendar: office, exclusionsCountAs: removed",
        "calendar: office, exclusionsCountAs: up",
    ),
    (
        "Agreement.spec.objectives.requests.alerts.burnRates.share",
        "{share: 5%, long: 6h, short: 1h",
        "{share: 40%, long: 6h, short: 1h",
    ),
    (
        "Agreement.spec.objectives.requests.alerts.burnRates.long",
        "long: 6h, short: 1h",
        "long: 4h, short: 1h",
    ),
    ("Agreement.spec.objectives.requests.alerts.burnRates.short", "short: 1h", "short: 2h"),
    ("Agreement.spec.objectives.requests.alerts.burnRates.step", "step: calls", "step: failures"),
    (
        "Agreement.spec.exclusions.reason",
        "{name: announced, reason: maintenance",
        "{name: announced, reason: agreed",
    ),
    ("Agreement.spec.exclusions.schedule.rrule", "BYDAY=TH", "BYDAY=WE"),
    ("Agreement.spec.exclusions.schedule.at", 'at: "02:00"', 'at: "01:00"'),
    ("Agreement.spec.exclusions.schedule.duration", "duration: 2h", "duration: 1h"),
    ("Agreement.spec.exclusions.services", "services: [api]}", "services: [shop]}"),
    (
        "Agreement.spec.exclusions.declared",
        ", declared: true, notice: 24h",
        ', schedule: {rrule: "FREQ=DAILY", at: "10:00", duration: 1h}',
    ),
    ("Agreement.spec.exclusions.notice", "notice: 24h", "notice: 30h"),
    ("Agreement.spec.exclusions.atMost.duration", "duration: 3h, per", "duration: 2h, per"),
    (
        "Agreement.spec.exclusions.atMost.per",
        "atMost: {duration: 3h, per: month}",
        "atMost: {duration: 3h, per: week}",
    ),
    ("Agreement.spec.remedies.fee.amount", '"1000.00"', '"1100.00"'),
    ("Agreement.spec.remedies.fee.currency", "currency: EUR", "currency: USD"),
    ("Agreement.spec.remedies.fee.per", "currency: EUR, per: month", "currency: EUR, per: quarter"),
    ("Agreement.spec.remedies.credits.objective", "{objective: time, bands", "{objective: lately, bands"),
    ("Agreement.spec.remedies.credits.bands.below", "below: 95%", "below: 98.5%"),
    ("Agreement.spec.remedies.credits.bands.credit", "credit: 10%", "credit: 12%"),
    ("Agreement.spec.remedies.credits.perMiss", "perMiss: 10%", "perMiss: 5%"),
    ("Agreement.spec.remedies.credits.cap", "cap: 25%", "cap: 15%"),
    ("Agreement.spec.remedies.credits.linear.percentPerPoint", "percentPerPoint: 4", "percentPerPoint: 1"),
    ("Agreement.spec.remedies.cap", "    cap: 50%", "    cap: 30%"),
    ("Agreement.spec.remedies.claimWithin", "claimWithin: 30d", "claimWithin: 31d"),
    ("Agreement.spec.reporting.period", "reporting: {period: month", "reporting: {period: week"),
    ("Agreement.spec.reporting.settleAfter", "settleAfter: 12h", "settleAfter: 13h"),
    ("Agreement.metadata.name", "metadata: {name: terms", "metadata: {name: contract"),
    ("Calendar.spec.timeZone", "timeZone: Europe/Berlin\n  hours", "timeZone: Europe/London\n  hours"),
    ("Calendar.spec.hours", 'fri: "08:00-16:00"', 'fri: "08:00-14:00"'),
    ("Calendar.spec.holidays.country", "country: DE, subdivision: BE", "country: FR"),
    ("Calendar.spec.holidays.subdivision", "subdivision: BE", "subdivision: BY"),
    ("Calendar.spec.holidays.except", "except: [2026-04-06]", "except: [2026-04-03, 2026-04-06]"),
    ("Calendar.spec.holidays.also", "also: [2026-03-10]", "also: [2026-03-25]"),
]

# Keys that hold others, name things within the file, or tell people what no figure depends on.
FRAME = {"apiVersion", "kind", "metadata", "spec"}
SAY_NOTHING_OF_FIGURES = {
    "Agreement.metadata.displayName",
    "Agreement.spec.services.description",
    "Agreement.spec.support.calendar",  # what lint compares the clocks with
    "Agreement.spec.exclusions.name",
    "Agreement.spec.exclusions.clause",
    "Agreement.spec.liability.indemnification",
    "Agreement.spec.liability.notes",
    "Agreement.spec.silence.rule",
    "Agreement.spec.silence.reason",
    "Agreement.spec.silence.at",
    "Calendar.metadata.name",
    "Calendar.metadata.displayName",
}
NOT_BUILT = {
    "Agreement.spec.objectives.availability.alerts.forecastAbove",
    "Agreement.spec.objectives.severity.SlaBreachForecast",
    "Agreement.spec.reporting.portal",
}


# What cannot be changed alone: an exclusion is declared or scheduled, and a country has subdivisions of its own.
ALONG = {
    "Agreement.spec.exclusions.declared": {
        "Agreement.spec.exclusions.notice",
        "Agreement.spec.exclusions.schedule.rrule",
        "Agreement.spec.exclusions.schedule.at",
        "Agreement.spec.exclusions.schedule.duration",
    },
    "Calendar.spec.holidays.country": {"Calendar.spec.holidays.subdivision"},
}


def written(terms: str) -> set[tuple[str, str, str]]:
    """Each key that holds no others: its path, where it stands, and what is written there."""
    found = set()
    for document in yaml.load_all(terms, yaml.BaseLoader):
        for at in places(document):
            value = document
            for step in at:
                value = value[step]
            holds = isinstance(value, list) and any(isinstance(one, dict) for one in value)
            if not holds and (at[-1] in FREE or not isinstance(value, dict)):
                found.add((".".join(path_of(document, at)), str(at), str(value)))
    return found


@pytest.mark.parametrize(("key", "old", "new"), CHANGES, ids=[f"{key} {new}" for key, _, new in CHANGES])
def test_nothing_but_the_option_is_changed(key: str, old: str, new: str) -> None:
    changed = {path for path, _, _ in written(TERMS) ^ written(TERMS.replace(old, new))}
    assert changed == {key} | ALONG.get(key, set())


def said(terms: str, folder: Path) -> Verdicts:
    """Everything but the digest of the terms, which differs whenever they do."""
    file = folder / "terms.yaml"
    file.write_text(terms, encoding="utf-8")
    loaded = load([file])
    assert not loaded.faults, "\n".join(map(str, loaded.faults))
    texts = {"name": "every option", "timeline": TIMELINE, "until": UNTIL}
    found = verdicts(Story("every-option", texts, terms), loaded.agreements)
    for statement in found.statements:
        del statement["terms"]
    return found


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Verdicts:
    return said(TERMS, tmp_path_factory.mktemp("base"))


@pytest.mark.parametrize(("key", "old", "new"), CHANGES, ids=[f"{key} {new}" for key, _, new in CHANGES])
def test_the_option_makes_a_difference(key: str, old: str, new: str, base: Verdicts, tmp_path: Path) -> None:
    assert TERMS.count(old) == 1, f"{key}: {old!r} stands {TERMS.count(old)} times in the terms"
    assert said(TERMS.replace(old, new), tmp_path) != base


def test_no_key_of_the_schema_is_left_out() -> None:
    keys = {".".join(path) for path in schema_keys()}
    holders = {key for key in keys if any(other.startswith(f"{key}.") for other in keys)}
    leaves = {key for key in keys - holders if key.rpartition(".")[2] not in FRAME}
    assert leaves == {key for key, _, _ in CHANGES} | SAY_NOTHING_OF_FIGURES | NOT_BUILT
