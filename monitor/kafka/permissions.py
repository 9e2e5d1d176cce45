"""What the user of a connection may do, as far as a broker tells without trying it.

aiokafka's own requests are older than the answer: Metadata tells the operations on topics from version 8 on,
DescribeGroups those on groups from version 3 on (KIP-430).
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Any, Final

from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.coordination import FindCoordinatorRequest
from aiokafka.protocol.types import Array, Boolean, Bytes, Int16, Int32, Schema, String

_GROUP, _TRANSACTION = 0, 1
_REFUSED: Final = frozenset({29, 30, 53})
"""Codes: this user may not even describe the topic, the group, the transactional id."""
_NOT_TOLD: Final = -(2**31)


class Operation(IntEnum):
    """Kafka's `AclOperation`, by its code: those that the service needs."""

    READ = 3
    WRITE = 4
    CREATE = 5
    DESCRIBE = 8
    DESCRIBE_CONFIGS = 10

    @property
    def words(self) -> str:
        """As `kafka-acls.sh` writes it."""
        return self.name.title().replace("_", "")


class _TopicsResponse(Response):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 8
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            Array(
                ("node_id", Int32),
                ("host", String("utf-8")),
                ("port", Int32),
                ("rack", String("utf-8")),
            ),
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


class _TopicsStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = 3
    API_VERSION = 8
    RESPONSE_TYPE = _TopicsResponse
    SCHEMA = Schema(
        ("topics", Array(String("utf-8"))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
    )


class _TopicsRequest(Request[_TopicsStruct]):  # type: ignore[misc]
    API_KEY = 3

    def __init__(self, topics: Sequence[str]) -> None:
        self._topics = list(topics)

    def build(self, request_struct_class: type[Any]) -> Any:
        return request_struct_class(self._topics, False, False, True)


class _GroupsResponse(Response):  # type: ignore[misc]
    API_KEY = 15
    API_VERSION = 3
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "groups",
            Array(
                ("error_code", Int16),
                ("group", String("utf-8")),
                ("state", String("utf-8")),
                ("protocol_type", String("utf-8")),
                ("protocol", String("utf-8")),
                (
                    "members",
                    Array(
                        ("member_id", String("utf-8")),
                        ("client_id", String("utf-8")),
                        ("client_host", String("utf-8")),
                        ("member_metadata", Bytes),
                        ("member_assignment", Bytes),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
    )


class _GroupsStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = 15
    API_VERSION = 3
    RESPONSE_TYPE = _GroupsResponse
    SCHEMA = Schema(("groups", Array(String("utf-8"))), ("include_authorized_operations", Boolean))


class _GroupsRequest(Request[_GroupsStruct]):  # type: ignore[misc]
    API_KEY = 15

    def __init__(self, group: str) -> None:
        self._group = group

    def build(self, request_struct_class: type[Any]) -> Any:
        return request_struct_class([self._group], True)


async def on_topics(
    conn: AIOKafkaConnection, topics: Sequence[str]
) -> dict[str, frozenset[Operation] | None]:
    """What is allowed on each topic, there or not; None where the broker does not tell."""
    answer = await conn.send(_TopicsRequest(topics))
    return {topic[1]: _decoded(topic[4], topic[0]) for topic in answer.topics}


async def coordinator(conn: AIOKafkaConnection, group: str) -> str | None:
    """The server, host:port, that keeps a group; None where the group may not be described.

    Raises:
        KafkaError: there is none now.
    """
    answer = await conn.send(FindCoordinatorRequest(group, _GROUP))
    if answer.error_code in _REFUSED:
        return None
    if answer.error_code:
        raise for_code(answer.error_code)
    return f"{answer.host}:{answer.port}"


async def on_group(conn: AIOKafkaConnection, group: str) -> frozenset[Operation] | None:
    """What is allowed on a group, by a connection to its coordinator; None where that is not told."""
    answer = await conn.send(_GroupsRequest(group))
    [(code, *_, operations)] = answer.groups
    return _decoded(operations, code)


async def on_transactions(conn: AIOKafkaConnection, transactional_id: str) -> bool:
    """Whether the id may be described, which whoever may write by it is allowed."""
    answer = await conn.send(FindCoordinatorRequest(transactional_id, _TRANSACTION))
    return answer.error_code not in _REFUSED


def _decoded(bits: int, code: int) -> frozenset[Operation] | None:
    """The operations of a bit field, one bit a code; none where even describing is refused."""
    if code in _REFUSED:
        return frozenset()
    if bits == _NOT_TOLD:
        return None
    return frozenset(operation for operation in Operation if bits >> operation & 1)
