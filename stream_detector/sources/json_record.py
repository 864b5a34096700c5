"""One decoding for all JSON formats; the fields of an object then show its format.

A field of the wrong type loses only that field: other programs use the same names (``client``,
``id``, ``host``) for objects and numbers. Parts with common names (``http``, ``dns``, ``tls``) are
decoded only by their own format.
"""

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from stream_detector.events import Ignored, Rejected, RejectReason
from stream_detector.sources.base import LineResult, Source, decode_text

JsonObject = dict[str, msgspec.Raw]
"""An object with undecoded values."""


class JsonRecord(msgspec.Struct, gc=False):
    """The top-level fields that most objects need; each costs decoding time.

    ``decode_object`` finds rarer ones where these are not enough.
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
    """A record that lost some of its fields."""

    faults: Faults = msgspec.field(default_factory=dict)


Part = TypeVar("Part", bound=msgspec.Struct)

UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""Raised by decoding; broken UTF-8 inside a string is no DecodeError."""
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
        """The fast path; raises as msgspec does."""
        self._fields = [
            (field.encode_name, field.name, msgspec.json.Decoder(field.type).decode)
            for field in msgspec.structs.fields(struct)
        ]

    def decode(self, content: msgspec.Raw) -> Part | Rejected:
        """The struct; Rejected if ``content`` is no object, or a needed field has a wrong type."""
        try:
            return self.decode_whole(content)
        except _OF_ONE_FIELD:
            pass
        except UNDECODABLE as error:
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
        """Values by the struct's names, and the dropped fields; several times slower."""
        try:
            raw_values = _decode_object(content)
        except UNDECODABLE as error:
            return _fault(bytes(content), error)
        values: dict[str, Any] = {}
        faults: Faults = {}
        for encoded_name, name, decode in self._fields:
            raw = raw_values.get(encoded_name)
            if raw is None:
                continue
            try:
                values[name] = decode(raw)
            except UNDECODABLE as error:
                fault = _fault(bytes(raw), error)
                detail = f"{fault.detail} - at `$.{encoded_name}`"
                faults[encoded_name] = Rejected(fault.reason, detail)
        return values, faults


_records = PartDecoder(JsonRecord)
_decode_one = _records.decode_whole


class JsonSource(Source):
    """A format whose lines are JSON objects; ``only_json`` is False if it has a text form too."""

    only_json = True
    markers: ClassVar[tuple[str, ...]] = ()
    """Fields of ``JsonRecord``; every object of this format has at least one of them. An object
    without any format's marker is ``json`` without further checks."""
    needed: ClassVar[frozenset[str]] = frozenset()
    """Names in JSON of fields whose wrong type rejects the event: without them it would name
    another host."""
    used: ClassVar[frozenset[str]] = frozenset()
    """Names of fields whose wrong type is the reason if the object gives no event."""

    @abstractmethod
    def claims(self, record: JsonRecord, line: bytes) -> bool:
        """Whether the object is of this format. Asked in the registry's order. ``line`` is the
        undecoded object, for cases that ``record`` leaves open."""

    @abstractmethod
    def interpret(self, record: JsonRecord, line: bytes) -> LineResult:
        """The events of the object; ``line`` is the same, undecoded."""

    def recognises(self, line: bytes) -> bool:
        """Whether it is an object that this format claims."""
        if line[:1] != b"{":
            return False
        record = decode_json(line)
        return isinstance(record, JsonRecord) and self.claims(record, line)

    def parse(self, line: bytes) -> LineResult:
        """Decode and interpret."""
        record = decode_json(line)
        return self.result_of(record, line) if isinstance(record, JsonRecord) else record

    def result_of(self, record: JsonRecord, line: bytes) -> LineResult:
        """The events of the object, or the fault of the field that prevents one."""
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
    except UNDECODABLE as error:
        return _fault(line, error)


def decode_json_array(value: bytes) -> list[bytes] | Rejected:
    """The elements of an array, undecoded."""
    try:
        return list(map(bytes, _decode_elements(value)))
    except UNDECODABLE as error:
        return _fault(value, error)


def decode_part(raw: msgspec.Raw, decoder: "msgspec.json.Decoder[Part]") -> Part | Rejected:
    """An object all of whose fields must have the right type."""
    try:
        return decoder.decode(raw)
    except UNDECODABLE as error:
        return _fault(bytes(raw), error)


def decode_object(content: bytes | msgspec.Raw | None) -> JsonObject:
    """An object's undecoded values by name; empty if it is no object."""
    try:
        return _decode_object(content) if content else {}
    except UNDECODABLE:
        return {}


def text_of(value: msgspec.Raw | None) -> str | None:
    """A value that is a non-empty text; None otherwise."""
    if not value:
        return None
    try:
        return _decode_text(value) or None
    except UNDECODABLE:
        return None


def undecoded_fields(names: Iterable[str]) -> type[msgspec.Struct]:
    """A struct that takes these fields of an object undecoded, whatever their types are.

    Decoding it raises nothing where a first decoding did not. For fields that are seldom there a
    second decoding is faster than a field more in every ``JsonRecord``, or a dictionary of all.
    """
    attributes = {f"field_{place}": name for place, name in enumerate(names)}
    return msgspec.defstruct(
        "Undecoded",
        [(attribute, msgspec.Raw, msgspec.Raw()) for attribute in attributes],
        rename=attributes,
        gc=False,
    )


def _fault(content: bytes, error: Exception) -> Rejected:
    if isinstance(not_text := decode_text(content), Rejected):
        return not_text
    if isinstance(error, msgspec.ValidationError):
        return Rejected(RejectReason.WRONG_TYPE, str(error))
    if isinstance(error, RecursionError):
        return Rejected(RejectReason.MALFORMED, "JSON nested too deeply")
    return Rejected(RejectReason.MALFORMED, str(error))
