"""What is wrong with the brokers and the topics, and what we may not do there.

Rules about settings are tables of numbers; each says from where on a setting is bad, and what follows from it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from slamon.doctor.findings import Finding, Group, Level, counted, error, ok, warning
from slamon.kafka import acls, clients
from slamon.kafka.acls import Acl, Doing, Resource
from slamon.kafka.cluster import DENIED, Cluster, TopicSeen
from slamon.kafka.topics import DEAD_LETTER_ROOM, DEFAULT_RECORD_BYTES, Topic, faults_of, wanted
from slamon.settings import Settings

COPIES = 3  # of everything, where there are as many brokers
OLDEST_RELEASE = "2.5"
MS = 1000
DAY_MS = 86_400 * MS


class Rule(NamedTuple):
    """A setting is bad if `bad` says so of its value; `right` is what to write instead."""

    setting: str
    bad: Callable[[int, Settings], bool]
    level: Level
    why: str
    right: Callable[[Settings], object]


def transaction_ms(settings: Settings) -> int:
    """The timeout that a task's producer asks for."""
    return clients.milliseconds(max(clients.TRANSACTION_TIMEOUT, 2 * settings.kafka.commit_timeout))


def _session_ms(settings: Settings) -> int:
    return clients.milliseconds(settings.kafka.session_timeout)


OF_BROKERS = (
    Rule(
        "transaction.max.timeout.ms",
        lambda ms, settings: ms < transaction_ms(settings),
        Level.ERROR,
        "no task can start: its transactions may last longer",
        transaction_ms,
    ),
    Rule(
        "group.max.session.timeout.ms",
        lambda ms, settings: ms < _session_ms(settings),
        Level.ERROR,
        "no process can join: kafka.session_timeout is longer",
        _session_ms,
    ),
    Rule(
        "group.min.session.timeout.ms",
        lambda ms, settings: ms > _session_ms(settings),
        Level.ERROR,
        "no process can join: kafka.session_timeout is shorter",
        _session_ms,
    ),
)


def _shorter(than_ms: int) -> Callable[[int, Settings], bool]:
    """Of a retention, for which -1 is for ever."""
    return lambda ms, _: 0 <= ms < than_ms


def _days(count: int) -> Callable[[Settings], object]:
    return lambda _: count * DAY_MS


_KEEP_INPUTS = Rule(
    "retention.ms",
    _shorter(DAY_MS),
    Level.WARNING,
    "after an outage of that length events are lost before they are read",
    _days(7),
)
# By field of `kafka.topics`; what tasks refuse to start on is in `topics.faults_of` and not repeated here.
OF_TOPICS: Mapping[str, tuple[Rule, ...]] = {
    "tickets": (_KEEP_INPUTS,),
    "availability": (_KEEP_INPUTS,),
    "alerts": (
        Rule(
            "retention.ms",
            _shorter(DAY_MS),
            Level.WARNING,
            "alerts that a restore or a receiver still looks for may be gone",
            _days(7),
        ),
    ),
    "dead_letters": (
        Rule(
            "retention.ms",
            _shorter(3 * DAY_MS),
            Level.WARNING,
            "dead letters of a long weekend are gone before anybody sees them",
            _days(14),
        ),
        Rule(
            "max.message.bytes",
            lambda size, _: size < DEFAULT_RECORD_BYTES + DEAD_LETTER_ROOM,
            Level.WARNING,
            "the largest records are kept there without their value",
            lambda _: DEFAULT_RECORD_BYTES + DEAD_LETTER_ROOM,
        ),
    ),
}
# By field of `kafka.topics`: words that must, or must not, be in cleanup.policy, and what follows else.
POLICIES = {
    "tickets": (False, "compact", "events are dropped, all but the newest of each customer"),
    "availability": (False, "compact", "events are dropped, all but the newest of each customer"),
    "alerts": (False, "compact", "transitions are dropped, all but the newest of each alert"),
    "standings": (True, "compact", "the standing of an objective that rarely changes vanishes"),
    "statements": (True, "compact", "statements vanish, and every revision is to stay readable"),
}


# ---------------------------------------------------------------------------------------------------------------- brokers


def brokers_answer(seen: Cluster, settings: Settings) -> Iterator[Finding]:
    del settings
    silent = [broker for broker in seen.brokers if broker.speaks is None]
    for broker in silent:
        yield error(
            f"broker {broker.node} does not answer at {broker.host}:{broker.port}",
            "start it; if it runs: may this machine reach the address that it advertises (advertised.listeners)?",
        )
    old = [one for one in seen.brokers if one.speaks is not None and one.release is None]
    for broker in old:
        yield error(
            f"broker {broker.node} is older than Kafka {OLDEST_RELEASE}",
            "upgrade it: slamon is tried on Kafka 4",
        )
    if len(seen.brokers) == 1:
        yield warning("there is one broker: whatever happens to it stops everything", "run three")
    elif not silent and not old:
        oldest = min(broker.release or "" for broker in seen.brokers)
        yield ok(f"{counted(len(seen.brokers), 'broker')} answer, Kafka {oldest} or newer")


def broker_settings(seen: Cluster, settings: Settings) -> Iterator[Finding]:
    hidden = [broker.node for broker in seen.brokers if broker.speaks is not None and broker.settings is None]
    if hidden:
        yield ok(
            "their limits are not shown to this user (DescribeConfigs on the cluster), and were not looked at"
        )
    for broker in seen.brokers:
        for rule in OF_BROKERS:
            value = (broker.settings or {}).get(rule.setting)
            if value is not None and rule.bad(int(value), settings):
                yield Finding(
                    rule.level,
                    f"broker {broker.node}: {rule.setting} is {value}: {rule.why}",
                    f"set {rule.setting}={rule.right(settings)} on the broker",
                )


def internal_topics(seen: Cluster, settings: Settings) -> Iterator[Finding]:
    """Those that the brokers made for themselves with as few copies as they were told."""
    del settings
    told = {
        "__transaction_state": "transaction.state.log.replication.factor",
        "__consumer_offsets": "offsets.topic.replication.factor",
    }
    copies = min(COPIES, len(seen.brokers))
    for name, setting in told.items():
        topic = seen.internal.get(name)
        if topic is None or topic.error is not None:
            continue
        if topic.replication < copies:
            yield warning(
                f"{name} has {counted(topic.replication, 'copy', 'copies')}: without the broker that "
                "holds it no task can commit",
                f"give it {copies} by kafka-reassign-partitions, and set {setting}={copies} on the brokers",
            )
        yield from _availability_of(topic)


# ----------------------------------------------------------------------------------------------------------------- topics


def topics_are_there(seen: Cluster, settings: Settings) -> Iterator[Finding]:
    names = list(wanted(settings.kafka))
    missing = [name for name in names if name not in seen.topics]
    if missing:
        yield error(f"missing: {', '.join(missing)}", "make them with `slamon topics create`")
    for topic in _there(seen):
        if topic.error is not None:
            yield error(f"{topic.name} cannot be seen: {topic.error}", "allow Describe on it, see rights")
    if not missing and all(topic.error is None for topic in _there(seen)):
        counts = sorted({len(topic.partitions) for topic in _there(seen)})
        yield ok(f"{counted(len(names), 'topic')} of {'/'.join(map(str, counts))} partitions")


def what_tasks_refuse(seen: Cluster, settings: Settings) -> Iterator[Finding]:
    names = list(wanted(settings.kafka))
    there = [seen.topics[name] for name in names if name in seen.topics]
    if len(there) < len(names) or any(topic.error is not None for topic in there):
        return
    hidden = [topic.name for topic in there if topic.settings is None]
    for name in hidden:
        yield error(f"the settings of {name} may not be seen", "allow DescribeConfigs on it, see rights")
    if hidden:
        return
    known = {one.name: Topic(one.name, len(one.partitions), one.settings or {}) for one in there}
    for fault in faults_of(known, settings.kafka):
        what, _, help_text = fault.partition(", must be ")
        if help_text:
            right, _, why = help_text.partition(", else ")
            name, _, setting = what.partition(": ")
            yield error(f"{what}: {why}", _alter(settings, name, setting.split()[0], right))
        else:
            what, _, help_text = fault.partition(": make them equal")
            yield error(what, f"make them equal{help_text}")


def copies(seen: Cluster, settings: Settings) -> Iterator[Finding]:
    """Enough to lose a broker, and all of them in sync."""
    enough = min(COPIES, len(seen.brokers))
    for topic in _there(seen):
        yield from _availability_of(topic)
        if 0 < topic.replication < enough:
            yield warning(
                f"{topic.name} has {'one copy' if topic.replication == 1 else 'two copies'}: with their brokers it is gone",
                f"give it {enough} by kafka-reassign-partitions",
            )
        if topic.settings is None:
            continue
        minimum = int(topic.settings.get("min.insync.replicas") or 1)
        if topic.replication > 1 and minimum >= topic.replication:
            yield warning(
                f"{topic.name}: min.insync.replicas is {minimum} of {topic.replication} copies: while one broker is away, "
                "nothing can be written",
                _alter(settings, topic.name, "min.insync.replicas", topic.replication - 1),
            )
        elif topic.replication > 2 and minimum < 2:
            yield warning(
                f"{topic.name}: min.insync.replicas is {minimum}: what one broker has taken, and nobody else, may be lost",
                _alter(settings, topic.name, "min.insync.replicas", 2),
            )


def topic_settings(seen: Cluster, settings: Settings) -> Iterator[Finding]:
    for field, name in _names(settings):
        topic = seen.topics.get(name)
        if topic is None or topic.settings is None:
            continue
        policy = topic.settings.get("cleanup.policy") or ""
        if field in POLICIES:
            must, word, why = POLICIES[field]
            if (word in policy.split(",")) != must:
                right = "compact" if must else "delete"
                yield error(
                    f"{name}: cleanup.policy is {policy}: {why}",
                    _alter(settings, name, "cleanup.policy", right),
                )
                continue
            if must and "delete" in policy and topic.settings.get("retention.ms") != "-1":
                yield error(
                    f"{name}: cleanup.policy is {policy} with a retention: {why}",
                    _alter(settings, name, "cleanup.policy", "compact"),
                )
        for rule in OF_TOPICS.get(field, ()):
            value = topic.settings.get(rule.setting)
            if value is not None and rule.bad(int(value), settings):
                yield Finding(
                    rule.level,
                    f"{name}: {rule.setting} is {value}: {rule.why}",
                    _alter(settings, name, rule.setting, rule.right(settings)),
                )
        if topic.settings.get("unclean.leader.election.enable") == "true":
            yield warning(
                f"{name}: unclean.leader.election.enable is true: a broker that lags behind may take over, and what it "
                "lacks is lost",
                _alter(settings, name, "unclean.leader.election.enable", "false"),
            )


# ----------------------------------------------------------------------------------------------------------------- rights


def rights(seen: Cluster, settings: Settings) -> Iterator[Finding]:
    """What a task does, and its user may not. Of a transactional id it shows only whether it may be asked for."""
    for acl in acls.needed(settings, Doing.RUN):
        lacking = acls.lacking(acl, _held(seen, acl))
        if lacking:
            [command] = acls.commands([replace(acl, operations=lacking)], "User:…", _bootstrap(settings))
            yield error(f"no right to {', '.join(lacking)} on {acl}: {acl.why}", command)


def _held(seen: Cluster, acl: Acl) -> frozenset[str] | None:
    """None: the brokers do not say. Of what may not even be seen, nothing is held."""
    match acl.resource:
        case Resource.TOPIC:
            topic = seen.topics.get(acl.name)
            if topic is None:
                return None
            return frozenset() if topic.error in DENIED else topic.rights
        case Resource.GROUP:
            denied = seen.group.error in DENIED
            return frozenset() if denied else seen.group.rights
        case Resource.TRANSACTIONAL_ID:
            return frozenset() if seen.transactions_denied else None


# ------------------------------------------------------------------------------------------------------------------ table

Check = Callable[[Cluster, Settings], Iterable[Finding]]

CHECKS: tuple[tuple[Group, Check, str], ...] = (
    (Group.BROKERS, brokers_answer, ""),
    (Group.BROKERS, broker_settings, "their limits suit the settings"),
    (Group.BROKERS, internal_topics, "their own topics have enough copies, all in sync"),
    (Group.TOPICS, topics_are_there, ""),
    (Group.TOPICS, what_tasks_refuse, "tasks can start on them"),
    (Group.TOPICS, copies, "enough copies, all in sync"),
    (Group.TOPICS, topic_settings, "policies and retention are as they should be"),
    (Group.RIGHTS, rights, "everything that a task does is allowed"),
)  # fmt: skip


def _names(settings: Settings) -> list[tuple[str, str]]:
    """Field of `kafka.topics`, and the name of that topic."""
    return list(settings.kafka.topics.model_dump().items())


def _there(seen: Cluster) -> list[TopicSeen]:
    return list(seen.topics.values())


def _availability_of(topic: TopicSeen) -> Iterator[Finding]:
    leaderless = [number for number, one in enumerate(topic.partitions) if one.leader < 0]
    minimum = int((topic.settings or {}).get("min.insync.replicas") or 1)
    closed = [
        number
        for number, one in enumerate(topic.partitions)
        if one.leader >= 0 and len(one.in_sync) < minimum
    ]
    lagging = [
        number
        for number, one in enumerate(topic.partitions)
        if number not in (*leaderless, *closed) and len(one.in_sync) < len(one.replicas)
    ]
    await_them = "start the brokers that hold copies of them"
    if leaderless:
        yield error(f"{topic.name}: nobody leads {_listed(leaderless)}", await_them)
    if closed:
        yield error(
            f"{topic.name}: {_listed(closed)} cannot be written, for fewer than {minimum} copies are in sync",
            await_them,
        )
    if lagging:
        yield warning(
            f"{topic.name}: {_listed(lagging)} has copies that are not in sync",
            "wait until they are, before another broker is stopped",
        )


def _listed(partitions: list[int]) -> str:
    shown = ", ".join(map(str, partitions[:8]))
    more = f" and {len(partitions) - 8} more" if len(partitions) > 8 else ""
    return f"partition{'' if len(partitions) == 1 else 's'} {shown}{more}"


def _alter(settings: Settings, topic: str, setting: str, right: object) -> str:
    value = f"'[{right}]'" if "," in str(right) else right  # Kafka's brackets mean something to shells too
    return f"{_command('kafka-configs', settings)} --alter --topic {topic} --add-config {setting}={value}"


def _command(name: str, settings: Settings) -> str:
    return f"{name}.sh --bootstrap-server {_bootstrap(settings)}"


def _bootstrap(settings: Settings) -> str:
    return settings.kafka.bootstrap_servers.split(",")[0]
