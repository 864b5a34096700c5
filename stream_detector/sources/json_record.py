"""One decoding for all JSON formats: which format an object is of shows in its fields.

A field with another type than its format documents costs that field alone: the other programs
that use its name (``client``, ``id``, ``host``) write objects and numbers there. Parts whose names
other programs use as well (``http``, ``dns``, ``tls``) are decoded by their own format alone.
"""

from abc import abstractmethod
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from stream_detector.events import Ignored, Rejected, RejectReason
from stream_detector.sources.base import LineResult, Source

__all__ = [
    "FaultyRecord",
    "JsonObject",
    "JsonRecord",
    "JsonSource",
    "PartDecoder",
    "decode_json",
    "decode_json_array",
    "decode_object",
    "decode_part",
    "text_of",
]

JsonObject = dict[str, msgspec.Raw]
"""An object whose values are not decoded yet."""


class JsonRecord(msgspec.Struct, gc=False):
    """The top-level fields that most objects are read by; decoding takes time for each of them.

    Rarer ones are found by ``decode_object`` where these do not say enough.
    """

    # plain JSON, and ECS, where these are objects
    url: str | JsonObject | None = None
    host: str | JsonObject | None = None
    client: str | JsonObject | None = None
    client_ip: str | None = None
    time: float | str | None = None
    timestamp: float | str | None = None
    at_timestamp: float | str | None = msgspec.field(default=None, name="@timestamp")
    id: str | int | JsonObject | None = None
    # Zeek
    path: str | None = msgspec.field(default=None, name="_path")
    ts: float | str | None = None
    uid: str | None = None
    orig_h: str | None = msgspec.field(default=None, name="id.orig_h")
    resp_h: str | None = msgspec.field(default=None, name="id.resp_h")
    resp_p: int | str | None = msgspec.field(default=None, name="id.resp_p")
    method: str | None = None
    uri: str | None = None
    query: str | None = None
    trans_id: int | None = None
    # Suricata EVE
    event_type: str | None = None
    src_ip: str | None = None
    flow_id: int | None = None
    http: msgspec.Raw = msgspec.Raw()
    dns: msgspec.Raw = msgspec.Raw()
    tls: msgspec.Raw = msgspec.Raw()


Faults = dict[str, Rejected]
"""Why a field was dropped, by its name in JSON."""


class FaultyRecord(JsonRecord, gc=False):
    """A record some of whose fields were dropped."""

    faults: Faults = msgspec.field(default_factory=dict)


Part = TypeVar("Part", bound=msgspec.Struct)

# Broken UTF-8 inside a string that is read raises no DecodeError, but Python's own.
_UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_OF_ONE_FIELD = (msgspec.ValidationError, UnicodeDecodeError)

_decode_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_object = msgspec.json.Decoder(JsonObject).decode


_decode_text = msgspec.json.Decoder(str).decode


class PartDecoder(Generic[Part]):
    """Decodes objects into a struct; a field of another type is dropped.

    Args:
        struct: whose fields all have defaults.
        needed: fields, as JSON has them, that may not be dropped.
    """

    def __init__(self, struct: type[Part], needed: frozenset[str] = frozenset()) -> None:
        self._struct = struct
        self._needed = needed
        self.decode_whole = msgspec.json.Decoder(struct).decode
        """As fast as can be; raises what msgspec does."""
        self._fields = [
            (field.encode_name, field.name, msgspec.json.Decoder(field.type).decode)
            for field in msgspec.structs.fields(struct)
        ]

    def decode(self, content: msgspec.Raw) -> Part | Rejected:
        """The struct; Rejected where ``content`` is no object, or lacks what is needed."""
        try:
            return self.decode_whole(content)
        except _OF_ONE_FIELD:
            pass
        except _UNDECODABLE as error:
            return _fault(bytes(content), error)
        decoded = self.decode_by_field(content)
        if isinstance(decoded, Rejected):
            return decoded
        values, faults = decoded
        for name, fault in faults.items():
            if name in self._needed:
                return fault
        return self._struct(**values)

    def decode_by_field(
        self, content: bytes | msgspec.Raw
    ) -> tuple[dict[str, Any], Faults] | Rejected:
        """Values by the struct's names, and the fields that are dropped; some times as slow."""
        try:
            raw_values = _decode_object(content)
        except _UNDECODABLE as error:
            return _fault(bytes(content), error)
        values: dict[str, Any] = {}
        faults: Faults = {}
        for encoded_name, name, decode in self._fields:
            raw = raw_values.get(encoded_name)
            if raw is None:
                continue
            try:
                values[name] = decode(raw)
            except _UNDECODABLE as error:
                fault = _fault(bytes(raw), error)
                detail = f"{fault.detail} - at `$.{encoded_name}`"
                faults[encoded_name] = Rejected(fault.reason, detail)
        return values, faults


_records = PartDecoder(JsonRecord)
_decode_one = _records.decode_whole


class JsonSource(Source):
    """A format whose lines are JSON objects."""

    markers: ClassVar[tuple[str, ...]] = ()
    """Fields of ``JsonRecord`` of which every object of this format has one; empty where there
    are none. An object without any format's marker is not asked about further."""
    needed: ClassVar[frozenset[str]] = frozenset()
    """Fields, as JSON has them, whose wrong type costs the event: without them it would name
    another host."""
    used: ClassVar[frozenset[str]] = frozenset()
    """Fields whose wrong type is the reason, where an object gives no event."""

    @abstractmethod
    def claims(self, record: JsonRecord, line: bytes) -> bool:
        """Is this object of this format? Asked in the registry's order, and of ``line``, the same
        undecoded, only where the fields of ``record`` leave it open."""

    @abstractmethod
    def interpret(self, record: JsonRecord, line: bytes) -> LineResult:
        """What the object says; ``line`` is the same, undecoded."""

    def recognises(self, line: bytes) -> bool:
        """Is it an object, and one that this format claims?"""
        if line[:1] != b"{":
            return False
        record = decode_json(line)
        return isinstance(record, JsonRecord) and self.claims(record, line)

    def parse(self, line: bytes) -> LineResult:
        """Decode and interpret."""
        record = decode_json(line)
        return self.result_of(record, line) if isinstance(record, JsonRecord) else record

    def result_of(self, record: JsonRecord, line: bytes) -> LineResult:
        """What the object says, or which of its fields keeps it from saying it."""
        if not isinstance(record, FaultyRecord):
            return self.interpret(record, line)
        for name, fault in record.faults.items():
            if name in self.needed:
                return fault
        result = self.interpret(record, line)
        if isinstance(result, Rejected | Ignored):
            for name, fault in record.faults.items():
                if name in self.used:
                    return fault
        return result


def decode_json(line: bytes) -> JsonRecord | Rejected:
    """One object."""
    try:
        return _decode_one(line)
    except _OF_ONE_FIELD:
        decoded = _records.decode_by_field(line)
        if isinstance(decoded, Rejected):
            return decoded
        values, faults = decoded
        return FaultyRecord(**values, faults=faults)
    except _UNDECODABLE as error:
        return _fault(line, error)


def decode_json_array(value: bytes) -> list[bytes] | Rejected:
    """The elements of an array, undecoded."""
    try:
        return list(map(bytes, _decode_elements(value)))
    except _UNDECODABLE as error:
        return _fault(value, error)


def decode_part(raw: msgspec.Raw, decoder: "msgspec.json.Decoder[Part]") -> Part | Rejected:
    """An object of which every field needs its type."""
    try:
        return decoder.decode(raw)
    except _UNDECODABLE as error:
        return _fault(bytes(raw), error)


def decode_object(content: bytes | msgspec.Raw | None) -> JsonObject:
    """An object's values by name, undecoded; empty for what is no object."""
    try:
        return _decode_object(content) if content else {}
    except _UNDECODABLE:
        return {}


def text_of(value: msgspec.Raw | None) -> str | None:
    """A value that is a text and not empty."""
    if not value:
        return None
    try:
        return _decode_text(value) or None
    except _UNDECODABLE:
        return None


def _fault(content: bytes, error: Exception) -> Rejected:
    try:
        content.decode()
    except UnicodeDecodeError as not_text:
        return Rejected(RejectReason.NOT_UTF8, f"byte {not_text.start} is not UTF-8")
    if isinstance(error, msgspec.ValidationError):
        return Rejected(RejectReason.WRONG_TYPE, str(error))
    if isinstance(error, RecursionError):
        return Rejected(RejectReason.MALFORMED, "JSON nested too deeply")
    return Rejected(RejectReason.MALFORMED, str(error))
