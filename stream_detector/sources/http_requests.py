"""From the parts of an HTTP request to an event: the one place that builds a URL."""

import re
from datetime import datetime

from stream_detector.events import Rejected, RejectReason, UrlEvent
from stream_detector.sources.url_syntax import is_absolute

_DEFAULT_PORTS = frozenset({None, 0, "0", 80, "80"})

_CONNECT_TARGET = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.\-]*://)?([^/?#\s]+)")


def http_event(
    *,
    method: str | None,
    host: str | None,
    port: int | str | None,
    target: str | None,
    client: str | None,
    time: datetime | None,
    log_id: str | None,
) -> UrlEvent | Rejected:
    """An event of kind ``host`` for ``CONNECT``, else of kind ``url``.

    Args:
        method: as in the request line.
        host: name or address of the server, IPv6 with or without brackets; a port in it takes
            precedence over ``port``.
        port: the server's.
        target: path with query, or a whole URL (asked of a proxy), or ``host:port``.
        client: address or name of the client.
        time: of the request.
        log_id: the log's own identifier.
    """
    if method == "CONNECT":
        observed = connect_target(target) or host
        if observed:
            return UrlEvent("host", observed, client, time, log_id)
    elif target and target[0] != "/" and is_absolute(target):
        return UrlEvent("url", target, client, time, log_id)
    if not host:
        return Rejected(RejectReason.NO_URL, "a request without a host name")
    return UrlEvent("url", joined_url(host, port, target), client, time, log_id)


def connect_target(target: str | None) -> str | None:
    """The host and port that a ``CONNECT`` asks for; None if there is none.

    Logs have ``host:443``, ``host:443 /`` and ``tunnel://host:443/``.
    """
    match = _CONNECT_TARGET.match(target) if target else None
    return match[1] if match else None


def joined_url(host: str, port: int | str | None, target: str | None) -> str:
    """The URL of these parts; see ``http_event``."""
    target = target or "/"
    slash = "" if target[0] == "/" else "/"
    return f"http://{_authority(host, port)}{slash}{target}"


def _authority(host: str, port: int | str | None) -> str:
    if ":" not in host:
        return host if port in _DEFAULT_PORTS else f"{host}:{port}"
    if host[0] != "[" and host.count(":") > 1:
        host = f"[{host}]"
    return host if port in _DEFAULT_PORTS or host[-1] != "]" else f"{host}:{port}"
