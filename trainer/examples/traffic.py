"""Types of ordinary traffic: front page, asset, tracker, update, private address...

The rules of ``traffic.toml`` read only the canonical text, and are short enough to be printed with
the figures that they group. They sort the benign rows of a report; no model sees them.
"""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import Any, NamedTuple

from stream_detector.canonical import registered_domain
from stream_detector.events import Kind
from trainer.examples.texts import TextParts, is_private, take_apart

_VERSION = re.compile(r"/v[0-9]{1,2}(?![^/])", re.IGNORECASE)
_TOKEN = re.compile(
    r"(?<![0-9A-Za-z])(?:"
    r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"  # a UUID
    r"|(?=[0-9A-Fa-f]*[0-9])[0-9A-Fa-f]{16,}"
    r"|(?=[0-9]*[A-Za-z])(?=[A-Za-z]*[0-9])[0-9A-Za-z]{20,}"
    r")(?![0-9A-Za-z])"
)
_ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|\[.*\]")
_MACHINE = re.compile(r"[0-9]{1,3}(?:[.\-][0-9]{1,3}){3}")

_TESTS: Mapping[str, Callable[[TextParts], bool]] = {
    "": lambda _: False,
    "private": lambda parts: is_private(parts.host),
    "front page": lambda parts: not parts.path and not parts.query,
    "version": lambda parts: bool(_VERSION.search(parts.path)),
    "token in path or query": lambda parts: bool(_TOKEN.search(f"{parts.path}?{parts.query}")),
    "token in host": lambda parts: bool(_TOKEN.search(parts.host)),
    "long query": lambda parts: len(parts.query) >= 80,
    "address": lambda parts: bool(_ADDRESS.fullmatch(parts.host)),
    "registered domain": lambda parts: registered_domain(parts.host) == parts.host,
    "machine": lambda parts: bool(_MACHINE.search(parts.host)),
}


class TrafficType(NamedTuple):
    """One type of traffic; ``traffic.toml`` explains its parts."""

    name: str
    rule: str
    """The rule in words, for a reader of figures."""
    host: frozenset[str]
    path: frozenset[str]
    endings: frozenset[str]
    test: Callable[[TextParts], bool]

    def matches(self, parts: TextParts) -> bool:
        """Whether one of its rules fits."""
        segments = parts.path.lower().split("/")
        name, dot, ending = segments[-1].rpartition(".")
        return (
            self.test(parts)
            or any(segment.partition(".")[0] in self.path for segment in segments)
            or (bool(name and dot) and ending in self.endings)
            or any(
                label in self.host
                or any(word.rstrip("0123456789") in self.host for word in label.split("-"))
                for label in parts.labels[:-1]
            )
        )


def _types() -> dict[Kind, Sequence[TrafficType]]:
    text = resources.files("trainer").joinpath("traffic.toml").read_text(encoding="ascii")
    table = tomllib.loads(text)

    def words(names: Sequence[str]) -> frozenset[str]:
        return frozenset(word for name in names for word in table["words"][name].split())

    def traffic_type(row: Mapping[str, Any]) -> TrafficType:
        return TrafficType(
            row["name"],
            row["rule"],
            host=words(row.get("host", ())),
            path=words(row.get("path", ())),
            endings=frozenset(table["endings"].get(row.get("ending"), "").split()),
            test=_TESTS[row.get("test", "")],
        )

    return {"url": [*map(traffic_type, table["url"])], "host": [*map(traffic_type, table["host"])]}


OTHER: Mapping[Kind, str] = {"url": "other page", "host": "other name"}
"""The type of a text that no rule matches."""

TRAFFIC_TYPES = _types()
"""By kind, in the order in which they are tried."""


def traffic_type(text: str, kind: Kind) -> str:
    """The name of the first of ``TRAFFIC_TYPES[kind]`` that matches, or ``OTHER``."""
    parts = take_apart(text)
    return next((one.name for one in TRAFFIC_TYPES[kind] if one.matches(parts)), OTHER[kind])
