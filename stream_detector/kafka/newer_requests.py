"""Requests that Kafka answers and aiokafka 0.14 does not know, in one version each."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any
from uuid import UUID

from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.api import RequestStruct, Response
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int8,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

NO_TAGS: dict[int, bytes] = {}
_TAGS = ("tags", TaggedFields)
"""Ends each structure of a flexible version."""
_TEXT = CompactString("utf-8")


class Uuid(AbstractType[UUID]):  # type: ignore[misc]
    """An id of 16 bytes."""

    @classmethod
    def encode(cls, value: UUID) -> bytes:
        """The bytes."""
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> UUID:
        """The id that begins here."""
        return UUID(bytes=data.read(16))


def _array_of(*fields: tuple[str, Any]) -> Any:
    """An array of structures with these ``fields``, and tags."""
    return CompactArray(*fields, _TAGS)


def _request_struct(key: int, version: int, *, asked: Any, answered: Any) -> type[RequestStruct]:
    """The structure of a flexible request, of the schemas ``asked`` and ``answered``."""
    known = {"API_KEY": key, "API_VERSION": version}
    response = type("_Response", (Response,), {**known, "SCHEMA": answered})
    request = {"FLEXIBLE_VERSION": True, "RESPONSE_TYPE": response, "SCHEMA": asked}
    return type("_Request", (RequestStruct,), known | request)


class NewerRequest:
    """Stands in for aiokafka's ``Request``, of which its client calls only ``prepare``."""

    def __init__(self, struct: Any, *values: Any) -> None:
        """``values`` for the fields that ``struct`` asks."""
        self._struct = struct
        self._values = values

    def prepare(self, versions: Mapping[int, tuple[int, int]]) -> Any:
        """The structure to be sent to a broker that knows these ``versions`` by API key.

        Raises:
            IncompatibleBrokerVersion: the broker is too old for the request.
        """
        key, version = self._struct.API_KEY, self._struct.API_VERSION
        least, most = versions.get(key, (0, -1))
        if not least <= version <= most:
            raise IncompatibleBrokerVersion(f"the broker has no version {version} of API {key}")
        return self._struct(*self._values)


# https://kafka.apache.org/protocol.html#The_Messages_Metadata
METADATA = _request_struct(
    key=3,
    version=10,
    asked=Schema(
        ("topics", _array_of(("topic_id", Uuid), ("name", _TEXT))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        _TAGS,
    ),
    answered=Schema(
        ("throttle_time_ms", Int32),
        ("brokers", _array_of(("id", Int32), ("host", _TEXT), ("port", Int32), ("rack", _TEXT))),
        ("cluster_id", _TEXT),
        ("controller_id", Int32),
        (
            "topics",
            _array_of(
                ("error_code", Int16),
                ("name", _TEXT),
                ("topic_id", Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    _array_of(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
        ("cluster_authorized_operations", Int32),
        _TAGS,
    ),
)

_ASSIGNMENT = Schema(
    (
        "topic_partitions",
        _array_of(("topic_id", Uuid), ("topic_name", _TEXT), ("partitions", CompactArray(Int32))),
    ),
    _TAGS,
)
# https://kafka.apache.org/protocol.html#The_Messages_ConsumerGroupDescribe
CONSUMER_GROUP_DESCRIBE = _request_struct(
    key=69,
    version=1,
    asked=Schema(
        ("group_ids", CompactArray(_TEXT)), ("include_authorized_operations", Boolean), _TAGS
    ),
    answered=Schema(
        ("throttle_time_ms", Int32),
        (
            "groups",
            _array_of(
                ("error_code", Int16),
                ("error_message", _TEXT),
                ("group_id", _TEXT),
                ("group_state", _TEXT),
                ("group_epoch", Int32),
                ("assignment_epoch", Int32),
                ("assignor_name", _TEXT),
                (
                    "members",
                    _array_of(
                        ("member_id", _TEXT),
                        ("instance_id", _TEXT),
                        ("rack_id", _TEXT),
                        ("member_epoch", Int32),
                        ("client_id", _TEXT),
                        ("client_host", _TEXT),
                        ("subscribed_topic_names", CompactArray(_TEXT)),
                        ("subscribed_topic_regex", _TEXT),
                        ("assignment", _ASSIGNMENT),
                        ("target_assignment", _ASSIGNMENT),
                        ("member_type", Int8),
                    ),
                ),
                ("authorized_operations", Int32),
            ),
        ),
        _TAGS,
    ),
)
