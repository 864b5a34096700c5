"""Requests that Kafka answers and aiokafka 0.14 does not know, in one version each."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any
from uuid import UUID

from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.api import RequestStruct, Response
from aiokafka.protocol.types import AbstractType, CompactArray, TaggedFields

TAGS = ("tags", TaggedFields)
"""Ends each structure of a flexible version."""
NO_TAGS: dict[int, bytes] = {}


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


def array_of(*fields: tuple[str, Any]) -> Any:
    """An array of structures with these ``fields``, and tags."""
    return CompactArray(*fields, TAGS)


def request_struct(key: int, version: int, *, asked: Any, answered: Any) -> type[RequestStruct]:
    """The structure of a flexible request, of the schemas ``asked`` and ``answered``."""
    known = {"API_KEY": key, "API_VERSION": version}
    response = type("_Response", (Response,), {**known, "SCHEMA": answered})
    request = {"FLEXIBLE_VERSION": True, "RESPONSE_TYPE": response, "SCHEMA": asked}
    return type("_Request", (RequestStruct,), known | request)


class NewerRequest:
    """Stands in for aiokafka's ``Request``, of which its client calls ``prepare`` alone."""

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
