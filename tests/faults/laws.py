"""What must hold when everything is healed: each law over what the topics hold, what receivers heard, and how pods ended."""

import signal
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import orjson

from slamon.codec import format_instant, parse_instant
from slamon.domain.decisions import AlertTransition, FactKind, Facts
from slamon.domain.events import SECOND, Event, ExclusionEvent, Taken, TicketEvent
from slamon.domain.monitor import STANDING_EVERY, Monitor
from slamon.records import clock_record, standing_record, statement_record
from tests.faults.cluster import GRACE, REQUEST_TIMEOUT, SESSION
from tests.faults.evidence import Evidence
from tests.faults.history import Alert, Commit, open_alerts
from tests.faults.receiver import Heard

RETENTION = 900 * SECOND  # for which a resolved alert is told, by default
TOLD_WITHIN = (
    30 * SECOND
)  # by an owner that lives: the longest silence of receivers, and a pause between two attempts


@dataclass
class Finding:
    """What a law looked at so many times, and where it did not hold."""

    checked: int = 0
    violations: list[str] = field(default_factory=list)

    def expect(self, holds: object, otherwise: str) -> None:
        self.checked += 1
        if not holds:
            self.violations.append(otherwise)

    def expect_equal(self, found: Iterable[Any], expected: Iterable[Any], what: str) -> None:
        """As multisets."""
        ours, theirs = Counter(list(found)), Counter(list(expected))
        self.checked += theirs.total()
        self.violations += [
            f"{what}, missing {count} times: {one!r}" for one, count in (theirs - ours).items()
        ]
        self.violations += [f"{what}, too many by {count}: {one!r}" for one, count in (ours - theirs).items()]


# What came in ---------------------------------------------------------------------------------------------------------


def everything_comes_to_rest(evidence: Evidence, finding: Finding) -> None:
    finding.expect(not evidence.unsettled, evidence.unsettled)


def everything_was_read(evidence: Evidence, finding: Finding) -> None:
    for topic in (evidence.names.tickets, evidence.names.availability):
        for partition, records in evidence.topics[topic].items():
            positions = evidence.tasks[partition].positions
            end = records[-1].offset + 1 if records else 0
            finding.expect(
                positions.inputs[topic] == end,
                f"{topic}/{partition}: read to {positions.inputs[topic]} of {end}",
            )
            finding.expect(not positions.gaps, f"task {partition} has gaps: {positions.gaps}")


def dead_letters_are_what_is_no_event_each_once(evidence: Evidence, finding: Finding) -> None:
    letters = (
        letter for records in evidence.topics[evidence.names.dead_letters].values() for letter in records
    )
    found = []
    for letter in letters:
        why = {name.rpartition("errors.")[2]: value.decode() for name, value in letter.headers}
        place = why["topic"], int(why["partition"]), int(why["offset"])
        found.append((*place, why["exception.class.name"], letter.key, letter.value))
    expected = [
        (record.topic, record.partition, record.offset, reason.value, record.key, record.value)
        for record, _, reason in evidence.inputs
        if reason is not None
    ]
    finding.expect_equal(found, expected, "dead letters")


def facts_are_the_accepted_events(evidence: Evidence, finding: Finding) -> None:
    """Of one identity the first; of what an agreement speaks of."""
    expected: dict[tuple[object, ...], Event] = {}
    asked = {partition: evidence.monitor(partition, durable=False) for partition in evidence.tasks}
    for record, event, _ in evidence.inputs:
        if event is None or asked[record.partition].apply(event) is Taken.UNMATCHED:
            continue
        identity = (record.partition, type(event), event.customer, _subject(event), event.id)
        expected.setdefault(identity, event)
    kept = [
        (partition, event)
        for partition, task in evidence.tasks.items()
        for _, facts in task.facts()
        for event in _events(facts)
    ]
    finding.expect_equal(
        [(partition, str(event)) for partition, event in kept],
        [(partition, str(event)) for (partition, *_), event in expected.items()],
        "facts",
    )


def _subject(event: Event) -> str:
    if isinstance(event, TicketEvent):
        return event.ticket
    return event.exclusion if isinstance(event, ExclusionEvent) else event.service


def _events(facts: Facts) -> tuple[Event, ...]:
    return (
        *(facts.tickets or ()),
        *(facts.services or ()),
        *(facts.requests or ()),
        *(facts.exclusions or ()),
    )


# What follows from it -------------------------------------------------------------------------------------------------


def clocks_and_standings_are_those_of_a_replay(evidence: Evidence, finding: Finding) -> None:
    monitors = evidence.derived.values()
    clocks = [clock_record(record) for monitor in monitors for record in monitor.clocks()]
    standings = [standing_record(standing) for monitor in monitors for standing in monitor.standings()]
    finding.expect_equal(clocks, evidence.replayed_lines("clocks"), "clocks")
    finding.expect_equal(standings, evidence.replayed_lines("standings"), "standings")


def newest_statements_are_those_of_a_replay(evidence: Evidence, finding: Finding) -> None:
    """But for the number of the revision: how often something was said anew depends on when it was known."""
    ours = [
        orjson.loads(statement_record(statement))
        for monitor in evidence.derived.values()
        for statement in monitor.statements()
    ]
    replayed = [orjson.loads(line) for line in evidence.replayed_lines("statements")]
    newest = {_period_of(one): one for one in replayed}  # revisions come in order
    finding.expect_equal(
        map(_without_revision, ours), map(_without_revision, newest.values()), "newest statements"
    )


def _period_of(statement: Mapping[str, Any]) -> tuple[str, ...]:
    period = statement["period"]
    return (
        *(statement[name] for name in ("customer", "agreement", "objective")),
        period["from"],
        period["to"],
    )


def _without_revision(statement: Mapping[str, Any]) -> bytes:
    return orjson.dumps({name: value for name, value in statement.items() if name != "revision"})


def statements_topic_holds_every_revision_up_to_the_newest(evidence: Evidence, finding: Finding) -> None:
    said: dict[tuple[str, ...], dict[int, bytes]] = defaultdict(dict)
    for records in evidence.topics[evidence.names.statements].values():
        for record in records:
            one = orjson.loads(record.value)
            revisions = said[_period_of(one)]
            before = revisions.setdefault(one["revision"], record.value)
            finding.expect(
                before == record.value, f"one revision was said in two ways: {before!r}, {record.value!r}"
            )
    for partition, task in evidence.tasks.items():
        for key, facts in task.facts():
            if facts.statement is not None:
                newest = statement_record(facts.statement, history=True)
                revisions = said.pop(_period_of(orjson.loads(newest)), {})
                finding.expect(
                    sorted(revisions) == list(range(1, facts.statement.revision + 1))
                    and revisions[facts.statement.revision] == newest,
                    f"task {partition}, {key}: the topic has {sorted(revisions)}, the state {newest!r}",
                )
    finding.expect(not said, f"the topic knows statements that the state does not: {list(said)[:5]}")


def standings_topic_holds_how_objectives_stand(evidence: Evidence, finding: Finding) -> None:
    """In what is written at once; the other figures may be a minute old, and so may all of a window that rolls: what leaves
    it by time alone is not told at once.
    """
    for partition, task in evidence.tasks.items():
        newest = {
            record.key.decode(): orjson.loads(record.value)
            for record in evidence.topics[evidence.names.standings][partition]
        }
        now = task.positions.now
        monitor = evidence.restored(partition)
        monitor.advance(now)
        for standing in monitor.standings():
            derived = orjson.loads(standing_record(standing))
            told = newest.get(f"{standing.customer}/{standing.agreement}/{standing.objective}", {})
            rolls = standing.period[1] == now
            if rolls and told and now - parse_instant(told["at"]) < STANDING_EVERY:
                finding.checked += 1
                continue
            for member in ("standing", "tickets", "exhausted_at", *(() if rolls else ("period",))):
                finding.expect(
                    told.get(member) == derived[member],
                    f"{standing.customer} {standing.objective}: {member} is told as {told.get(member)}, "
                    f"at {told.get('at')}, and is {derived[member]}",
                )


# Alerts ---------------------------------------------------------------------------------------------------------------


def numbers_have_no_gap_and_are_those_of_the_state(evidence: Evidence, finding: Finding) -> None:
    for partition, alerts in evidence.alerts.items():
        positions = evidence.tasks[partition].positions
        missing = sorted(set(range(1, positions.number + 1)) - alerts.keys())
        finding.checked += positions.number
        finding.expect(not missing, f"partition {partition} lacks the numbers {missing[:5]}")
        beyond = [number for number in alerts if number > positions.number]
        finding.expect(not beyond, f"partition {partition}: the state does not know the numbers {beyond[:5]}")


def each_alert_fires_and_resolves_in_turn_and_counts_its_episodes(
    evidence: Evidence, finding: Finding
) -> None:
    for partition, alerts in evidence.alerts.items():
        newest: dict[str, tuple[int, str]] = {}
        for alert in alerts.values():
            episode, transition = newest.get(alert.id, (0, "resolved"))
            follows = (episode + 1, "fired") if transition == "resolved" else (episode, "resolved")
            now = newest[alert.id] = alert.episode, alert.transition
            finding.expect(
                now == follows, f"partition {partition}: {now} follows {episode, transition}: {alert.said}"
            )


def what_is_open_is_what_a_replay_has_open(evidence: Evidence, finding: Finding) -> None:
    replayed = open_alerts(
        Alert(said["id"], 0, said["episode"], said["transition"], said)
        for said in map(orjson.loads, evidence.replayed_lines("alerts"))
    )
    derived = {firing.id for monitor in evidence.derived.values() for firing in monitor.firing()}
    finding.expect_equal(derived, replayed, "open at T")
    for partition, alerts in evidence.alerts.items():
        told = open_alerts(alerts.values())
        behind = evidence.tasks[partition].positions.delay.firing  # no fact, so no replay knows it
        state = {
            firing.id for firing in (*evidence.restored(partition).firing(), *([behind] if behind else []))
        }
        finding.expect_equal(told, state, f"open in partition {partition}")


def every_breach_was_announced(evidence: Evidence, finding: Finding) -> None:
    told = {
        tuple(alert.said["labels"].get(name) for name in ("customer", "agreement", "objective", "ticket"))
        for alerts in evidence.alerts.values()
        for alert in alerts.values()
        if alert.said["labels"]["alertname"] == "SlaTicketBreached"
    }
    for partition, monitor in evidence.derived.items():
        now = evidence.tasks[partition].positions.now
        for record in monitor.clocks():
            if record.breached_at is not None and record.breached_at < now:
                which = (record.customer, record.agreement, record.objective, record.ticket)
                finding.expect(which in told, f"nobody was told that {which} was breached")


def no_alert_was_untrue_of_the_facts_committed_with_it(evidence: Evidence, finding: Finding) -> None:
    """A judge follows the changelog, commit by commit, and says what should fire.

    What a task has read but not judged yet may be committed too; it is judged when the task's clock moves next. So an
    alert is true if it should fire before the commit's facts, or after them, or was over in between, or after as many of
    the inputs as had come when it was judged. And what is open but should not be, or the other way round, must not stay so
    until the clock has moved again.
    """
    for partition, task in evidence.tasks.items():
        judge = evidence.monitor(partition, durable=False)
        judge.start(0)
        now, open_, differed = 0, set[str](), set[str]()
        for commit in task.commits:
            moved = commit.positions.now > now
            now = commit.positions.now
            fired = {
                number: one
                for number, one in commit.decided.items()
                if one.transition.value == "fired" and "customer" in one.labels
            }
            before = _should_fire(judge, now) if moved and fired else set()
            for _, facts in commit.facts:
                for event in _events(facts):
                    judge.apply(event)
            open_ = _open_after(commit, open_)
            if not moved:
                continue
            after = _should_fire(judge, now)
            resolved = {one.id for one in commit.decided.values() if one.transition.value == "resolved"}
            for number, one in fired.items():
                true = one.id in before | after or (
                    _knows(judge, one.labels)
                    and (one.id in resolved or _was_true_of_what_had_come(evidence, partition, commit, one))
                )
                finding.expect(true, f"partition {partition}, number {number} was untrue at {now}: {one}")
            differs = open_ ^ after
            for id_ in differs & differed:
                finding.expect(False, f"partition {partition}, {id_}: open is {id_ in open_} at {now}")
            differed = differs


def _knows(judge: Monitor, labels: Mapping[str, str]) -> bool:
    """Whether it has facts of what the alert is about."""
    return "ticket" not in labels or labels["ticket"] in judge.customers[labels["customer"]].tickets


def _was_true_of_what_had_come(
    evidence: Evidence, partition: int, commit: Commit, alert: AlertTransition
) -> bool:
    """Whether it should fire after some part of what the commit has read of its subject, in the order in which it came."""
    monitor = evidence.monitor(partition, durable=False)
    monitor.start(0)
    for record, event, _ in evidence.inputs:
        if event is None or record.partition != partition:
            continue
        about_it = event.customer in (None, alert.labels["customer"]) and (
            "ticket" not in alert.labels
            or (isinstance(event, TicketEvent) and event.ticket == alert.labels["ticket"])
        )
        if about_it and record.offset < commit.positions.inputs[record.topic]:
            monitor.apply(event)
            if alert.id in _should_fire(monitor, alert.detected_at):
                return True
    return False


def _should_fire(judge: Monitor, now: int) -> set[str]:
    judge.advance(now)
    judge.drain()
    return {firing.id for firing in judge.firing()}


def _open_after(commit: Commit, open_: set[str]) -> set[str]:
    changed = {
        key.subject: facts.alert.firing is not None
        for key, facts in commit.facts
        if key.kind is FactKind.ALERT and facts.alert is not None
    }
    return {id_ for id_ in open_ | changed.keys() if changed.get(id_, id_ in open_)}


# Receivers ------------------------------------------------------------------------------------------------------------


def receivers_hold_what_is_open(evidence: Evidence, finding: Finding) -> None:
    told, receiver, alertmanager = evidence.open_and_heard
    finding.expect_equal(receiver, told, "firing at the receiver")
    finding.expect_equal(alertmanager, told, "firing in Alertmanager")


def each_alert_was_heard_or_its_owner_was_lost_first(evidence: Evidence, finding: Finding) -> None:
    """An owner that lives tells what it committed; the next one tells only what still fires.

    To a receiver an alert is its labels: a later one with the same labels stands for it. And nobody is woken for what is
    learnt of only when it was over long ago.
    """
    heard = {(one.labels, one.starts) for one in evidence.heard}
    for partition, task in evidence.tasks.items():
        commit_of = {number: commit for commit in task.commits for number in commit.decided}
        # Of these its owner may not even know that they stand: it was lost before the brokers answered.
        last = {
            number
            for commit, following in pairwise(task.commits)
            if commit.owner.nonce != following.owner.nonce
            for number in commit.decided
        }
        alerts = evidence.alerts[partition]
        end_of = {
            (alert.id, alert.episode): alert for alert in alerts.values() if alert.transition == "resolved"
        }
        newest = {alert.labels: alert for alert in alerts.values() if alert.transition == "fired"}
        for number, alert in alerts.items():
            if alert.transition != "fired":
                continue
            told = (alert.labels, parse_instant(alert.said["at"])) in heard
            end = end_of.get((alert.id, alert.episode))
            if told or end is None or newest[alert.labels] is not alert:
                finding.expect(told or end is not None, f"partition {partition}: never heard: {alert.said}")
                continue
            fired, ended = commit_of[number], commit_of[end.number]
            unworthy = end.said["late"] and parse_instant(end.said["at"]) < fired.at - RETENTION
            lost = end.number in last or any(
                fired.at <= taking.at <= ended.at + TOLD_WITHIN for taking in task.takings
            )
            finding.expect(
                lost or (fired is ended and unworthy),
                f"partition {partition}: never heard, and resolved as {end.number}: {alert.said}",
            )


def no_zombie_was_heard(evidence: Evidence, finding: Finding) -> None:
    """Who speaks of a task has owned it less than half a session ago; and who woke has first proved that it still does.

    Half a session, and the time that one request may take.
    """
    leave = round((SESSION / 2 + REQUEST_TIMEOUT) * SECOND)
    for partition, heard in _by_partition(evidence).items():
        takings = evidence.tasks[partition].takings
        spans: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for taking, following in zip(takings, [*takings[1:], None], strict=True):
            end = following.at if following is not None else evidence.until + 3600 * SECOND
            spans[taking.owner.instance].append((taking.at, end + leave))
        proofs: dict[str, list[int]] = defaultdict(list)
        for commit in evidence.tasks[partition].commits:
            proofs[commit.owner.instance].append(commit.at)
        for taking in (*takings, *evidence.tasks[partition].renewals):
            proofs[taking.owner.instance].append(taking.at)
        for one in heard:
            owned = any(start - 1000 <= one.at <= end for start, end in spans[one.pod])
            finding.expect(
                owned, f"{one.pod} spoke of task {partition} at {format_instant(one.at)}: {dict(one.labels)}"
            )
            for silence in evidence.silences:
                frozen = silence.end - silence.start > SESSION / 2 * SECOND and silence.pod == one.pod
                # A second after it woke its word must rest on a proof given since it woke.
                if frozen and silence.end < one.at < silence.end + leave:
                    proved = any(silence.end - 1000 <= at <= one.at for at in proofs[one.pod])
                    finding.expect(
                        proved, f"{one.pod} woke and spoke of task {partition} at {format_instant(one.at)}"
                    )


def _by_partition(evidence: Evidence) -> dict[int, list[Heard]]:
    found: dict[int, list[Heard]] = defaultdict(list)
    for one in evidence.heard:
        found[evidence.task_of(dict(one.labels))].append(one)
    return found


# Pods -----------------------------------------------------------------------------------------------------------------


def pods_end_in_order_and_within_their_grace(evidence: Evidence, finding: Finding) -> None:
    for stop in evidence.stops:
        finding.expect(
            stop.code == 0 or (not stop.started and stop.code == -signal.SIGTERM),
            f"{stop.pod} was stopped at {format_instant(stop.at)}: code {stop.code} after {stop.seconds:.1f} of {GRACE:g} s",
        )


def no_pod_ends_by_a_fault_of_its_own(evidence: Evidence, finding: Finding) -> None:
    """It may end by itself if it says what people can do; it is then started again."""
    finding.checked += 1
    for exit_ in evidence.exits:
        finding.expect(
            "Traceback" not in exit_.words and exit_.code == 1,
            f"{exit_.pod} ended at {format_instant(exit_.at)} with code {exit_.code}: {exit_.words}",
        )


LAWS: tuple[Callable[[Evidence, Finding], None], ...] = (
    everything_comes_to_rest,
    everything_was_read,
    dead_letters_are_what_is_no_event_each_once,
    facts_are_the_accepted_events,
    clocks_and_standings_are_those_of_a_replay,
    newest_statements_are_those_of_a_replay,
    statements_topic_holds_every_revision_up_to_the_newest,
    standings_topic_holds_how_objectives_stand,
    numbers_have_no_gap_and_are_those_of_the_state,
    each_alert_fires_and_resolves_in_turn_and_counts_its_episodes,
    what_is_open_is_what_a_replay_has_open,
    every_breach_was_announced,
    no_alert_was_untrue_of_the_facts_committed_with_it,
    receivers_hold_what_is_open,
    each_alert_was_heard_or_its_owner_was_lost_first,
    no_zombie_was_heard,
    pods_end_in_order_and_within_their_grace,
    no_pod_ends_by_a_fault_of_its_own,
)


def judge(evidence: Evidence) -> dict[str, Finding]:
    """Every law by its name, in words."""
    findings = {}
    for law in LAWS:
        finding = findings[law.__name__.replace("_", " ")] = Finding()
        try:
            law(evidence, finding)
        except AssertionError as error:
            finding.violations.append(str(error))
    return findings
