"""Lines of Zeek's http.log and dns.log in both forms, and what they become."""

import json
from datetime import UTC, datetime
from typing import Any

from stream_detector.events import Rejected, RejectReason, UrlEvent
from stream_detector.sources.base import LineResult
from stream_detector.sources.zeek import ZeekDns, ZeekHttp

TIME = datetime(2026, 11, 20, 9, 0, 20, 636000, tzinfo=UTC)


CONNECTION = {
    "ts": 1795165220.636,
    "uid": "C4IqfBTvQnA2r813f5",
    "id.orig_h": "10.20.9.64",
    "id.orig_p": 48017,
    "id.resp_h": "198.18.28.112",
    "id.resp_p": 80,
}


REQUEST = {
    "trans_depth": 1,
    "method": "GET",
    "host": "example.com",
    "uri": "/a?b=c",
    "version": "1.1",
    "user_agent": "curl/8.5.0",
    "request_body_len": 0,
    "status_code": 200,
    "tags": [],
    "resp_fuids": ["FPGXN33wAFL8nMHBLj"],
}


QUERY = {
    "proto": "udp",
    "trans_id": 28456,
    "rtt": 0.017402,
    "query": "example.com",
    "qclass": 1,
    "qclass_name": "C_INTERNET",
    "qtype": 1,
    "qtype_name": "A",
    "rcode_name": "NOERROR",
    "RD": True,
    "Z": 0,
    "answers": ["cdn.example.net", "192.0.2.7"],
    "TTLs": [60.0, 60.0],
    "rejected": False,
}


HTTP_COLUMNS = (
    "ts uid id.orig_h id.orig_p id.resp_h id.resp_p trans_depth method host uri referrer version "
    "user_agent origin request_body_len response_body_len status_code status_msg info_code "
    "info_msg tags username password proxied orig_fuids orig_filenames orig_mime_types "
    "resp_fuids resp_filenames resp_mime_types"
)


DNS_COLUMNS = (
    "ts uid id.orig_h id.orig_p id.resp_h id.resp_p proto trans_id rtt query qclass qclass_name "
    "qtype qtype_name rcode rcode_name AA TC RD RA Z answers TTLs rejected"
)


HEADERS = [
    b"#separator \\x09",
    b"#set_separator\t,",
    b"#empty_field\t(empty)",
    b"#unset_field\t-",
    b"#path\thttp",
    b"#open\t2026-11-20-09-00-00",
    b"#fields\t" + HTTP_COLUMNS.replace(" ", "\t").encode(),
    b"#types\ttime\tstring\taddr\tport\taddr\tport\tcount\tstring\tstring\tstring",
    b"#close\t2026-11-20-10-00-00",
]


def as_json(fields: dict[str, Any], **other: Any) -> bytes:
    return json.dumps({**CONNECTION, **fields, **other}).encode()


def as_tsv(columns: str, fields: dict[str, Any], **other: Any) -> bytes:
    """A line as Zeek's ASCII writer has it."""
    values = {**CONNECTION, "ts": "1795165220.636000", **fields, **other}

    def written(value: Any) -> str:
        if value is None:
            return "-"
        if isinstance(value, list):
            return ",".join(map(str, value)) or "(empty)"
        return "FT"[value] if isinstance(value, bool) else str(value)

    return "\t".join(written(values.get(name)) for name in columns.split()).encode()


def http(**other: Any) -> LineResult:
    """The same from both forms."""
    result = ZeekHttp().parse(as_json(REQUEST, **other))
    assert ZeekHttp().parse(as_tsv(HTTP_COLUMNS, REQUEST, **other)) == result
    return result


def dns(**other: Any) -> LineResult:
    result = ZeekDns().parse(as_json(QUERY, **other))
    assert ZeekDns().parse(as_tsv(DNS_COLUMNS, QUERY, **other)) == result
    return result


def event(kind: str, observed: str) -> UrlEvent:
    assert kind in {"url", "host"}
    return UrlEvent(kind, observed, "10.20.9.64", TIME, "C4IqfBTvQnA2r813f5")  # type: ignore[arg-type]


def reason(result: object) -> RejectReason:
    assert isinstance(result, Rejected), result
    return result.reason
