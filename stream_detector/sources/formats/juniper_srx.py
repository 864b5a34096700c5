"""Juniper SRX: web filtering, antivirus, advanced anti-malware and security intelligence.

https://www.juniper.net/documentation/us/en/software/junos/utm/ (structured syslog, RFC 5424):
``RT_UTM - WEBFILTER_URL_BLOCKED [junos@2636.1.1.1.2.86 source-address="10.0.0.9" url="a.example"
obj="/b"]``, and unstructured: ``RT_UTM: WEBFILTER_URL_BLOCKED: WebFilter: ACTION="URL Blocked"
10.0.0.9(5353)->192.0.2.7(80) ... URL=a.example OBJ=/b``. Here ``url`` is the host, ``obj`` the
path.
"""

import re
from collections.abc import Mapping

from stream_detector.events import Ignored, Rejected
from stream_detector.sources.base import LineResult
from stream_detector.sources.containers.key_value import pairs_of, plain
from stream_detector.sources.formats.line_format import LineFormat
from stream_detector.sources.parts import NO_TARGET, Parts
from stream_detector.sources.url_syntax import names_target

_ARROW = re.compile(r" ([0-9A-Fa-f:.]{2,45})\([0-9]{1,5}\)->")
_TAG = re.compile(r"\b(?:WEBFILTER_URL|AV|AAMW|SECINTEL|SRX_AAMW)_[A-Z_]+")


class JuniperSrx(LineFormat):
    """Logs of ``RT_UTM``, ``RT_AAMW`` and ``RT_SECINTEL``; sessions (``RT_FLOW``) are ignored."""

    name = "juniper_srx"
    starts = re.compile(
        rb"(?:RT_[A-Z]{2,14}(?: -|:)? )?(?:(?:- )?[A-Z][A-Z0-9_]{4,60}:? )?\[junos@|"
        rb"RT_(?:UTM|FLOW|IDP|IDS|AAMW|SECINTEL|SCREEN_[A-Z]+|WEB)(?: -|:) "
    )

    def read(self, text: str) -> LineResult:
        """The event of one log."""
        start = text.find("[junos@")
        body = text[start:].rstrip("] ") if start >= 0 else text
        pairs = pairs_of(body)
        tag = _TAG.search(text, 0, 120)
        if "obj" in pairs or "OBJ" in pairs or (tag and tag[0].startswith("WEBFILTER_URL_")):
            return _web_filter(pairs, text)
        host = plain(pairs.get("http-host"))
        url = plain(pairs.get("url"))
        if tag and tag[0].startswith("AV_"):
            # The file is named by the URL it came from, and the log's source is its server.
            url = plain(pairs.get("filename")) or ""
            if "/" not in url or not names_target(url):
                return Ignored("a log of no URL")
            return Parts(url=url, client=plain(pairs.get("destination-address"))).event()
        if url is not None and not names_target(url):
            url = None
        event = Parts(url=url, host=host, client=plain(pairs.get("source-address"))).event()
        return Ignored("a log without a host name") if isinstance(event, Rejected) else event


def _web_filter(pairs: Mapping[str, str], text: str) -> LineResult:
    client = plain(pairs.get("source-address"))
    if client is None and (arrow := _ARROW.search(text, 0, 400)) is not None:
        client = arrow[1]
    event = Parts(
        host=plain(pairs.get("url") or pairs.get("URL")),
        path=plain(pairs.get("obj") or pairs.get("OBJ")),
        client=client,
        log_id=plain(pairs.get("session-id")),
    ).event()
    return NO_TARGET if isinstance(event, Rejected) else event
