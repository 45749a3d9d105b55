"""Looks at everything once, and lets the checks judge it. What cannot be looked at is a finding, and the rest goes on."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

from slamon.doctor import brokers_and_topics, surroundings, tasks_and_inputs
from slamon.doctor.findings import Finding, Group, error, ok
from slamon.domain.events import DAY
from slamon.kafka import clients, inspection, topics
from slamon.kafka.cluster import Cluster
from slamon.kafka.dead_letter_box import Box, Wanted
from slamon.kafka.topics import Refused
from slamon.outputs.door import knock
from slamon.settings import Settings

WAYS_IN = "mend kafka.bootstrap_servers or kafka.security"

Found = list[tuple[Group, Finding]]


async def examined(settings: Settings, config: Path, now: int, *, thorough: bool = False) -> Found:
    """`config`: the file of the settings, for commands that are told. `now`: the wall clock in microseconds.

    `thorough`: read the whole changelog too.
    """
    found = await _kafka(settings, config, now, thorough=thorough)
    found += [(Group.AGREEMENTS, one) for one in await asyncio.to_thread(_listed, settings)]
    knocks = await asyncio.gather(*(knock(one) for one in settings.notifier.alertmanagers))
    found += [
        (Group.ALERTMANAGERS, one)
        for one in surroundings.alertmanagers(knocks, len(settings.notifier.receivers))
    ]
    return found


def _listed(settings: Settings) -> list[Finding]:
    return list(surroundings.agreements(settings))


async def _kafka(settings: Settings, config: Path, now: int, *, thorough: bool) -> Found:
    names = list(topics.wanted(settings.kafka))
    try:
        seen = await topics.all_about(settings.kafka, names, settings.application_id)
    except (
        clients.Unreachable,
        OSError,
    ) as fault:  # the latter: a file that kafka.security names is of no use
        what, _, help_text = str(fault).partition(": ")
        return [(Group.BROKERS, error(what, help_text or WAYS_IN))]
    except Refused as fault:
        return [(Group.BROKERS, error(str(fault), "see their logs"))]
    # Of topics that are not there it would be idle to say that all is well with them.
    whole = all(name in seen.topics and seen.topics[name].error is None for name in names)
    found: Found = []
    for group, check, fine in brokers_and_topics.CHECKS:
        found += _told(group, check(seen, settings), fine if group is Group.BROKERS or whole else "")
    found += await _tasks(seen, settings, now, thorough=thorough, whole=whole)
    if _readable(seen, settings.kafka.topics.dead_letters):
        found += await _dead_letters(settings, config, now)
    return found


async def _tasks(seen: Cluster, settings: Settings, now: int, *, thorough: bool, whole: bool) -> Found:
    try:
        logs = await inspection.inspect(seen, settings.kafka, now, thorough=thorough)
    except (Refused, clients.Unreachable) as fault:
        return [(Group.TASKS, error(str(fault), "see brokers, topics and rights"))]
    found: Found = []
    for group, check, fine in tasks_and_inputs.CHECKS:
        found += _told(group, check(seen, logs, settings, now), fine if whole else "")
    return found


async def _dead_letters(settings: Settings, config: Path, now: int) -> Found:
    try:
        async with Box(settings.kafka, Wanted(since=now - DAY)) as box:
            listed = await box.list(0, handled=False)
    except (Refused, clients.Unreachable) as fault:
        return [(Group.DEAD_LETTERS, error(str(fault), "see brokers, topics and rights"))]
    return [(Group.DEAD_LETTERS, one) for one in surroundings.dead_letters(listed, config)]


def _readable(seen: Cluster, name: str) -> bool:
    """A daemon need not read it, so who may not is spared the question."""
    topic = seen.topics.get(name)
    return topic is not None and topic.error is None and (topic.rights is None or "Read" in topic.rights)


def _told(group: Group, findings: Iterable[Finding], fine: str) -> Found:
    found = [(group, one) for one in findings]
    return found or ([(group, ok(fine))] if fine else [])
