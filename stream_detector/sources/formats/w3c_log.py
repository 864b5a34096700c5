"""W3C extended logs: Symantec (Blue Coat) ProxySG, IIS, Forefront TMG, CloudFront, and others.

https://www.w3.org/TR/WD-logfile: the header line ``#Fields:`` names the columns; ``for_record``
reads it, and the source it returns keeps them. Lines without a header are read where what
stands in their columns tells the product: ProxySG by scheme, host and port side by side, IIS by
method and path, CloudFront by its edge location. Dates and times are UTC. IIS logs the host with
``cs-host`` alone, which is not its default: no URL.

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
from stream_detector.sources.url_syntax import names_target

_URLS = ("cs-uri", "c-uri", "c-url", "cs-url", "url")
_HOSTS = ("x-host-header", "cs-host", "cs(host)", "cs(x-forwarded-host)", "r-host")
_PATHS = ("cs-uri-path", "cs-uri-stem")
_CLIENTS = ("c-ip", "c-dns", "x-forwarded-for", "cs(x-forwarded-for)")
_SCHEMES = frozenset({"http", "https", "ftp", "ssl", "tcp", "tunnel", "rtsp", "mms", "ws", "wss"})
_CLOUDFRONT = (
    *(
        "date",
        "time",
        "x-edge-location",
        "sc-bytes",
        "c-ip",
        "cs-method",
        "cs(Host)",
        "cs-uri-stem",
    ),
    *("sc-status", "cs(Referer)", "cs(User-Agent)", "cs-uri-query", "cs(Cookie)"),
    *("x-edge-result-type", "x-edge-request-id", "x-host-header", "cs-protocol"),
)
_DATE_AND_TIME = rb"[0-9]{4}-[0-9]{2}-[0-9]{2}[ \t][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?[ \t]"
_ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(?:%[0-9]+)?")
_STATUS = re.compile(r"[1-5][0-9]{2}")
_CONNECTIONS = frozenset({"ssl", "tcp", "tunnel"})


class W3c(LineFormat):
    """One request a line.

    Args:
        columns: their names by a header's line; None without one.
    """

    name = "w3c"
    starts = re.compile(
        rb"#[A-Z][A-Za-z\-]{2,30}: ?|"
        # IIS: site, computer and address of the server in any choice, method and path
        + _DATE_AND_TIME
        + rb"(?:[^\s/]{1,64} ){1,3}[A-Z]{3,20} /\S{0,4096} \S{1,4096} [0-9]{1,5} |"
        # ProxySG: time taken, client, and at some place scheme, host and port
        + rb"(?:[0-9]{1,10} )?"
        + _DATE_AND_TIME
        + rb'(?:"[^"]{0,64}" )?[0-9]{1,9} [0-9A-Fa-f:.]{2,45} .{0,2048}?'
        rb' "?(?:https?|ftp|ssl|tcp|tunnel|rtsp|mms|wss?)"? [^\s/]{1,255} (?:[0-9]{1,5} |/)|'
        # CloudFront: place, bytes, client
         + _DATE_AND_TIME + rb"[A-Z]{3}[A-Z0-9\-]{1,8}\t[0-9]{1,12}\t[0-9A-Fa-f:.]{2,45}\t"
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
        columns = self._value
        if columns is None:
            return _without_header(values)
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


def _without_header(values: Sequence[str]) -> LineResult:
    """A line of one of the products whose columns can be told by what stands in them."""
    if len(values) >= len(_CLOUDFRONT) and values[5].isupper() and values[16] in _SCHEMES:
        return _CLOUDFRONT_COLUMNS.parts(values).event()
    for place in range(3, min(6, len(values) - 6)):
        if values[place].isupper() and values[place + 1][:1] == "/":
            return _of_iis(values, place)
    for place in range(4, min(40, len(values) - 2)):
        if values[place] in _SCHEMES and (values[place + 2].isdigit() or "/" in values[place + 2]):
            return _of_proxysg(values, place)
    return Rejected(RejectReason.MALFORMED, "columns that no header names")


def _of_iis(values: Sequence[str], method: int) -> LineResult:
    """``cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip``; if ``cs-host`` is logged, it
    is the last before ``sc-status sc-substatus sc-win32-status``.
    """
    host = None
    for place in range(method + 7, len(values) - 2):
        if _STATUS.fullmatch(values[place]) and values[place + 1].isdigit():
            word = values[place - 1]
            host = word if names_target(word) and "/" not in word else None
            break
    if host is None:
        return Rejected(RejectReason.NO_URL, "a path alone: log cs-host as well")
    return Parts(
        host=host,
        path=values[method + 1],
        query=values[method + 2],
        port=values[method + 3],
        client=values[method + 5],
        time=f"{values[0]} {values[1]}",
    ).event()


def _of_proxysg(values: Sequence[str], scheme: int) -> LineResult:
    """``cs-uri-scheme cs-host cs-uri-port cs-uri-path cs-uri-query``, old versions without port,
    the SSL log without path and query.
    """
    date = 0 if values[0][4:5] == "-" else 1
    client = next(
        (value for value in values[date + 2 : date + 6] if _ADDRESS.fullmatch(value)), None
    )
    path = scheme + (3 if values[scheme + 2].isdigit() else 2)
    rest = (*values[path : path + 2], "", "")
    is_tunnel = values[scheme] in _CONNECTIONS or "CONNECT" in values[:scheme]
    return Parts(
        method="CONNECT" if is_tunnel else None,
        host=values[scheme + 1],
        path=rest[0] if rest[0][:1] == "/" else "/",
        query=rest[1] if rest[1][:1] == "?" else None,
        port=values[scheme + 2],
        scheme=values[scheme],
        client=client,
        time=f"{values[date]} {values[date + 1]}",
    ).event()


_CLOUDFRONT_COLUMNS = _Columns(_CLOUDFRONT)
