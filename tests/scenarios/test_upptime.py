"""Two recorded Upptime repositories: our downtime of each site and day against Upptime's own figure.

Upptime does not measure downtime, it reads it off its GitHub issues: an issue is opened when a check finds the site down
or degraded, and closed when one finds it up. `dailyMinutesDown` of a site is the sum over the newest 100 issues with the
site's label, over the last 365 days in UTC, of each issue's minutes within the day, each rounded to a whole minute. So its
figures differ from the history of checks in the ways of `Cause` below. The issues themselves are not in the recording: for
sixteen days nothing but issues that were not opened, or were open for another time, explains the figure, and those days are
named one by one. The 365 days are counted back from 2026-08-22: the checks end in the hour before it, and the earliest day
with a figure is 2025-08-23.
"""

import enum
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import pytest

from slamon.agreement_files import load
from slamon.codec import format_instant, parse_instant
from slamon.domain.agreement import Agreement, AvailabilityObjective, DegradedCountsAs, Service
from slamon.domain.decisions import SecondCounts
from slamon.domain.events import DAY, MINUTE, SECOND, AvailabilityEvent, ServiceStatus, order_key
from slamon.domain.intervals import FOREVER, Span, clip
from slamon.replay import judge
from tests.scenarios.converters import edition, shop_number, upptime_transitions

TERMS = Path(__file__).parent / "agreements" / "upptime.yaml"
WRITTEN_ON = parse_instant("2026-08-22T00:00:00Z") // DAY
LONGEST_LABEL = 50  # characters, at GitHub
ISSUES_READ = 100
DAYS_READ = 365
LATENCY = 2 * SECOND  # from the commit of a check to the change of its issue

LIME_COMMERCE = "LimeCommerce__upptime"
DH_BERN = "DHBern__upptime_digitaleditions"


class Cause(enum.Enum):
    """Why Upptime's minutes of a day are what they are."""

    AGREES = "within a minute of ours"
    LABEL_TOO_LONG = "the site's name is longer than GitHub allows a label to be: it never has issues"
    OLDER_THAN_A_YEAR = "the day is before the 365 that are counted"
    BEYOND_100_ISSUES = "the day is before the newest 100 issues"
    ROUNDED = "each issue is rounded to whole minutes, and lags its check by up to two seconds"
    ISSUES_MISSING = "the figure is that of some of the day's outages: the others had no issue"
    ISSUE_OFF = "an issue was open longer, or shorter, than its outage"


@dataclass(frozen=True)
class Site:
    slug: str
    since: int  # the first check
    outages: list[Span]  # down or degraded
    shown: dict[int, int]  # Upptime's minutes down by day since 1970-01-01
    uptime_of_the_year: str


def outages(
    events: Iterable[AvailabilityEvent], degraded: DegradedCountsAs = DegradedCountsAs.DOWN
) -> list[Span]:
    """Of one service: from each first event that is not up to the next that is."""
    up = {ServiceStatus.UP}
    if degraded is DegradedCountsAs.UP:
        up.add(ServiceStatus.DEGRADED)
    found: list[Span] = []
    since: int | None = None
    for event in sorted(events, key=order_key):
        if event.status not in up:
            since = event.time if since is None else since
        elif since is not None:
            found.append((since, event.time))
            since = None
    return found if since is None else [*found, (since, FOREVER)]


def sites(recordings: Path, name: str) -> list[Site]:
    """The sites of the summary; two that share a name share their history, and are one."""
    by_service: dict[str, list[AvailabilityEvent]] = defaultdict(list)
    for event in upptime_transitions(recordings / "availability" / f"{name}_transitions.csv", edition):
        by_service[event.service].append(event)
    summary = json.loads((recordings / "availability" / f"{name}_summary.json").read_text(encoding="utf-8"))
    return list(
        {
            site["slug"]: Site(
                site["slug"],
                min(event.time for event in by_service[site["slug"]]),
                outages(by_service[site["slug"]]),
                {
                    parse_instant(f"{day}T00:00:00Z") // DAY: minutes
                    for day, minutes in site["dailyMinutesDown"].items()
                },
                site["uptimeYear"],
            )
            for site in summary
        }.values()
    )


def parts_of(site: Site, day: int) -> list[int]:
    """How long each outage lasted within the day."""
    return [end - start for start, end in clip(site.outages, day * DAY, (day + 1) * DAY)]


def days_of(site: Site) -> list[int]:
    """The days with downtime by either account."""
    ours = {day for start, end in site.outages for day in range(start // DAY, (end - 1) // DAY + 1)}
    return sorted(ours | site.shown.keys())


def whole_minutes(duration: int) -> int:
    """Half a minute is rounded up, as JavaScript does."""
    return (duration + MINUTE // 2) // MINUTE


def rounded(part: int) -> range:
    """What an outage of this length can have become as an issue."""
    return range(whole_minutes(max(part - LATENCY, 0)), whole_minutes(part + LATENCY) + 1)


def sums_of_some(parts: list[int]) -> set[int]:
    """All that the issues of a day can add up to if not every outage had one."""
    sums = {0}
    for part in parts:
        sums |= {so_far + minutes for so_far in sums for minutes in rounded(part)}
    return sums


def cause(site: Site, day: int) -> Cause:
    parts = parts_of(site, day)
    shown = site.shown.get(day, 0)
    if abs(Fraction(sum(parts), MINUTE) - shown) <= 1:
        return Cause.AGREES
    if len(site.slug) > LONGEST_LABEL:
        return Cause.LABEL_TOO_LONG
    if day <= WRITTEN_ON - DAYS_READ:
        return Cause.OLDER_THAN_A_YEAR
    later = sum(start >= day * DAY for start, _ in site.outages)
    if day < min(site.shown, default=day) and later > ISSUES_READ:
        return Cause.BEYOND_100_ISSUES
    if sum(rounded(part)[0] for part in parts) <= shown <= sum(rounded(part)[-1] for part in parts):
        return Cause.ROUNDED
    return Cause.ISSUES_MISSING if shown in sums_of_some(parts) else Cause.ISSUE_OFF


def days_by_cause(sites: list[Site]) -> Counter[Cause]:
    return Counter(cause(site, day) for site in sites for day in days_of(site))


def test_lime_commerces_minutes_down_are_ours_or_differ_for_a_known_cause(recordings: Path) -> None:
    found = days_by_cause(sites(recordings, LIME_COMMERCE))
    assert found == {
        Cause.AGREES: 193,
        Cause.OLDER_THAN_A_YEAR: 85,
        Cause.BEYOND_100_ISSUES: 14,
        Cause.ROUNDED: 17,
        Cause.ISSUES_MISSING: 5,
        Cause.ISSUE_OFF: 6,
    }
    assert found.total() == 320


def test_dh_berns_minutes_down_are_ours_or_differ_for_a_known_cause(recordings: Path) -> None:
    found = days_by_cause(sites(recordings, DH_BERN))
    assert found == {
        Cause.AGREES: 92,
        Cause.LABEL_TOO_LONG: 185,
        Cause.ISSUES_MISSING: 3,
        Cause.ISSUE_OFF: 2,
    }
    assert found.total() == 282


def test_the_days_on_which_the_issues_were_not_those_of_the_checks_are_these(recordings: Path) -> None:
    """What happened to the issues is not recorded: for two causes the days are named, with Upptime's minutes and ours."""
    found = {
        (site.slug, format_instant(day * DAY)[:10]): (
            site.shown.get(day, 0),
            whole_minutes(sum(parts_of(site, day))),
        )
        for name in (LIME_COMMERCE, DH_BERN)
        for site in sites(recordings, name)
        for day in days_of(site)
        if cause(site, day) in (Cause.ISSUES_MISSING, Cause.ISSUE_OFF)
    }
    assert found == {
        ("19836-cnf", "2025-11-18"): (151, 155),
        ("26981-nihon", "2026-05-16"): (2, 6),
        ("26981-nihon", "2026-08-16"): (0, 4),
        ("38492-yamada-best", "2025-10-30"): (1, 4),
        ("54027-rodalink", "2025-09-13"): (8, 10),
        ("54027-rodalink", "2026-04-10"): (41, 60),
        ("67394-yeva", "2026-01-11"): (5, 9),
        ("71530-jade", "2025-09-01"): (14, 12),
        ("71530-jade", "2026-08-17"): (0, 16),
        ("86723-coral-island", "2026-01-11"): (240, 169),
        ("86723-coral-island", "2026-02-19"): (384, 401),
        ("parzival-redirect-to-parzival-digitaleditions-ch", "2026-06-13"): (104, 113),
        ("parzival-redirect-to-parzival-unibe-ch", "2026-03-15"): (253, 0),  # one issue, open until
        ("parzival-redirect-to-parzival-unibe-ch", "2026-03-16"): (1364, 0),  # the next evening
        ("rd-l-haller-net-data", "2026-02-28"): (17, 28),
        ("rd-l-republique-des-lettres-codi-md", "2026-02-28"): (17, 28),
    }


def test_no_site_with_a_name_too_long_for_a_label_has_minutes_down_at_upptime(recordings: Path) -> None:
    down = [site for site in sites(recordings, DH_BERN) if site.outages]
    long = [site for site in down if len(site.slug) > LONGEST_LABEL]
    assert len(long) == 20
    assert not any(site.shown for site in long)
    assert all(site.shown for site in down if site not in long)


def test_where_the_minutes_agree_the_uptime_of_the_year_does_to_the_last_digit(recordings: Path) -> None:
    by_the_rules = {Cause.AGREES, Cause.ROUNDED, Cause.OLDER_THAN_A_YEAR}
    now = WRITTEN_ON * DAY
    agreeing = 0
    for name in (LIME_COMMERCE, DH_BERN):
        for site in sites(recordings, name):
            if {cause(site, day) for day in days_of(site)} <= by_the_rules:
                begin = max(now - DAYS_READ * DAY, site.since)
                down = sum(end - start for start, end in clip(site.outages, begin, now))
                assert f"{100 * (1 - down / (now - begin)):.2f}%" == site.uptime_of_the_year, site.slug
                agreeing += 1
    assert agreeing == 19


# ------------------------------------------------------------------------------------------------- the monitor's figures


def for_site(terms: Agreement, customer: str, service: str) -> Agreement:
    return replace(
        terms,
        name=f"{terms.name} {service}",  # a customer may have several sites
        customer=customer,
        services=(Service(service),),
        objectives=tuple(
            replace(objective, service=service)
            for objective in terms.objectives
            if isinstance(objective, AvailabilityObjective)
        ),
    )


def expected_seconds(
    events: list[AvailabilityEvent], objective: AvailabilityObjective, span: Span
) -> SecondCounts:
    """By arithmetic on the outages; from the first event on everything is known."""
    counted = [
        (start, end)
        for start, end in outages(events, objective.degraded_counts_as)
        if end - start >= objective.minimum_outage
    ]
    first = min(event.time for event in events)
    applicable = span[1] - span[0]
    unknown = min(max(first - span[0], 0), applicable)
    return SecondCounts(
        applicable=applicable,
        known=applicable - unknown,
        down=sum(end - start for start, end in clip(counted, *span)),
        unknown=unknown,
        excluded=0,
    )


@pytest.mark.parametrize(
    ("name", "terms", "customer_of", "statements"),
    [
        (
            LIME_COMMERCE,
            "hosting",
            shop_number,
            19 * (15 + 5 + 2),
        ),  # sites, months, quarters, running periods
        (DH_BERN, "edition", edition, 51 * (7 + 1)),
    ],
)
def test_statements_and_standings_have_the_downtime_of_interval_arithmetic(
    recordings: Path, name: str, terms: str, customer_of: Callable[[str], str | None], statements: int
) -> None:
    events: dict[str, list[AvailabilityEvent]] = defaultdict(list)
    recorded = list(upptime_transitions(recordings / "availability" / f"{name}_transitions.csv", customer_of))
    for event in recorded:
        events[event.service].append(event)
    [written] = [agreement for agreement in load([TERMS]).agreements if agreement.name == terms]
    agreements = [
        for_site(written, customer, service)
        for service in events
        if (customer := customer_of(service)) is not None
    ]
    monitor = judge(agreements, recorded, WRITTEN_ON * DAY)
    objectives = {
        (agreement.name, objective.name): objective
        for agreement in agreements
        for objective in agreement.objectives
        if isinstance(objective, AvailabilityObjective)
    }
    judged = 0
    for statement in monitor.statements():
        objective = objectives[statement.agreement, statement.objective]
        span = statement.start, statement.end
        assert statement.seconds == expected_seconds(events[objective.service], objective, span)
        judged += 1
    for standing in monitor.standings():
        objective = objectives[standing.agreement, standing.objective]
        span = standing.period[0], standing.at
        assert standing.seconds == expected_seconds(events[objective.service], objective, span)
        judged += 1
    assert judged == statements


def test_a_site_without_a_customer_is_measured_for_everybody_who_has_it_in_an_agreement(
    recordings: Path,
) -> None:
    shared = "rodalink-staging"
    recorded = [
        event
        for event in upptime_transitions(
            recordings / "availability" / f"{LIME_COMMERCE}_transitions.csv", shop_number
        )
        if event.service == shared
    ]
    assert {event.customer for event in recorded} == {None}
    [written] = [agreement for agreement in load([TERMS]).agreements if agreement.name == "hosting"]
    customers = ("27654", "19836")
    agreements = [for_site(written, customer, shared) for customer in customers]
    monitor = judge(agreements, recorded, WRITTEN_ON * DAY)
    seen: dict[str, list[SecondCounts | None]] = defaultdict(list)
    for statement in monitor.statements():
        seen[statement.customer].append(statement.seconds)
    assert seen.keys() == set(customers)
    assert seen[customers[0]] == seen[customers[1]]
    assert any(seconds is not None and seconds.down for seconds in seen[customers[0]])
