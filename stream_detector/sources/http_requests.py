"""What an HTTP request's parts become: the one place that puts a URL together."""

import re
from datetime import datetime

from stream_detector.events import Rejected, RejectReason, UrlEvent

__all__ = ["http_event"]

_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://")
"""Only at the start: a path may hold a URL, as those of redirects and archives do."""

_DEFAULT_PORTS = frozenset({None, 0, "0", 80, "80"})


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
        host: name or address of the server, IPv6 with or without brackets; its own port counts
            more than ``port``.
        port: the server's.
        target: path with query, or a whole URL (asked of a proxy), or ``host:port``.
        client: who asked.
        time: when.
        log_id: the log's own identifier.
    """
    if method == "CONNECT":
        observed = target or host
        if observed:
            return UrlEvent("host", observed, client, time, log_id)
    elif target and _ABSOLUTE.match(target):
        return UrlEvent("url", target, client, time, log_id)
    if not host:
        return Rejected(RejectReason.NO_URL, "neither host name nor server address")
    target = target or "/"
    slash = "" if target[0] == "/" else "/"
    return UrlEvent("url", f"http://{_authority(host, port)}{slash}{target}", client, time, log_id)


def _authority(host: str, port: int | str | None) -> str:
    if ":" not in host:
        return host if port in _DEFAULT_PORTS else f"{host}:{port}"
    if host[0] != "[" and host.count(":") > 1:
        host = f"[{host}]"
    return host if port in _DEFAULT_PORTS or host[-1] != "]" else f"{host}:{port}"
