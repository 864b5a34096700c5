"""Huawei USG firewalls: URL filtering.

https://support.huawei.com/ (USG6000 log reference, URL/4/FILTER): pairs in brackets; ``Page`` is
the path, ``*`` where it is not known.

    %%01URL/4/FILTER(l): The URL filtering policy was matched. (SrcIp=10.0.0.9, Host="a.example",
    Page="/b", Action=Alert)
"""

import re

from stream_detector.events import Ignored, Rejected
from stream_detector.sources.base import LineResult
from stream_detector.sources.containers.key_value import delimited_pairs_of, plain
from stream_detector.sources.formats.line_format import LineFormat
from stream_detector.sources.parts import NO_TARGET, Parts


class HuaweiUsg(LineFormat):
    """Messages of the module ``URL``; those of other modules are ignored."""

    name = "huawei_usg"
    starts = re.compile(rb"%%[0-9]{2}[A-Z0-9_]{2,24}/[0-9]/")

    def read(self, text: str) -> LineResult:
        """The event of one message."""
        start = text.find("(", text.find("(") + 1)
        if not text.startswith("URL/", 4) or start < 0:
            return Ignored(f"a message of module {text[4:28].partition('/')[0]}")
        pairs = delimited_pairs_of(text[start + 1 :].rstrip(") "), ",")
        event = Parts(
            url=plain(pairs.get("URL")),
            host=plain(pairs.get("Host")),
            path=plain(pairs.get("Page")),
            client=plain(pairs.get("SrcIp")),
        ).event()
        return NO_TARGET if isinstance(event, Rejected) else event
