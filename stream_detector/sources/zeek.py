"""Zeek's http.log and dns.log, as JSON and as tab-separated values.

Fields: https://docs.zeek.org/en/master/logs/http.html and .../logs/dns.html; TSV layout and its
``#`` header lines: https://docs.zeek.org/en/master/log-formats.html. A shipper sends TSV lines
one by one, without the header: then the columns are Zeek's default ones. A ``#fields`` line in
the same record is honoured; header lines that come alone are ignored.
"""

import re
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from stream_detector.events import Ignored, Rejected, RejectReason
from stream_detector.sources.base import LineResult, Source, decode_text
from stream_detector.sources.dns_names import dns_event
from stream_detector.sources.http_requests import http_event
from stream_detector.sources.json_record import JsonRecord, JsonSource
from stream_detector.sources.times import to_time

__all__ = ["ZeekDns", "ZeekHttp", "zeek_log_path"]

_UNSET = frozenset({"-", "(empty)", ""})
_TIME = re.compile(rb"[0-9]{9,11}\.[0-9]{1,9}\t")
_HEADER = re.compile(
    rb"#(?:separator|set_separator|empty_field|unset_field|path|open|close|fields|types)(?:\s|$)"
)
_ESCAPE = re.compile(rb"\\x([0-9A-Fa-f]{2})")
_TSV_COLUMNS_MIN = 10

_COMMON = ("ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p")
_HTTP_COLUMNS = (*_COMMON, "trans_depth", "method", "host", "uri")
_DNS_COLUMNS = (*_COMMON, "proto", "trans_id", "rtt", "query")


class _Fields(NamedTuple):
    """What both forms of a line come to."""

    time: float | str | None
    uid: str | None
    client: str | None
    server: str | None
    server_port: str | None
    method: str | None
    host: str | None
    uri: str | None
    query: str | None


class _Zeek(JsonSource):
    """What both logs share: two forms, header lines."""

    marker = "uid"
    path: ClassVar[str]
    """What a ``#path`` line says, and what ``_path`` starts with (filters append to it)."""
    default_columns: ClassVar[Sequence[str]]

    def __init__(self, columns: Sequence[str] | None = None) -> None:
        self._columns = {name: place for place, name in enumerate(columns or self.default_columns)}
        # TSV lines may lack optional columns at their end, not those that are read.
        self._last = max((self._columns.get(name, 0) for name in self.default_columns), default=0)

    @abstractmethod
    def _has_columns(self, seventh: bytes, eighth: bytes) -> bool:
        """Which log a TSV line without a header is of shows in the first columns of its own."""

    @abstractmethod
    def _result(self, fields: _Fields) -> LineResult:
        """What a line of either form says."""

    def recognises(self, line: bytes) -> bool:
        """A JSON object or TSV line of this log, or a header line, which may be of any."""
        if line[:1] == b"{":
            return super().recognises(line)
        if line[:1] == b"#":
            return _HEADER.match(line) is not None
        if not _TIME.match(line):
            return False
        columns = line.split(b"\t", _TSV_COLUMNS_MIN)
        return len(columns) >= _TSV_COLUMNS_MIN and self._has_columns(*columns[6:8])

    def for_record(self, lines: Sequence[bytes]) -> Source:
        """With the columns of a ``#fields`` line, if the record has one."""
        for line in lines:
            if line.startswith(b"#fields\t"):
                return type(self)(line.decode(errors="replace").split("\t")[1:])
        return self

    def parse(self, line: bytes) -> LineResult:
        """Read a line of either form."""
        if line[:1] == b"{":
            return super().parse(line)
        if line[:1] == b"#":
            return Ignored("a header")
        text = decode_text(line)
        if isinstance(text, Rejected):
            return text
        values = text.split("\t")
        if len(values) <= self._last:
            return Rejected(
                RejectReason.MALFORMED, f"{len(values)} columns, too few for {self.name}"
            )

        def column(name: str) -> str | None:
            place = self._columns.get(name)
            if place is None or place >= len(values) or values[place] in _UNSET:
                return None
            return _without_escapes(values[place])

        return self._result(
            _Fields(
                time=column("ts"),
                uid=column("uid"),
                client=column("id.orig_h"),
                server=column("id.resp_h"),
                server_port=column("id.resp_p"),
                method=column("method"),
                host=column("host"),
                uri=column("uri"),
                query=column("query"),
            )
        )

    def interpret(self, record: JsonRecord) -> LineResult:
        """What a JSON line says."""
        if record.ts is None and record.uid is None:
            return Rejected(RejectReason.MALFORMED, "neither ts nor uid: not a line of Zeek's")
        if not _may_be_of(self.path, record):
            return Ignored("another log")
        return self._result(
            _Fields(
                time=record.ts,
                uid=record.uid,
                client=record.orig_h,
                server=record.resp_h,
                server_port=None if record.resp_p is None else str(record.resp_p),
                method=record.method,
                host=record.host,
                uri=record.uri,
                query=record.query,
            )
        )


class ZeekHttp(_Zeek):
    """http.log: one request, one URL; ``CONNECT`` names a host."""

    name = "zeek_http"
    path = "http"
    default_columns = _HTTP_COLUMNS

    def claims(self, record: JsonRecord) -> bool:
        """An object with Zeek's connection fields that is no query: other logs' are ignored."""
        return record.uid is not None and record.ts is not None and not _is_query(record)

    def _has_columns(self, seventh: bytes, eighth: bytes) -> bool:
        # trans_depth and method; ssh.log and smtp.log have another number and a word.
        return seventh.isdigit() and (eighth == b"-" or (len(eighth) > 1 and eighth.isupper()))

    def _result(self, fields: _Fields) -> LineResult:
        if fields.method is None and fields.uri is None:
            return Ignored("another log, or a reply without its request")
        return http_event(
            method=fields.method,
            host=fields.host or fields.server,
            port=fields.server_port,
            target=fields.uri,
            client=fields.client,
            time=to_time(fields.time),
            log_id=fields.uid,
        )


class ZeekDns(_Zeek):
    """dns.log: one query, one name. The answers' names are no events."""

    name = "zeek_dns"
    path = "dns"
    default_columns = _DNS_COLUMNS

    def claims(self, record: JsonRecord) -> bool:
        """An object with Zeek's connection fields and a query, or at least a transaction id."""
        return record.uid is not None and record.ts is not None and _is_query(record)

    def _has_columns(self, seventh: bytes, eighth: bytes) -> bool:  # noqa: ARG002
        return seventh in {b"udp", b"tcp"}  # proto

    def _result(self, fields: _Fields) -> LineResult:
        return dns_event(
            fields.query or "", client=fields.client, time=to_time(fields.time), log_id=fields.uid
        )


def _without_escapes(value: str) -> str:
    """TSV has a backslash, a tab, and what is no UTF-8, as ``\\xNN``."""
    if "\\x" not in value:
        return value
    plain = _ESCAPE.sub(lambda match: bytes.fromhex(match[1].decode()), value.encode())
    return plain.decode(errors="replace")


def _is_query(record: JsonRecord) -> bool:
    return (record.query is not None or record.trans_id is not None) and _may_be_of("dns", record)


def _may_be_of(path: str, record: JsonRecord) -> bool:
    return record.path is None or record.path.startswith(path)


def zeek_log_path(lines: Sequence[bytes]) -> str | None:
    """``http`` or ``dns``, as the header lines among ``lines`` say; None where they do not."""
    for line in lines:
        if line.startswith(b"#path\t"):
            return line[6:].decode(errors="replace").strip()
    for line in lines:
        if line.startswith(b"#fields\t"):
            return "dns" if b"\tquery" in line else "http" if b"\turi" in line else None
    return None
