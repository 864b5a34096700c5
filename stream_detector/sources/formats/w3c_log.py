"""W3C extended logs: Symantec (Blue Coat) ProxySG, IIS, Forefront TMG, CloudFront, and others.

https://www.w3.org/TR/WD-logfile: the header line ``#Fields:`` names the columns; ``for_record``
reads it, and the source it returns keeps them. Lines without a header are read where they follow
ProxySG's own layouts (``main``, ``bcreportermain_v1``) or CloudFront's in each column that can be
checked. Dates and times are UTC. IIS logs the host with ``cs-host`` alone, which is not
its default: no URL.

    #Fields: date time c-ip cs-method cs-uri-scheme cs-host cs-uri-port cs-uri-path cs-uri-query
    2026-01-02 03:04:05 10.0.0.9 GET http a.example 80 /b ?c=d
"""

import re
from collections.abc import Sequence

from stream_detector.events import Ignored, Rejected, RejectReason
from stream_detector.sources.base import LineResult
from stream_detector.sources.containers.w3c import field_names, values_of
from stream_detector.sources.formats.line_format import LineFormat
from stream_detector.sources.parts import Parts

_URLS = ("cs-uri", "c-uri", "c-url", "cs-url", "url")
_HOSTS = ("x-host-header", "cs-host", "cs(host)", "cs(x-forwarded-host)", "r-host")
_PATHS = ("cs-uri-path", "cs-uri-stem")
_CLIENTS = ("c-ip", "c-dns", "x-forwarded-for", "cs(x-forwarded-for)")
_SCHEMES = frozenset({"http", "https", "ftp", "ssl", "tcp", "tunnel", "rtsp", "mms", "ws", "wss"})
_LAYOUTS = tuple(
    tuple(layout.split())
    for layout in (
        # bcreportermain_v1
        "date time time-taken c-ip cs-username cs-auth-group x-exception-id sc-filter-result"
        " cs-categories cs(Referer) sc-status s-action cs-method rs(Content-Type) cs-uri-scheme"
        " cs-host cs-uri-port cs-uri-path cs-uri-query",
        # main
        "date time time-taken c-ip sc-status s-action sc-bytes cs-bytes cs-method cs-uri-scheme"
        " cs-host cs-uri-port cs-uri-path cs-uri-query",
        # main of SGOS 4
        "date time time-taken c-ip sc-status s-action sc-bytes cs-bytes cs-method cs-uri-scheme"
        " cs-host cs-uri-path cs-uri-query",
        # CloudFront
        "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status"
        " cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type"
        " x-edge-request-id x-host-header cs-protocol",
    )
)
_CONNECTIONS = frozenset({"ssl", "tcp", "tunnel"})


class W3c(LineFormat):
    """One request a line.

    Args:
        columns: their names by a header's line; None without one.
    """

    name = "w3c"
    starts = re.compile(
        rb"#[A-Z][A-Za-z\-]{2,30}: ?|"
        rb'"?[0-9]{4}-[0-9]{2}-[0-9]{2}"?[ \t]"?[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"?[ \t]'
        rb"(?:[0-9A-Fa-f:.]{2,45} [A-Z]{3,20} /|"
        rb"[0-9]{1,9} [0-9A-Fa-f:.]{2,45} "
        rb"(?:[0-9]{3} [A-Z_]{3,40} [0-9]{1,12} [0-9]{1,12} [A-Z\-]{1,20} [a-z\-]{1,8} |"
        rb"\S{1,80} \S{1,80} \S{1,80} (?:OBSERVED|DENIED|PROXIED|-) )|"
        rb"[A-Z]{3}[A-Z0-9\-]{1,8}\t[0-9]{1,12}\t[0-9A-Fa-f:.]{2,45}\t)"
    )

    def __init__(self, columns: Sequence[str] | None = None) -> None:
        self._value = None if columns is None else _Columns(columns)

    def for_record(self, lines: Sequence[bytes]) -> "W3c":
        """The source for lines after this header."""
        columns = field_names(lines)
        return self if columns is None else W3c(columns)

    def starts_alike(self, line: bytes) -> bool:
        """After a header every line; else a header's, and one with date, time and address."""
        return self._value is not None or self.starts.match(line) is not None

    def read(self, text: str) -> LineResult:
        """The request of one line."""
        if text[:1] == "#":
            return Ignored("a header")
        values = values_of(text)
        columns = self._value or _layout_of(values)
        if columns is None:
            if len(values) > 4 and values[4][:1] == "/":
                return Rejected(RejectReason.NO_URL, "a path alone: log cs-host as well")
            return Rejected(RejectReason.MALFORMED, "columns that no header names")
        if len(values) < columns.needed:
            return Rejected(RejectReason.MALFORMED, "fewer columns than the header names")
        return columns.parts(values).event()


class _Columns:
    """Where the columns of an event's parts are."""

    def __init__(self, names: Sequence[str]) -> None:
        places = {name.lower(): place for place, name in reversed(list(enumerate(names)))}

        def place_of(*wanted: str) -> int | None:
            return next((places[name] for name in wanted if name in places), None)

        self._url = place_of(*_URLS)
        self._host = place_of(*_HOSTS)
        self._path = place_of(*_PATHS)
        self._query = place_of("cs-uri-query")
        self._method = place_of("cs-method", "c-method")
        self._port = place_of("cs-uri-port")
        self._scheme = place_of("cs-uri-scheme", "cs-protocol")
        self._client = place_of(*_CLIENTS)
        self._date, self._time = place_of("date"), place_of("time")
        self._epoch = place_of("timestamp", "x-timestamp-unix-utc", "gmttime")
        self._log_id = place_of("x-edge-request-id", "x-bluecoat-transaction-uuid", "request-id")
        used = (self._url, self._host, self._path, self._query, self._method, self._client)
        self.needed = max((place for place in used if place is not None), default=0) + 1

    def parts(self, values: Sequence[str]) -> Parts:
        """The parts of a line with at least ``needed`` values."""

        def value(place: int | None) -> str | None:
            return values[place] if place is not None and place < len(values) else None

        scheme, method = value(self._scheme), value(self._method)
        date, clock = value(self._date), value(self._time)
        url = value(self._url)
        if scheme in _CONNECTIONS and (url is None or "://" not in url):
            method, url = "CONNECT", None
        return Parts(
            url=url,
            host=value(self._host),
            path=value(self._path),
            query=value(self._query),
            method=method,
            port=value(self._port),
            scheme=scheme,
            client=value(self._client),
            time=f"{date} {clock}" if date and clock else value(self._epoch),
            log_id=value(self._log_id),
        )


def _layout_of(values: Sequence[str]) -> _Columns | None:
    """The layout that the values fit."""
    for length, scheme, method, path, has_port, columns in _KNOWN_LAYOUTS:
        if (
            len(values) >= length
            and values[scheme] in _SCHEMES
            and (values[method].isupper() or values[method] == "-")
            and values[path][:1] in {"/", "-"}
            and (not has_port or values[path - 1].isdigit() or values[path - 1] == "-")
        ):
            return columns
    return None


_KNOWN_LAYOUTS = tuple(
    (
        len(layout),
        layout.index("cs-uri-scheme" if "cs-uri-scheme" in layout else "cs-protocol"),
        layout.index("cs-method"),
        layout.index("cs-uri-path" if "cs-uri-path" in layout else "cs-uri-stem"),
        "cs-uri-port" in layout,
        _Columns(layout),
    )
    for layout in _LAYOUTS
)
