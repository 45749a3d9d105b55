"""What the brokers say of themselves, of topics and of a group, and what we may do there; to ask never changes anything.

aiokafka's own question about topics makes those that are missing, on brokers that make topics by themselves (the default):
with one partition, and settings that would lose the state. And it cannot ask for rights. So the question stands here.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TransactionalIdAuthorizationFailed, for_code
from aiokafka.protocol.admin import DescribeGroupsRequest_v3, DescribeGroupsResponse_v3
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.coordination import FindCoordinatorRequest
from aiokafka.protocol.types import Array, Boolean, Int16, Int32, Schema, String

from slamon.kafka import clients
from slamon.settings import KafkaSettings

TIMEOUT = 20.0  # s for one question
UNKNOWN_TOPIC = 3
DENIED = ("TopicAuthorizationFailedError", "GroupAuthorizationFailedError")  # by the names of `error`
NOT_ASKED = -(1 << 31)  # the broker does not know our rights

# Bits of the answer, by the names that access control lists give them.
RIGHTS = {
    3: "Read",
    4: "Write",
    5: "Create",
    6: "Delete",
    7: "Alter",
    8: "Describe",
    9: "ClusterAction",
    10: "DescribeConfigs",
    11: "AlterConfigs",
    12: "IdempotentWrite",
}
# The first release whose brokers know a request, newest first; what a broker speaks is all that it says of its age.
RELEASES = (
    ("4.1", 76, 1),  # ShareGroupHeartbeat v1
    ("4.0", 69, 1),  # ConsumerGroupDescribe v1
    ("3.9", 80, 0),  # AddRaftVoter
    ("3.7", 75, 0),  # DescribeTopicPartitions
    ("3.0", 61, 0),  # DescribeProducers, DescribeTransactions
    ("2.5", 28, 3),  # TxnOffsetCommit with the generation
)


class Broker(NamedTuple):
    """`speaks`: request → lowest and highest version; None: it does not answer. `settings`: None: it does not say."""

    node: int
    host: str
    port: int
    speaks: Mapping[int, tuple[int, int]] | None
    settings: Mapping[str, str | None] | None

    @property
    def release(self) -> str | None:
        """At least this one, if any of ours."""
        speaks = self.speaks or {}
        return next(
            (name for name, key, lowest in RELEASES if key in speaks and speaks[key][1] >= lowest), None
        )


class Partition(NamedTuple):
    leader: int  # node, or -1
    replicas: tuple[int, ...]
    in_sync: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TopicSeen:
    """`rights` and `settings`: None: not to be known. `error`: why nothing else is known."""

    name: str
    partitions: tuple[Partition, ...] = ()
    rights: frozenset[str] | None = None
    settings: Mapping[str, str | None] | None = None
    error: str | None = None

    @property
    def replication(self) -> int:
        return min((len(partition.replicas) for partition in self.partitions), default=0)


@dataclass(frozen=True, slots=True)
class GroupSeen:
    state: str
    members: tuple[str, ...]  # client id and host
    rights: frozenset[str] | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Cluster:
    brokers: tuple[Broker, ...]
    topics: Mapping[str, TopicSeen]
    internal: Mapping[str, TopicSeen]
    group: GroupSeen
    transactions_denied: bool = False  # the transactional id of a task may not be used


class _MetadataResponse(Response):  # type: ignore[misc]  # - aiokafka ships no types
    API_KEY = 3
    API_VERSION = 8
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            Array(("node_id", Int32), ("host", String("utf-8")), ("port", Int32), ("rack", String("utf-8"))),
        ),
        ("cluster_id", String("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("topic", String("utf-8")),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", Array(Int32)),
                        ("isr", Array(Int32)),
                        ("offline_replicas", Array(Int32)),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
        ("cluster_authorized_operations", Int32),
    )


class _MetadataRequestV8(RequestStruct):  # type: ignore[misc]  # - aiokafka ships no types
    API_KEY = 3
    API_VERSION = 8
    RESPONSE_TYPE = _MetadataResponse
    SCHEMA = Schema(
        ("topics", Array(String("utf-8"))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
    )


class _MetadataRequest(Request[_MetadataRequestV8]):  # type: ignore[misc]  # - aiokafka ships no types
    """Kafka 2.3 and newer."""

    API_KEY = 3

    def __init__(self, topics: Sequence[str]) -> None:
        self._topics = list(topics)

    def build(self, request_struct_class: type[_MetadataRequestV8]) -> _MetadataRequestV8:
        make_topics = False
        of_cluster, of_topics = False, True
        return request_struct_class(self._topics, make_topics, of_cluster, of_topics)


class _GroupRequestV3(DescribeGroupsRequest_v3):  # type: ignore[misc]  # - aiokafka ships no types
    RESPONSE_TYPE = DescribeGroupsResponse_v3  # aiokafka's own reads the answer as one without rights


class _GroupRequest(Request[_GroupRequestV3]):  # type: ignore[misc]  # - aiokafka ships no types
    API_KEY = 15

    def __init__(self, group: str) -> None:
        self._group = group

    def build(self, request_struct_class: type[_GroupRequestV3]) -> _GroupRequestV3:
        include_rights = True
        return request_struct_class([self._group], include_rights)


async def ask(admin: Any, request: Any, node: int | None = None) -> Any:
    """Of this broker, or any. Raises KafkaError, TimeoutError."""
    client = admin._client  # noqa: SLF001 - its own requests cannot ask for this
    if node is None:
        node = client.get_random_node()
    async with asyncio.timeout(TIMEOUT):
        return await client.send(node, request)


async def topics_seen(admin: Any, names: Iterable[str]) -> dict[str, TopicSeen]:
    """Those that are there and those that we may not see; without settings. Raises KafkaError, TimeoutError."""
    answer = (await ask(admin, _MetadataRequest(sorted(names)))).to_object()
    found = {}
    for topic in answer["topics"]:
        name, code = topic["topic"], topic["error_code"]
        if code == UNKNOWN_TOPIC:
            continue
        if code:
            found[name] = TopicSeen(name, error=for_code(code).__name__)
            continue
        partitions = sorted(topic["partitions"], key=lambda one: int(one["partition"]))
        found[name] = TopicSeen(
            name,
            tuple(Partition(one["leader"], tuple(one["replicas"]), tuple(one["isr"])) for one in partitions),
            _rights(topic["authorized_operations"]),
        )
    return found


async def settings_of(
    admin: Any, names: Iterable[str], kind: ConfigResourceType = ConfigResourceType.TOPIC
) -> dict[str, dict[str, str | None] | None]:
    """Settings by topic or broker; None where we may not see them. Raises KafkaError, TimeoutError."""
    async with asyncio.timeout(TIMEOUT):
        answers = await admin.describe_configs([ConfigResource(kind, name) for name in names])
    found: dict[str, dict[str, str | None] | None] = {}
    for answer in answers:
        for code, _, _, name, entries in answer.resources:
            found[name] = None if code else {entry[0]: entry[1] for entry in entries}
    return found


async def look(settings: KafkaSettings, names: Sequence[str], group: str) -> Cluster:
    """Raises clients.Unreachable; KafkaError and TimeoutError if the brokers do not answer to the end."""
    async with asking(settings) as admin:
        topics = await topics_seen(admin, names)
        internal = await topics_seen(admin, ("__transaction_state", "__consumer_offsets"))
        configured = await settings_of(admin, [name for name, one in topics.items() if one.error is None])
        nodes = sorted(admin._client.cluster.brokers())  # noqa: SLF001 - as above
        return Cluster(
            tuple([await _broker(admin, node) for node in nodes]),
            {name: _with_settings(one, configured.get(name)) for name, one in topics.items()},
            internal,
            # To look for a coordinator makes its topic, where there has never been one.
            await _group(admin, group) if "__consumer_offsets" in internal else GroupSeen("Dead", (), None),
            "__transaction_state" in internal and await _transactions_denied(admin, f"{group}-0"),
        )


@contextlib.asynccontextmanager
async def asking(settings: KafkaSettings) -> AsyncIterator[Any]:
    """A client for `ask`. Raises clients.Unreachable."""
    admin = clients.admin(settings)
    await clients.start(admin, settings, TIMEOUT)
    try:
        yield admin
    finally:
        await clients.end(admin.close())


def _with_settings(topic: TopicSeen, settings: Mapping[str, str | None] | None) -> TopicSeen:
    return TopicSeen(topic.name, topic.partitions, topic.rights, settings, topic.error)


async def _broker(admin: Any, metadata: Any) -> Broker:
    node, host, port = metadata.nodeId, metadata.host, metadata.port
    try:
        client = admin._client  # noqa: SLF001 - as above
        async with asyncio.timeout(TIMEOUT / 4):
            connection = await client._get_conn(node)  # noqa: SLF001 - nothing else shows what a broker speaks
        speaks = None if connection is None else dict(connection._versions)  # noqa: SLF001 - as above
        if speaks is None:
            return Broker(node, host, port, None, None)
        found = await settings_of(admin, [str(node)], ConfigResourceType.BROKER)
        return Broker(node, host, port, speaks, found.get(str(node)))
    except (KafkaError, TimeoutError, OSError):
        return Broker(node, host, port, None, None)


async def _group(admin: Any, group: str) -> GroupSeen:
    try:
        async with asyncio.timeout(TIMEOUT):
            node = await admin.find_coordinator(group)
        answer = await ask(admin, _GroupRequest(group), node)
        [one] = answer.to_object()["groups"]
    except (KafkaError, TimeoutError) as error:
        return GroupSeen("", (), None, type(error).__name__)
    if one["error_code"]:
        return GroupSeen("", (), None, for_code(one["error_code"]).__name__)
    members = tuple(
        f"{member['client_id']} at {member['client_host'].lstrip('/')}" for member in one["members"]
    )
    return GroupSeen(one["state"], members, _rights(one["authorized_operations"]))


async def _transactions_denied(admin: Any, name: str) -> bool:
    """Where to find the coordinator is told to who may describe the id; nothing else can be tried without taking it."""
    of_transactions = 1
    try:
        code: int = (await ask(admin, FindCoordinatorRequest(name, of_transactions))).error_code
    except (KafkaError, TimeoutError):
        return False
    return for_code(code) is TransactionalIdAuthorizationFailed


def _rights(bits: int) -> frozenset[str] | None:
    return None if bits == NOT_ASKED else frozenset(name for bit, name in RIGHTS.items() if bits >> bit & 1)
