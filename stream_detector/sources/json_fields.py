"""JSON objects whose URL, host, client, time or id is in fields that the settings name.

A name is that of a top-level field, dots included, or a path to a nested one: ``src.addr`` is
``{"src.addr": ...}`` as well as ``{"src": {"addr": ...}}``.
"""

from collections.abc import Callable, Mapping

import msgspec

from stream_detector.sources.base import LineResult
from stream_detector.sources.json_record import (
    UNDECODABLE,
    JsonObject,
    JsonRecord,
    decode_object,
)
from stream_detector.sources.plain_json import read_object

__all__ = ["CHOOSABLE_FIELDS", "JsonFields", "chosen_fields"]

CHOOSABLE_FIELDS = ("url", "host", "client", "time", "id")
"""What a field can be chosen for."""

_Value = str | int | float | None
_decode_value: Callable[[msgspec.Raw], _Value] = msgspec.json.Decoder(_Value).decode


class JsonFields:
    """Reads objects by chosen names. A chosen ``url`` or ``host`` takes the place of ``json``'s own
    ``host``, which is the shipper's where both are there.

    Args:
        names: where each of ``CHOOSABLE_FIELDS`` is; for those not named, ``json``'s own names
            count.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names
        self._choose_target = "url" in names or "host" in names

    def result(self, line: bytes, record: JsonRecord) -> LineResult | None:
        """What an object says by the chosen fields; None where they name neither URL nor host.

        Args:
            line: the object, of no other format than ``json``.
            record: the same, decoded; it takes over what is chosen.
        """
        content = decode_object(line)
        chosen = {name: _value(content, path) for name, path in self._names.items()}
        client, time, log_id = chosen.get("client"), chosen.get("time"), chosen.get("id")
        record.client = client if isinstance(client, str) else record.client
        record.time = record.time if time is None else time
        record.id = record.id if log_id is None else str(log_id)
        if not self._choose_target:
            return None
        url, host = _text(chosen.get("url")), _text(chosen.get("host"))
        record.host = host
        if url is None and host is None:
            return None
        if "url" in chosen:
            record.url = url
        return read_object(record, line, host_chosen=host is not None)


def chosen_fields(names: Mapping[str, str]) -> JsonFields | None:
    """The reader of what the settings choose; None where they choose nothing."""
    return JsonFields(names) if names else None


def _text(value: _Value) -> str | None:
    return value if isinstance(value, str) and value else None


def _value(content: JsonObject, path: str) -> _Value:
    """The text or number at ``path``."""
    raw = content.get(path)
    try:
        if raw is not None:
            return _decode_value(raw)
        first, dot, rest = path.partition(".")
        return _value(decode_object(content[first]), rest) if dot and first in content else None
    except UNDECODABLE:
        return None
