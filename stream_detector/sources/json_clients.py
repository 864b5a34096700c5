"""Who asked, by the names that shippers give that field in JSON."""

import re

import msgspec

from stream_detector.sources.json_record import JsonRecord, decode_object, text_of

__all__ = ["NO_CLIENT", "client_of"]

NO_CLIENT = frozenset({"", "-", "unknown", "(empty)"})
"""What logs hold for a client that they do not know."""


class _Clients(msgspec.Struct, gc=False):
    """Other names of the client."""

    source_ip: msgspec.Raw = msgspec.Raw()
    source_dot_ip: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="source.ip")
    client_dot_ip: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="client.ip")
    srcip: msgspec.Raw = msgspec.Raw()
    src_ip_camel: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="srcIp")
    source_ip_camel: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="sourceIp")
    clientip: msgspec.Raw = msgspec.Raw()
    client_ip_camel: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="clientIp")
    client_ip_title: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="ClientIP")
    remote_addr: msgspec.Raw = msgspec.Raw()
    c_ip: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="c-ip")
    userip: msgspec.Raw = msgspec.Raw()
    user_ip_camel: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="userIp")
    source: msgspec.Raw = msgspec.Raw()
    client: msgspec.Raw = msgspec.Raw()


# Undecoded values fit whatever they are, so this raises nothing where a first decoding did not.
# To decode twice is faster than to have all these fields in every object.
_clients_of = msgspec.json.Decoder(_Clients).decode
_as_tuple = msgspec.structs.astuple
_FIELDS = _Clients.__struct_fields__
_OBJECTS = frozenset({"source", "client"})
"""Objects with the client in ``ip``, as ECS has them; the others are texts."""

_WITH_PORT = re.compile(r"(?:([0-9]+(?:\.[0-9]+){3})|\[([0-9A-Fa-f:.]+)\]):[0-9]{1,5}")


def client_of(record: JsonRecord, line: bytes) -> str | None:
    """The client's address or name, without its port; None where there is none.

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
    for name, raw in zip(_FIELDS, values, strict=True):
        if not raw:
            continue
        text = text_of(decode_object(raw).get("ip") if name in _OBJECTS else raw)
        if text is not None and text not in NO_CLIENT:
            return _without_port(text) if ":" in text else text
    return None


def _without_port(client: str) -> str:
    match = _WITH_PORT.fullmatch(client) if ":" in client else None
    return client if match is None else match[1] or match[2]
