"""What is wrong with what runs: the group, how far each task has come, what its inputs hold, and by which clocks."""

from collections.abc import Callable, Iterable, Iterator

from slamon.codec import format_instant
from slamon.doctor.findings import Finding, Group, counted, error, ok, warning
from slamon.domain.events import DAY, HOUR, MINUTE, SECOND
from slamon.kafka.cluster import DENIED, Cluster
from slamon.kafka.inspection import Logs
from slamon.kafka.rewriting import FLOOR, TIMES
from slamon.settings import Settings

BEHIND = MINUTE  # a task whose clock trails by more works on a backlog, or stands
STANDING = 5 * MINUTE
CLOCKS_APART = 2 * SECOND  # more than a slow commit takes
CLOCKS_WRONG = 10 * MINUTE
MISPLACED_ENOUGH = 10  # events with a customer, from which on another partitioner is not chance


def group(seen: Cluster, logs: Logs, settings: Settings, now: int) -> Iterator[Finding]:
    del logs, now
    name = settings.application_id
    state, members = seen.group.state, seen.group.members
    if seen.group.error is not None:
        if seen.group.error not in DENIED:  # that is told under rights
            yield warning(f"the group {name} cannot be seen: {seen.group.error}", "look again in a minute")
        return
    if not members:
        yield warning(f"no slamon runs as the group {name}", "start it: `slamon run --config FILE`")
    elif state != "Stable":
        yield warning(
            f"the group {name} is in {state}: tasks are changing hands",
            "look again in a minute; if it stays so, a process joins and leaves again and again: see its log",
        )
    else:
        yield ok(f"{counted(len(members), 'process', 'processes')} in the group {name}")


def progress(seen: Cluster, logs: Logs, settings: Settings, now: int) -> Iterator[Finding]:
    """How far behind each task's clock is."""
    changelog = seen.topics.get(settings.kafka.topics.changelog)
    begun = [
        number
        for number in range(len(changelog.partitions) if changelog is not None else 0)
        if number in logs.positions
    ]
    if not begun:
        return
    none = [number for number in range(len(changelog.partitions) if changelog else 0) if number not in begun]
    for number in none:
        yield warning(
            f"task {number} has recorded no position, the others have",
            "see the log of the process that has it: does its restore come to an end?",
        )
    late = 0
    for number, positions in sorted(logs.positions.items()):
        behind = now - positions.now
        lag = sum(
            max(0, bounds.end - positions.inputs.get(tp.topic, 0))
            for tp, bounds in logs.bounds.items()
            if tp.partition == number and tp.topic in positions.inputs
        )
        if behind <= BEHIND or not seen.group.members:
            continue
        late += 1
        what = f"task {number} has judged up to {_instant(positions.now)}, {_span(behind)} ago; {counted(lag, 'record')} to read"
        if behind > STANDING:
            yield error(what, "see the log of the process that has it; restart it if it says nothing")
        else:
            yield warning(what, "wait if it catches up; if it does not, more processes share the tasks")
    if not late and seen.group.members:
        yield ok(f"{counted(len(begun), 'task')} judge by the minute")


def lengths(seen: Cluster, logs: Logs, settings: Settings, now: int) -> Iterator[Finding]:
    """What a restore will meet; known only if the whole changelog was read."""
    del seen, now
    name = settings.kafka.topics.changelog
    for number, length in sorted(logs.lengths.items()):
        if length.unreadable is not None:
            what, _, help_text = length.unreadable.partition(": ")
            yield error(f"task {number} cannot be restored: {what}", help_text)
        elif length.records > 2 * TIMES * length.standing + FLOOR:
            yield warning(
                f"the changelog of task {number} holds {length.records:,} records, {length.standing:,} of which stand: a "
                "restore reads them all",
                f"a task rewrites it by itself: may it Delete {name}, and what does its log say?",
            )
    if logs.lengths:
        records = sum(length.records for length in logs.lengths.values())
        standing = sum(length.standing for length in logs.lengths.values())
        yield ok(f"{name} holds {counted(records, 'record')}, {standing:,} of which stand")


def gaps(seen: Cluster, logs: Logs, settings: Settings, now: int) -> Iterator[Finding]:
    """What is gone of the inputs, or soon will be, before it was read."""
    for tp, bounds in sorted(logs.bounds.items()):
        positions = logs.positions.get(tp.partition)
        position = positions.inputs.get(tp.topic) if positions is not None else None
        if position is None:
            continue
        where = f"{tp.topic}/{tp.partition}"
        if position < bounds.first:
            yield error(
                f"{where}: {counted(bounds.first - position, 'record')} gone before they were read",
                f"publish them again from their source; keep {tp.topic} for longer (retention.ms)",
            )
        elif position > bounds.end:
            yield error(
                f"{where} ends at {bounds.end}, before what was read of it ({position}): it was made anew, or cut back",
                "nothing if that was meant: the task begins with what is there; else bring it back",
            )
        topic = seen.topics.get(tp.topic)
        kept = int((topic.settings or {}).get("retention.ms") or -1) * 1000 if topic is not None else -1
        unread = logs.oldest_unread.get(tp)
        if unread is not None and kept > 0 and now - unread > kept // 2:
            yield warning(
                f"{where}: the next record to read is {_span(now - unread)} old, and is kept for {_span(kept)}",
                f"let slamon run, or raise retention.ms of {tp.topic}",
            )
    del settings
    for number, positions in sorted(logs.positions.items()):
        for gap in positions.gaps:
            if now - gap.seen_at < DAY:
                yield error(
                    f"{gap.topic}/{number}: {counted(gap.end - gap.start, 'record')} from offset {gap.start} on were gone "
                    f"before they were read (seen {_instant(gap.seen_at)}); that time is unknown now",
                    f"publish them again from their source; keep {gap.topic} for longer (retention.ms)",
                )


def newest_records(seen: Cluster, logs: Logs, settings: Settings, now: int) -> Iterator[Finding]:
    """Whether what comes in can be used."""
    del seen, now
    for topic, sample in logs.samples.items():
        if not sample.records:
            yield ok(f"{topic} is empty")
            continue
        chosen = settings.kafka.partitioner
        others = [kind for kind, count in sample.misplaced.items() if kind != chosen]
        better = [
            kind
            for kind in {"murmur2", "crc32"} - {chosen}
            if kind not in others and sample.with_customer >= MISPLACED_ENOUGH
        ]
        misplaced = sample.misplaced.get(chosen, 0)
        if misplaced and better:
            yield error(
                f"{topic}: {misplaced} of the newest {counted(sample.with_customer, 'event')} with a customer lie in another "
                f"partition than {chosen} says, and none than {better[0]} does",
                f"set kafka.partitioner: {better[0]}, then `slamon dead-letters retry --reason wrong_partition`",
            )
        rejected = {
            reason: count
            for reason, count in sample.rejected.items()
            if not (reason == "wrong_partition" and better)
        }
        if rejected:
            total = sum(rejected.values())
            reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(rejected.items()))
            example = sample.examples[max(rejected, key=lambda reason: rejected[reason])]
            say = error if total * 2 >= sample.records else warning
            yield say(
                f"{topic}: {total} of the newest {counted(sample.records, 'record')} cannot be used: {reasons}",
                f"mend their source; {example}",
            )
        elif not (misplaced and better):
            yield ok(f"{topic}: the newest {counted(sample.records, 'record')} can be used")


def unread(seen: Cluster, logs: Logs, settings: Settings, now: int) -> Iterator[Finding]:
    del seen, settings, now
    for why in logs.unread:
        yield error(why, "see brokers, topics and rights")


def clocks(seen: Cluster, logs: Logs, settings: Settings, now: int) -> Iterator[Finding]:
    del seen, settings
    apart = {
        number: min((commit.ended - commit.written for commit in commits), key=lambda each: max(each, -each))
        for number, commits in logs.commits.items()
        if commits
    }
    for number, difference in sorted(apart.items()):
        if -CLOCKS_APART < difference < CLOCKS_APART:
            continue
        side = "behind" if difference > 0 else "ahead of"
        what = (
            f"the clock of the process that has task {number} is {_span(abs(difference))} {side} its broker's"
        )
        say = error if abs(difference) > CLOCKS_WRONG else warning
        yield say(what, "let both follow a time server (NTP): instants of alerts and limits depend on it")
    newest = max((commits[-1].ended for commits in logs.commits.values() if commits), default=None)
    if newest is not None and newest - now > CLOCKS_APART:
        yield warning(
            f"this machine's clock is at least {_span(newest - now)} behind the brokers'",
            "let it follow a time server (NTP)",
        )
    if apart and all(abs(difference) < CLOCKS_APART for difference in apart.values()):
        yield ok(f"those of processes and brokers agree, by the commits of {counted(len(apart), 'task')}")


# ------------------------------------------------------------------------------------------------------------------ table

Check = Callable[[Cluster, Logs, Settings, int], Iterable[Finding]]

CHECKS: tuple[tuple[Group, Check, str], ...] = (
    (Group.TASKS, group, ""),
    (Group.TASKS, progress, ""),
    (Group.TASKS, lengths, ""),
    (Group.INPUTS, unread, ""),
    (Group.INPUTS, gaps, "nothing was lost before it was read"),
    (Group.INPUTS, newest_records, ""),
    (Group.CLOCKS, clocks, "nothing was committed yet that would show them"),
)  # fmt: skip


def _instant(at: int) -> str:
    return f"{format_instant(at)[:19]}Z"


def _span(duration: int) -> str:
    for unit, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s")):
        if duration >= 2 * unit or unit == SECOND:
            return f"{duration // unit} {name}"
    raise AssertionError
