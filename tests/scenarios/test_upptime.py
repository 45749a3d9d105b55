"""Two recorded Upptime repositories: our downtime of each site and day against Upptime's own figure.

Upptime does not measure downtime, it reads it off its GitHub issues: an issue is opened when a check finds the site down
or degraded, and closed when one finds it up. `dailyMinutesDown` of a site is the sum over the newest 100 issues with the
site's label, over the last 365 days in UTC, of each issue's minutes within the day, each rounded to a whole minute. So the
figures differ from the history of checks in known ways, `Cause` below, and in no other; the 365 days are counted back from
2026-08-22, when both summaries were written.
"""

import enum
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path

import pytest

from slamon.agreement_files import load
from slamon.codec import format_instant, parse_instant
from slamon.domain.agreement import Agreement, AvailabilityObjective, Service
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
    LABEL_TOO_LONG = "the site's name is no valid label at GitHub: it never has issues"
    OLDER_THAN_A_YEAR = "the day is before the 365 that are counted"
    BEYOND_100_ISSUES = "the day is before the newest 100 issues"
    ROUNDED = "each issue is rounded to whole minutes, and lags its check by up to two seconds"
    ISSUES_MISSING = "the figure is that of some of the day's outages: the others had no issue"
    ISSUE_OFF = "an issue was open longer, or shorter, than its outage"


@dataclass(frozen=True)
class Site:
    slug: str
    outages: list[Span]  # down or degraded
    shown: dict[int, int]  # Upptime's minutes down by day since 1970-01-01


def outages(events: Iterable[AvailabilityEvent]) -> list[Span]:
    """Of one service: from each first event that is not up to the next that is."""
    found: list[Span] = []
    since: int | None = None
    for event in sorted(events, key=order_key):
        if event.status is not ServiceStatus.UP:
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
                outages(by_service[site["slug"]]),
                {
                    parse_instant(f"{day}T00:00:00Z") // DAY: minutes
                    for day, minutes in site["dailyMinutesDown"].items()
                },
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


def told(day: int) -> str:
    return format_instant(day * DAY)[:10]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            LIME_COMMERCE,
            {
                Cause.AGREES: 193,
                Cause.OLDER_THAN_A_YEAR: 85,
                Cause.BEYOND_100_ISSUES: 14,
                Cause.ROUNDED: 18,
                Cause.ISSUES_MISSING: 6,
                Cause.ISSUE_OFF: 4,
            },
        ),
        (
            DH_BERN,
            {
                Cause.AGREES: 92,
                Cause.LABEL_TOO_LONG: 185,
                Cause.ISSUES_MISSING: 3,
                Cause.ISSUE_OFF: 2,
            },
        ),
    ],
)
def test_every_difference_from_upptimes_own_minutes_has_a_cause(
    recordings: Path, name: str, expected: dict[Cause, int]
) -> None:
    found = Counter(cause(site, day) for site in sites(recordings, name) for day in days_of(site))
    for site in sites(recordings, name):
        for day in days_of(site):
            c = cause(site, day)
            if c in (Cause.ISSUES_MISSING, Cause.ISSUE_OFF):
                print(c, site.slug, told(day), [p / MINUTE for p in parts_of(site, day)], site.shown.get(day))
    assert found == expected
