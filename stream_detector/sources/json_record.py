"""One decoding for all JSON formats: which format an object is of shows in what it holds.

Fields that only one format has are typed as that format documents them; those whose name other
programs use otherwise (``http``, ``dns``, ``tls``) are looked into only by their own format.
"""

from abc import abstractmethod
from typing import ClassVar, TypeVar

import msgspec

from stream_detector.events import Rejected, RejectReason
from stream_detector.sources.base import LineResult, Source

__all__ = ["JsonRecord", "JsonSource", "decode_json", "decode_json_array", "decode_part"]


class JsonRecord(msgspec.Struct, gc=False):
    """Every top-level field that any JSON format here reads."""

    # plain JSON
    url: str | None = None
    host: str | None = None
    client: str | None = None
    client_ip: str | None = None
    time: float | str | None = None
    timestamp: float | str | None = None
    at_timestamp: float | str | None = msgspec.field(default=None, name="@timestamp")
    id: str | int | None = None
    # Zeek
    path: str | None = msgspec.field(default=None, name="_path")
    ts: float | str | None = None
    uid: str | None = None
    orig_h: str | None = msgspec.field(default=None, name="id.orig_h")
    resp_h: str | None = msgspec.field(default=None, name="id.resp_h")
    resp_p: int | None = msgspec.field(default=None, name="id.resp_p")
    method: str | None = None
    uri: str | None = None
    query: str | None = None
    trans_id: int | None = None
    # Suricata EVE
    event_type: str | None = None
    src_ip: str | None = None
    dest_ip: str | None = None
    dest_port: int | str | None = None
    flow_id: int | None = None
    http: msgspec.Raw = msgspec.Raw()
    dns: msgspec.Raw = msgspec.Raw()
    tls: msgspec.Raw = msgspec.Raw()


_decode_one = msgspec.json.Decoder(JsonRecord).decode
_decode_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode

# Broken UTF-8 inside a string that is read raises no DecodeError, but Python's own.
_UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

Part = TypeVar("Part")


class JsonSource(Source):
    """A format whose lines are JSON objects."""

    marker: ClassVar[str | None] = None
    """A field of ``JsonRecord`` that no object of this format is without; None where there is
    none. An object without any format's marker is not asked about further."""

    @abstractmethod
    def claims(self, record: JsonRecord) -> bool:
        """Is this object of this format? Asked in the registry's order."""

    @abstractmethod
    def interpret(self, record: JsonRecord) -> LineResult:
        """What the object says."""

    def recognises(self, line: bytes) -> bool:
        """Is it an object, and one that this format claims?"""
        if line[:1] != b"{":
            return False
        record = decode_json(line)
        return isinstance(record, JsonRecord) and self.claims(record)

    def parse(self, line: bytes) -> LineResult:
        """Decode and interpret."""
        record = decode_json(line)
        return self.interpret(record) if isinstance(record, JsonRecord) else record


def decode_json(line: bytes) -> JsonRecord | Rejected:
    """One object."""
    try:
        return _decode_one(line)
    except _UNDECODABLE as error:
        return _fault(line, error)


def decode_json_array(value: bytes) -> list[JsonRecord | Rejected] | Rejected:
    """An array of objects; one element at fault does not cost the others their reading."""
    try:
        return [decode_json(bytes(element)) for element in _decode_elements(value)]
    except _UNDECODABLE as error:
        return _fault(value, error)


def decode_part(raw: msgspec.Raw, decoder: "msgspec.json.Decoder[Part]") -> Part | Rejected:
    """A nested object that was left undecoded."""
    try:
        return decoder.decode(raw)
    except _UNDECODABLE as error:
        return _fault(bytes(raw), error)


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
