"""What Kafka must allow slamon to do: one list, from which come the commands that grant it and the words when it is not.

Operations are Kafka's own names. Read, Write and Delete hold Describe; DescribeConfigs comes with none of them. Nothing
is asked of the cluster itself: since Kafka 3.0 whoever may write to a topic may do so idempotently, and whoever may
create a topic of a name need not be allowed to create any.
"""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from shlex import quote

from aiokafka.errors import (
    GroupAuthorizationFailedError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)

from slamon.settings import Settings, Topics

HOLD_DESCRIBE = frozenset({"Read", "Write", "Delete"})


class Resource(enum.StrEnum):
    """As the options of `kafka-acls.sh` call them."""

    TOPIC = "topic"
    GROUP = "group"
    TRANSACTIONAL_ID = "transactional-id"


class Doing(enum.StrEnum):
    """What is done with Kafka, often by different principals; as the commands are called."""

    RUN = "run"
    TOPICS_CREATE = "topics create"
    PUBLISH = "publish"
    DEAD_LETTERS = "dead-letters"


@dataclass(frozen=True, slots=True)
class Acl:
    """`prefixed`: for all names that begin so."""

    resource: Resource
    name: str
    operations: tuple[str, ...]
    why: str
    prefixed: bool = False

    def __str__(self) -> str:
        return f"{self.resource} {self.name}{'*' if self.prefixed else ''}"


def needed(settings: Settings, doing: Doing) -> list[Acl]:
    of_topics = topics_needed(settings.kafka.topics, doing)
    if doing is not Doing.RUN:
        return of_topics
    application = settings.application_id
    group = Acl(Resource.GROUP, application, ("Read",), "as its members pods share the partitions")
    transactions = Acl(
        Resource.TRANSACTIONAL_ID,
        f"{application}-",
        ("Write",),
        "each task commits under an id of its own, and fences its predecessor by it",
        prefixed=True,
    )
    deliveries = Acl(
        Resource.GROUP,
        delivery_group(application, ""),
        ("Read",),
        "how far each receiver of alerts was told is an offset of a group of its own",
        prefixed=True,
    )
    return [*of_topics, group, transactions, *([deliveries] if settings.notifier.receivers else [])]


def delivery_group(application: str, receiver: str) -> str:
    """In which it is kept how far the receiver was told."""
    return f"{application}.delivery.{receiver}"


def topics_needed(names: Topics, doing: Doing) -> list[Acl]:
    """Of every topic the settings are looked at before anything is done: on wrong ones state would be lost."""
    inputs = [names.tickets, names.availability]
    outputs = [names.standings, names.statements]
    done: dict[str, tuple[tuple[str, ...], str]] = {}
    match doing:
        case Doing.RUN:
            done = {
                **dict.fromkeys(inputs, (("Read",), "events come from here")),
                names.changelog: (("Read", "Write", "Delete"), "the state: written, read back, and trimmed"),
                names.alerts: (
                    ("Read", "Write"),
                    "what is announced; and whether it stands there is looked up",
                ),
                **dict.fromkeys(outputs, (("Write",), "for those who read them")),
                names.dead_letters: (("Write",), "what is no event goes here"),
            }
        case Doing.TOPICS_CREATE:
            every = [*inputs, names.changelog, names.alerts, *outputs, names.dead_letters]
            done = dict.fromkeys(every, (("Create", "Describe"), "made if it is missing"))
        case Doing.PUBLISH:
            others = [names.changelog, names.alerts, *outputs, names.dead_letters]
            done = {
                **dict.fromkeys(inputs, (("Write",), "events go here")),
                **dict.fromkeys(others, (("Describe",), "looked at")),
            }
        case Doing.DEAD_LETTERS:
            others = [names.changelog, names.alerts, *outputs]
            done = {
                **dict.fromkeys(inputs, (("Read", "Write"), "where letters came from, and go to again")),
                names.dead_letters: (("Read", "Write"), "letters; and marks of those that were handled"),
                **dict.fromkeys(others, (("Describe",), "looked at")),
            }
    return [
        Acl(Resource.TOPIC, name, (*operations, "DescribeConfigs"), why)
        for name, (operations, why) in done.items()
    ]


def commands(acls: Iterable[Acl], principal: str, bootstrap: str) -> list[str]:
    """Of Kafka's own tool, one for each."""
    return [
        " ".join(
            [
                f"kafka-acls.sh --bootstrap-server {quote(bootstrap)} --add --allow-principal {quote(principal)}",
                *(f"--operation {operation}" for operation in acl.operations),
                f"--{acl.resource} {quote(acl.name)}",
                *(["--resource-pattern-type prefixed"] if acl.prefixed else []),
            ]
        )
        for acl in acls
    ]


def missing(acls: Iterable[Acl], rights: Mapping[str, frozenset[str] | None]) -> list[str]:
    """A sentence for each topic on which there are too few. `rights`: by topic; None: the brokers do not say."""
    found = [(acl, lacking(acl, rights.get(acl.name))) for acl in acls]
    return [_words(operations, str(acl)) for acl, operations in found if operations]


def lacking(acl: Acl, held: frozenset[str] | None) -> tuple[str, ...]:
    """Which of its operations are not allowed. `held`: None: the brokers do not say."""
    if held is None:
        return ()
    implied = {"Describe"} if held & HOLD_DESCRIBE else set()
    return tuple(operation for operation in acl.operations if operation not in held | implied)


def denied(error: BaseException | None, settings: Settings) -> str | None:
    """What Kafka should allow a running slamon, if an error says that it does not."""
    match error:
        case TopicAuthorizationFailedError(args=[str() as topic, *_]):
            named = {topic}
        case TopicAuthorizationFailedError(args=[topics, *_]):
            named = set(topics)
        case GroupAuthorizationFailedError(args=[str() as group, *_]):
            named = {group}
        case GroupAuthorizationFailedError():
            named = {settings.application_id}
        case TransactionalIdAuthorizationFailed():
            named = {f"{settings.application_id}-"}
        case _:
            return None
    kind = {TopicAuthorizationFailedError: Resource.TOPIC, GroupAuthorizationFailedError: Resource.GROUP}
    resource = kind.get(type(error), Resource.TRANSACTIONAL_ID)
    found = [
        acl
        for acl in needed(settings, Doing.RUN)
        if acl.resource is resource and any(_is_about(acl, name) for name in named)
    ]
    return "\n".join(_words(acl.operations, str(acl)) for acl in found) or None


def _is_about(acl: Acl, name: str) -> bool:
    return name.startswith(acl.name) if acl.prefixed else name == acl.name


def _words(operations: Iterable[str], on: str) -> str:
    return (
        f"Kafka does not allow us {', '.join(operations)} on {on}; `slamon topics acls` prints what grants it"
    )
