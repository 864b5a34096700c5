"""Zeek's logs as JSON: which log an object is of, and the forms that shippers give it."""

from ipaddress import ip_address

from stream_detector.sources.json_record import JsonRecord, decode_json, decode_object, text_of

_INVENTORY = frozenset({"host_p", "port_num", "software_type", "unparsed_version"})
"""Fields of software.log, known_services.log and known_certs.log, which have a host and no uid."""


def is_query(record: JsonRecord) -> bool:
    """Whether an object of Zeek's is a line of dns.log."""
    return (record.query is not None or record.trans_id is not None) and (
        record.path is None or record.path.startswith("dns")
    )


def is_handshake(record: JsonRecord, line: bytes) -> bool:
    """Whether an object of Zeek's is a line of ssl.log or quic.log."""
    if record.path is not None:
        return record.path.startswith(("ssl", "quic"))
    return b'"server_name"' in line and "server_name" in decode_object(line)


def is_zeeks(record: JsonRecord, line: bytes) -> bool:
    """Whether it is a line of any of Zeek's logs; other programs use its field names too."""
    if record.path is not None and (record.ts is not None or record.uid is not None):
        return _is_log_name(record.path)
    if record.ts is None:
        return False
    if record.uid is None:
        return _is_of_inventory(record, line)
    # Of the logs with a uid, only http.log has a host, and always with a request.
    return (
        not isinstance(record.host, str)
        or (record.orig_h or record.resp_h or record.method or record.uri) is not None
        or is_query(record)
        or isinstance(record.id, dict)
        or "id_orig_h" in decode_object(line)
    )


def _is_log_name(path: str) -> bool:
    return path.replace("-", "_").isidentifier()


def _is_of_inventory(record: JsonRecord, line: bytes) -> bool:
    """Whether it is of known_hosts.log or a similar one, whose ``host`` is an address of a machine.

    known_hosts.log has only that and the time, with a fraction of a second in all but one of a
    million lines. An event of another program that looks the same is lost.
    """
    time, host = record.ts, record.host
    if time is None or not isinstance(host, str):
        return False
    if record.client or record.client_ip or record.src_ip or not _is_address(host):
        return False
    names = decode_object(line).keys()
    if names == {"ts", "host"}:
        return "." in time if isinstance(time, str) else time % 1 != 0
    return not _INVENTORY.isdisjoint(names)


def _is_address(text: str) -> bool:
    if not text[-1:].isdigit() and ":" not in text:  # Most names: spares the exception.
        return False
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def tagged_record(line: bytes) -> tuple[JsonRecord, bytes] | None:
    """The record inside ``{"http": {...}}``, the form of zeek-kafka's ``tag_json``, with its JSON;
    or None.
    """
    content = decode_object(line)
    if len(content) != 1:
        return None
    ((path, value),) = content.items()
    inner = bytes(value)
    record = decode_json(inner)
    if not isinstance(record, JsonRecord) or record.ts is None:
        return None
    record.path = path
    return record, inner


def find_connection(record: JsonRecord, line: bytes) -> None:
    """Fill in the addresses from ``id_orig_h`` or a nested ``id``, the forms of some shippers."""
    prefix, content = "id_", record.id
    if isinstance(content, dict):
        prefix = ""
        if not content.keys() & {"orig_h", "resp_h"}:  # of a record with a tag
            return
    else:
        content = decode_object(line)
    record.orig_h = text_of(content.get(f"{prefix}orig_h"))
    record.resp_h = text_of(content.get(f"{prefix}resp_h"))
    port = content.get(f"{prefix}resp_p")
    record.resp_p = bytes(port).decode(errors="replace").strip('"') if port else None
