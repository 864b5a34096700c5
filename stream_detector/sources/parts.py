"""From the named parts of a log line to an event: what every format of gateways, firewalls, DNS and
web servers needs, whatever the line looks like.

The one place that decides between URL and host, drops the words that products write for nothing,
and takes the port off a client.
"""

import re
from datetime import datetime

import msgspec

from stream_detector.events import Ignored, Observed, Rejected, RejectReason, UrlEvent
from stream_detector.sources.targets import connect_target, dns_event, joined_url
from stream_detector.sources.times import to_time
from stream_detector.sources.url_syntax import is_absolute, names_target, starts_with_host

NOTHING = frozenset(
    {"", "-", "--", "*", "_", "N/A", "n/a", "NA", "None", "none", "NONE", "null", "(null)", "NULL"}
    | {"(empty)", "unknown", "Unknown", "UNKNOWN", "undefined", "Not Found", '""', "-/", "N/A/"}
)
"""Words that products write where they know no URL, host or client."""

_TUNNELS = ("tunnel://", "ssl://", "tls://", "tcp://", "udp://", "socks://", "dns://")
"""Schemes that proxies write for connections whose requests they cannot see."""
_USUAL = ("http://", "https://")
_HOSTLESS = re.compile(
    r"[A-Za-z][A-Za-z0-9+.\-]*:[/\\]{2}(?:-|_|\(empty\))?(?::[0-9]*)?(?=[/?#\\]|$)"
)
"""The start of a URL that a product built with an empty host."""
_REQUEST_LINE = re.compile(r"([A-Z_\-]{2,24}) (\S+)(?: HTTP/[0-9.]+)?(?:\\r\\n|\s|$)")
_HOST_HEADER = re.compile(r"(?:\\r\\n|\n|\r|\|)Host: ?([^\s\\|]+)", re.IGNORECASE)

_WITH_PORT = re.compile(r"(?:([0-9]+(?:\.[0-9]+){3})|\[([0-9A-Fa-f:.%]+)\])(?:[:#/][0-9]{1,5})?")
_DEFAULT_PORTS = {"http": "80", "https": "443", "ftp": "21"}

NO_TARGET = Rejected(RejectReason.NO_URL, "neither a URL nor a host name")
_PATH_ALONE = Rejected(RejectReason.NO_URL, "a path without a host name")
_NO_HOST = Rejected(RejectReason.NO_URL, "the URL names no host")


class Parts(msgspec.Struct, gc=False):
    """What a line says of one request, connection or DNS query; None for what it does not say."""

    url: str | None = None
    """A URL, with or without its scheme; a path with its query; or a whole request line."""
    host: str | None = None
    """The name or address that was asked for: of a Host header, a server name of TLS."""
    path: str | None = None
    query: str | None = None
    """Of the URL, without the question mark."""
    name: str | None = None
    """The name of a DNS query; it has precedence over all others."""
    method: str | None = None
    port: str | None = None
    """The server's."""
    scheme: str | None = None
    client: str | None = None
    """Address or name, with or without a port."""
    time: datetime | float | str | None = None
    log_id: str | None = None

    def event(self) -> UrlEvent | Rejected | Ignored:
        """An event of kind ``host`` for DNS, TLS and tunnels, of kind ``url`` for requests.

        Ignored for names that DNS asks and no host has; Rejected if no part names a host.
        """
        if self.name is not None:
            if self.name in NOTHING:
                return Rejected(RejectReason.NO_URL, "a query without a name")
            return dns_event(
                self.name, client=self._client(), time=self._time(), log_id=self._log_id()
            )
        target = self._target()
        if isinstance(target, Rejected):
            return target
        kind, observed = target
        return UrlEvent(kind, observed, self._client(), self._time(), self._log_id())

    def _target(self) -> Observed | Rejected:
        url = self.url
        if url is not None and url.startswith(_USUAL) and self.method != "CONNECT":
            if _HOSTLESS.match(url) is None:  # The fast path.
                return "url", url
        elif url is not None and url in NOTHING:
            url = None
        host = self.host
        if host is not None and host in NOTHING:
            host = None
        if self.method == "CONNECT" or (url is not None and url.startswith(_TUNNELS)):
            return _connection(url, host)
        if url is not None:
            return self._of_url(url, host)
        if host is None:
            return _PATH_ALONE if self.path and self.path not in NOTHING else NO_TARGET
        return self._of_host(host)

    def _of_url(self, url: str, host: str | None) -> Observed | Rejected:
        if url[0].isupper() and (request := _REQUEST_LINE.match(url)) is not None:
            header = _HOST_HEADER.search(url)
            return Parts(
                url=request[2], method=request[1], host=header[1] if header else host
            )._target()
        if (hostless := _HOSTLESS.match(url)) is not None:
            url = "/" + url[hostless.end() :].lstrip("/\\")
        elif is_absolute(url):
            return "url", url
        if url[0] not in "/?" and _is_whole(url, host):
            return "url", url
        if host is None:
            return _PATH_ALONE if url[0] in "/?" else _NO_HOST
        if url.startswith("//") and host in url[:300]:
            return "url", "http:" + url
        return "url", self._joined(host, url if "?" in url else self._with_query(url))

    def _of_host(self, host: str) -> Observed | Rejected:
        path, query = self.path, self.query
        if path is not None and path in NOTHING:
            path = None
        if query is not None and query in NOTHING:
            query = None
        if path is None and query is None:
            if is_absolute(host):
                return "url", host
            return "host", host
        return "url", self._joined(host, self._with_query(path or "/"))

    def _with_query(self, path: str) -> str:
        query = self.query
        if query is None or query in NOTHING:
            return path
        return f"{path}{query}" if query[0] == "?" else f"{path}?{query}"

    def _joined(self, host: str, path: str) -> str:
        port, scheme = self.port, self.scheme
        if port is not None and not port.isdigit():
            port = None
        scheme = scheme.lower() if scheme is not None and scheme not in NOTHING else "http"
        if port is not None and port in {"443", _DEFAULT_PORTS.get(scheme)}:
            scheme = "https" if port == "443" else scheme
            port = None
        url = joined_url(host, port, path)
        return url if scheme not in _DEFAULT_PORTS else scheme + url[4:]

    def _client(self) -> str | None:
        client = self.client
        return None if client is None else client_of(client)

    def _time(self) -> datetime | None:
        time = self.time
        return time if time is None or isinstance(time, datetime) else to_time(time)

    def _log_id(self) -> str | None:
        return None if self.log_id is None or self.log_id in NOTHING else self.log_id


def client_of(text: str) -> str | None:
    """The client without its port; None for a word that stands for none."""
    if text in NOTHING:
        return None
    match = _WITH_PORT.fullmatch(text) if text[-1] != "]" or text[0] == "[" else None
    return text if match is None else match[1] or match[2]


def _is_whole(url: str, host: str | None) -> bool:
    """Whether a URL without a scheme starts with its host, rather than with a path on ``host``."""
    has_more = "/" in url or ":" in url or "?" in url
    if host is not None and not has_more:
        return url == host
    # A bare name under no known top-level domain is more likely that of a file.
    return names_target(url) or (host is None and has_more and starts_with_host(url))


def _connection(url: str | None, host: str | None) -> Observed | Rejected:
    """The end of a tunnel: ``host:443``, or a URL that stands for it."""
    target = connect_target(url)
    if target is not None and target[0] not in "-:" and (":" in target or "." in target):
        return "host", target
    if host is not None:
        return "host", host
    return NO_TARGET if target is None else _NO_HOST
