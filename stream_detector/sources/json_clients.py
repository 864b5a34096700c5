"""The client of a JSON object, by the names that shippers give this field."""

import re

import msgspec

from stream_detector.sources.json_record import JsonRecord, decode_object, text_of, undecoded_fields

NO_CLIENT = frozenset({"", "-", "unknown", "(empty)"})
"""Written in logs for an unknown client."""


_NAMES = (
    *("source_ip", "source.ip", "client.ip", "srcip", "srcIp", "sourceIp", "clientip", "clientIp"),
    *("ClientIP", "remote_addr", "c-ip", "userip", "userIp", "source", "client"),
)
"""Other names of the client, the most telling first."""
_OBJECTS = frozenset({"source", "client"})
"""Objects with the client in ``ip``, as in ECS; the others are texts."""
_clients_of = msgspec.json.Decoder(undecoded_fields(_NAMES)).decode
_as_tuple = msgspec.structs.astuple

_WITH_PORT = re.compile(r"(?:([0-9]+(?:\.[0-9]+){3})|\[([0-9A-Fa-f:.]+)\]):[0-9]{1,5}")


def client_of(record: JsonRecord, line: bytes) -> str | None:
    """The client's address or name, without its port; None without one.

    Args:
        record: the object.
        line: the same, undecoded.
    """
    client = record.client if isinstance(record.client, str) else None
    for value in (client, record.client_ip, record.src_ip):
        if value is not None and value not in NO_CLIENT:
            return _without_port(value)
    values = _as_tuple(_clients_of(line))
    if not any(values):
        return None
    for name, raw in zip(_NAMES, values, strict=True):
        if not raw:
            continue
        text = text_of(decode_object(raw).get("ip") if name in _OBJECTS else raw)
        if text is not None and text not in NO_CLIENT:
            return _without_port(text) if ":" in text else text
    return None


def _without_port(client: str) -> str:
    match = _WITH_PORT.fullmatch(client) if ":" in client else None
    return client if match is None else match[1] or match[2]
