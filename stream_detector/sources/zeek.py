"""Zeek's http.log, dns.log, ssl.log and quic.log, as JSON (``zeek_json``) and as tab-separated
values (``zeek_tsv``).

Fields: https://docs.zeek.org/en/master/logs/http.html, .../dns.html, .../ssl.html; TSV layout
and its ``#`` header lines: https://docs.zeek.org/en/master/log-formats.html. A shipper sends
TSV lines one by one, without the header: then the columns are Zeek's default ones, and their types
show the log. A header in a record applies to the lines after it, up to the next header. Header
lines in records of their own are ignored, and so are lines of other logs.
"""

import re
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from stream_detector.events import Ignored, Rejected, RejectReason, UrlEvent
from stream_detector.sources.base import LineResult, Source, decode_text
from stream_detector.sources.json_record import (
    JsonRecord,
    JsonSource,
    decode_object,
    text_of,
)
from stream_detector.sources.targets import dns_event, http_event
from stream_detector.sources.times import to_time
from stream_detector.sources.zeek_json import find_connection, is_handshake, is_query, is_zeeks
from stream_detector.sources.zeek_tsv import (
    COMMON,
    UNSET,
    header_path,
    is_connection,
    is_dns_query,
    is_header,
    is_http_request,
    starts_as_handshake,
    starts_as_query,
    unset_values,
    without_escapes,
)

_TIME = re.compile(rb"[0-9]{9,11}\.[0-9]{1,9}\t")
_TSV_TABS_MIN = len(COMMON)
_OF_SIP = re.compile(r"(?:sips?|tel):", re.IGNORECASE)
_SIP_METHOD = re.compile("ACK|BYE|CANCEL|INFO|INVITE|MESSAGE|PRACK|PUBLISH|REFER|REGISTER|UPDATE")
_ANOTHER_LOG = Ignored("another log")


class _Zeek(JsonSource):
    """Shared by both logs: two forms, header lines."""

    only_json = False
    markers = ("uid", "path", "ts")
    path: ClassVar[str]
    """The log's name in a ``#path`` line; ``_path`` starts with it (filters append to it)."""
    default_columns: ClassVar[Sequence[str]]
    read_columns: ClassVar[Sequence[str]]

    def __init__(
        self,
        columns: Sequence[str] | None = None,
        *,
        another: bool = False,
        unset: frozenset[str] = UNSET,
    ) -> None:
        """A source for the lines after one header.

        Args:
            columns: names of the columns; None for the default ones.
            another: the header is that of another log.
            unset: texts that stand for a missing value.
        """
        self._another = another
        self._unset = unset
        self._has_header = columns is not None
        places = {name: place for place, name in enumerate(columns or self.default_columns)}
        self._places = [places.get(name) for name in self.read_columns]
        # TSV lines may lack optional columns at their end, but none that is read.
        self._last = max((places.get(name, 0) for name in self.default_columns), default=0)

    @abstractmethod
    def _fault(self, columns: Sequence[str]) -> LineResult | None:
        """Why a TSV line without a header, with enough columns, is not of this log."""

    @abstractmethod
    def _result(self, *fields: str | float | None) -> LineResult:
        """The result of a line of either form, given the values of ``read_columns``."""

    @abstractmethod
    def _fields(self, record: JsonRecord) -> Sequence[str | float | None]:
        """The values of ``read_columns`` in a JSON line."""

    def for_record(self, lines: Sequence[bytes]) -> Source:
        """A source with the columns of the header's ``#fields`` line, if there is one."""
        path = header_path(lines)
        if path is not None and not path.startswith(self.path):
            return type(self)(another=True)
        for line in lines:
            if line.startswith(b"#fields\t"):
                columns = line.decode(errors="replace").split("\t")[1:]
                return type(self)(columns, unset=unset_values(lines))
        return self

    def parse(self, line: bytes) -> LineResult:
        """Read a line of either form."""
        if line[:1] == b"{":
            return super().parse(line)
        if line[:1] == b"#":
            return Ignored("a header")
        text = decode_text(line)
        if not isinstance(text, str):
            return text
        return _ANOTHER_LOG if self._another else self._parse_columns(text)

    def _parse_columns(self, text: str) -> LineResult:
        values = text.split("\t")
        if len(values) <= self._last:
            return Rejected(
                RejectReason.MALFORMED, f"{len(values)} columns, too few for {self.name}"
            )
        if not self._has_header:
            if not is_connection(text):
                return Rejected(RejectReason.MALFORMED, "not the columns of a log of connections")
            fault = self._fault(values)
            if fault is not None:
                return fault
        count, unset = len(values), self._unset
        return self._result(
            *[
                None
                if place is None or place >= count or (value := values[place]) in unset
                else value
                if "\\x" not in value
                else without_escapes(value)
                for place in self._places
            ]
        )

    def interpret(self, record: JsonRecord, line: bytes) -> LineResult:
        """The result of a JSON line."""
        if record.ts is None and record.uid is None:
            return Rejected(RejectReason.MALFORMED, "neither ts nor uid: not a line of Zeek's")
        if record.path is not None and not record.path.startswith(self.path):
            return _ANOTHER_LOG
        if record.orig_h is None and record.resp_h is None:
            find_connection(record, line)
        return self._result(*self._fields(record))


class ZeekHttp(_Zeek):
    """http.log: one request, one URL; ``CONNECT`` names a host."""

    name = "zeek_http"
    path = "http"
    default_columns = (*COMMON, "trans_depth", "method", "host", "uri")
    read_columns = (
        "ts",
        "uid",
        "id.orig_h",
        "id.resp_h",
        "id.resp_p",
        "method",
        "host",
        "uri",
    )
    needed = frozenset({"uri"})
    used = frozenset({"host"})

    def claims(self, record: JsonRecord, line: bytes) -> bool:
        """Any object of Zeek's that is of neither other format; other logs are then ignored."""
        return is_zeeks(record, line) and not is_query(record) and not is_handshake(record, line)

    def recognises(self, line: bytes) -> bool:
        """A JSON object or TSV line of this log or an ignored one, or a header line."""
        if line[:1] == b"{":
            return super().recognises(line)
        if line[:1] == b"#":
            return is_header(line)
        if _TIME.match(line) is None:
            return False
        columns = line.split(b"\t", _TSV_TABS_MIN + 2)
        if len(columns) <= _TSV_TABS_MIN + 1:
            return len(columns) > _TSV_TABS_MIN
        return not starts_as_query(*columns[6:8]) and not starts_as_handshake(columns)

    def interpret(self, record: JsonRecord, line: bytes) -> LineResult:
        """The result of a JSON line."""
        if isinstance(record.host, dict) and record.method != "CONNECT" and record.uri is not None:
            return Rejected(
                RejectReason.WRONG_TYPE,
                "host is an object, which a shipper put in place of the host asked for: let it "
                "write its fields elsewhere",
            )
        return super().interpret(record, line)

    def _fault(self, columns: Sequence[str]) -> LineResult | None:
        return None if is_http_request(columns) else _ANOTHER_LOG

    def _fields(self, record: JsonRecord) -> Sequence[str | float | None]:
        return (
            record.ts,
            record.uid,
            record.orig_h,
            record.resp_h,
            record.resp_p,
            record.method,
            record.host if isinstance(record.host, str) else None,
            record.uri and without_escapes(record.uri, of_json=True),
        )

    def _result(  # type: ignore[override]
        self,
        time: float | str | None,
        uid: str | None,
        client: str | None,
        server: str | None,
        port: int | str | None,
        method: str | None,
        host: str | None,
        uri: str | None,
    ) -> LineResult:
        if method is None and uri is None:
            return Ignored("another log, or a reply without its request")
        if not host and _is_of_sip(method, uri):
            return _ANOTHER_LOG
        return http_event(
            method=method,
            host=host or server,
            port=port,
            target=uri,
            client=client,
            time=to_time(time),
            log_id=uid,
        )


class ZeekDns(_Zeek):
    """dns.log: one query, one name. Names in answers are not events."""

    name = "zeek_dns"
    path = "dns"
    default_columns = (*COMMON, "proto", "trans_id", "rtt", "query")
    read_columns = ("ts", "uid", "id.orig_h", "query")
    needed = frozenset({"query"})

    def claims(self, record: JsonRecord, line: bytes) -> bool:
        """An object of Zeek's with a query or a transaction id."""
        return is_query(record) and is_zeeks(record, line)

    def recognises(self, line: bytes) -> bool:
        """A JSON object or TSV line of this log, or a header line of any log."""
        if line[:1] == b"{":
            return super().recognises(line)
        if line[:1] == b"#":
            return is_header(line)
        if not _TIME.match(line):
            return False
        columns = line.split(b"\t", _TSV_TABS_MIN + 2)
        return len(columns) > _TSV_TABS_MIN + 2 and starts_as_query(*columns[6:8])

    def _fault(self, columns: Sequence[str]) -> LineResult | None:
        if is_dns_query(columns):
            return None
        if starts_as_query(*(column.encode() for column in columns[6:8])):
            return Rejected(
                RejectReason.MALFORMED,
                "not the columns that dns.log has by default: send its #fields line in the same "
                "record, or JSON",
            )
        return _ANOTHER_LOG

    def _fields(self, record: JsonRecord) -> Sequence[str | float | None]:
        return (
            record.ts,
            record.uid,
            record.orig_h,
            record.query and without_escapes(record.query, of_json=True),
        )

    def _result(  # type: ignore[override]
        self,
        time: float | str | None,
        uid: str | None,
        client: str | None,
        query: str | None,
    ) -> LineResult:
        return dns_event(query or "", client=client, time=to_time(time), log_id=uid)


class ZeekSsl(_Zeek):
    """ssl.log and quic.log: one handshake, the server name that the client sent."""

    name = "zeek_ssl"
    path = "ssl"
    default_columns = (*COMMON, "version", "cipher", "curve", "server_name")
    read_columns = ("ts", "uid", "id.orig_h", "server_name")

    def claims(self, record: JsonRecord, line: bytes) -> bool:
        """An object of Zeek's with a server name, or of a log of this name."""
        return is_handshake(record, line) and is_zeeks(record, line)

    def recognises(self, line: bytes) -> bool:
        """A JSON object or TSV line of ssl.log, or a header line of any log."""
        if line[:1] == b"{":
            return super().recognises(line)
        if line[:1] == b"#":
            return is_header(line)
        return _TIME.match(line) is not None and starts_as_handshake(
            line.split(b"\t", _TSV_TABS_MIN + 2)
        )

    def for_record(self, lines: Sequence[bytes]) -> Source:
        """As the base class; quic.log has the same columns by name."""
        quic = [line.replace(b"#path\tquic", b"#path\tssl", 1) for line in lines]
        return super().for_record(quic)

    def _fault(self, columns: Sequence[str]) -> LineResult | None:
        start = [column.encode() for column in columns[:8]]
        rest = "\t".join(columns[8:]).encode()
        return None if starts_as_handshake([*start, rest]) else _ANOTHER_LOG

    def interpret(self, record: JsonRecord, line: bytes) -> LineResult:
        """The result of a JSON line."""
        if record.ts is None and record.uid is None:
            return Rejected(RejectReason.MALFORMED, "neither ts nor uid: not a line of Zeek's")
        if not is_handshake(record, line):
            return _ANOTHER_LOG
        if record.orig_h is None and record.resp_h is None:
            find_connection(record, line)
        name = text_of(decode_object(line).get("server_name"))
        return self._result(record.ts, record.uid, record.orig_h, name)

    def _fields(self, record: JsonRecord) -> Sequence[str | float | None]:
        raise NotImplementedError  # ``interpret`` reads the one field that JsonRecord lacks.

    def _result(  # type: ignore[override]
        self,
        time: float | str | None,
        uid: str | None,
        client: str | None,
        server_name: str | None,
    ) -> LineResult:
        if not server_name:
            return Ignored("no server name")
        return UrlEvent("host", server_name, client, to_time(time), uid)


def _is_of_sip(method: str | None, uri: str | None) -> bool:
    """Whether it is of sip.log, which has a method and a URI too."""
    if method is not None and _SIP_METHOD.fullmatch(method):
        return True
    return uri is not None and _OF_SIP.match(uri) is not None
