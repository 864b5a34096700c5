"""JSON objects with URL, host, client, time or id in fields that the settings name (json_fields).

A name is a top-level field, dots included, or the path to a nested one: ``src.addr`` finds
``{"src.addr": ...}`` and ``{"src": {"addr": ...}}``.
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

_Value = str | int | float | None
_decode_value: Callable[[msgspec.Raw], _Value] = msgspec.json.Decoder(_Value).decode


class JsonFields:
    """Reads objects by chosen names. A chosen ``url`` or ``host`` replaces the object's own field
    ``host``, which names the shipper if both are present.

    Args:
        names: the field for each of ``CHOOSABLE_FIELDS``; the others keep ``json``'s own names.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names
        self._choose_target = "url" in names or "host" in names

    def result(self, line: bytes, record: JsonRecord) -> LineResult | None:
        """The event of the chosen fields; None if they hold neither URL nor host.

        Args:
            line: an object of the format ``json``.
            record: the same, decoded; the chosen values are written into it.
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
    """The reader for the fields that the settings name; None if they name none."""
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
