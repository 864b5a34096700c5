"""Products whose JSON objects have the target in fields of their own, one row each.

A row names the fields by which its objects are known and where the parts of an event stand; dots
lead into objects, numbers into arrays, and a name with dots in it is found too. What no row
describes, ``json`` reads by the names that most programs share.
"""

from collections.abc import Callable, Mapping

import msgspec

from stream_detector.events import Ignored
from stream_detector.sources.base import LineResult
from stream_detector.sources.json_record import (
    UNDECODABLE,
    JsonObject,
    decode_json_array,
    decode_object,
)
from stream_detector.sources.parts import NOTHING, Parts

_Value = str | int | float | bool | None
_decode_value: Callable[[msgspec.Raw], _Value] = msgspec.json.Decoder(_Value).decode
_LEAVES_MAX = 400
_DEPTH_MAX = 4


class Fields:
    """The values of an object by dotted path; inner objects are decoded once."""

    def __init__(self, content: JsonObject) -> None:
        self.content = content
        self._inner: dict[str, JsonObject] = {}

    def text(self, path: str) -> str | None:
        """The text or number at ``path``; None where there is none, or a word for nothing."""
        raw = self.content.get(path)
        if raw is None and "." in path:
            parent, _, name = path.rpartition(".")
            raw = self._object(parent).get(name)
        return _text(raw)

    def _object(self, path: str) -> JsonObject:
        known = self._inner.get(path)
        if known is None:
            raw = self.content.get(path)
            if raw is None and "." in path:
                parent, _, name = path.rpartition(".")
                raw = self._object(parent).get(name)
            known = self._inner[path] = _members(raw)
        return known

    def leaves(self) -> tuple[dict[str, str], dict[str, str]]:
        """All texts, and all numbers, by dotted path, without those in arrays."""
        texts: dict[str, str] = {}
        numbers: dict[str, str] = {}
        self._collect(self.content, "", texts, numbers)
        return texts, numbers

    def _collect(
        self, content: JsonObject, prefix: str, texts: dict[str, str], numbers: dict[str, str]
    ) -> None:
        for name, raw in content.items():
            if len(texts) + len(numbers) >= _LEAVES_MAX:
                return
            first = bytes(raw)[:1]
            if first == b"{" and prefix.count(".") < _DEPTH_MAX:
                self._collect(decode_object(raw), f"{prefix}{name}.", texts, numbers)
            elif first != b"[" and (text := _text(raw)) is not None:
                (texts if first == b'"' else numbers)[prefix + name] = text


def _text(raw: msgspec.Raw | None) -> str | None:
    if raw is None:
        return None
    try:
        value = _decode_value(raw)
    except UNDECODABLE:
        return None
    if not isinstance(value, str):
        return None if value is None or isinstance(value, bool) else str(value)
    return None if value in NOTHING else value


def _members(raw: msgspec.Raw | None) -> JsonObject:
    """The members of an object by name, the elements of an array by number."""
    if raw is None:
        return {}
    content = bytes(raw)
    if content[:1] == b"[":
        elements = decode_json_array(content)
        # A header or a question stands among the first.
        return (
            {str(place): msgspec.Raw(element) for place, element in enumerate(elements[:64])}
            if isinstance(elements, list)
            else {}
        )
    return decode_object(content)


class Product:
    """One row.

    Args:
        name: of the format, in verdicts and metrics.
        has: paths; an object of the product has a value at each.
        only: values of a path, by the path; an object with another value is passed over.
        never: values of a path, by the path; an object with one is not of this row.
        parts: paths by the name of a part (see ``Parts``); the first with a value counts.
    """

    def __init__(
        self,
        name: str,
        has: str,
        /,
        *,
        only: Mapping[str, frozenset[str]] | None = None,
        never: Mapping[str, frozenset[str]] | None = None,
        **parts: str,
    ) -> None:
        self.name = name
        self.has = has.split()
        self._only = only or {}
        self._never = never or {}
        self._parts = [(part, paths.split()) for part, paths in parts.items()]

    def claims(self, fields: Fields) -> bool:
        """Whether the object has the product's fields."""
        return all(fields.text(path) is not None for path in self.has) and not any(
            fields.text(path) in values for path, values in self._never.items()
        )

    def result(self, fields: Fields) -> LineResult:
        """The event of the object."""
        for path, values in self._only.items():
            if fields.text(path) not in values:
                return Ignored("another event")
        found: dict[str, str] = {}
        for part, paths in self._parts:
            for path in paths:
                if (value := fields.text(path)) is not None:
                    found[part] = value
                    break
        return Parts(**found).event()
