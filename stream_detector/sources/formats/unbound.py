"""unbound's query and reply log (``log-queries``, ``log-replies``, ``log-local-actions``).

https://nlnetlabs.nl/documentation/unbound/unbound.conf/: ``10.0.0.9 a.example. A IN`` after the
level, behind ``query:`` or ``reply:`` with ``log-tag-queryreply``; a reply has more words. The time
is in seconds since the epoch, or as ``log-time-ascii`` and ``log-time-iso`` write it.

    [1767323045] unbound[812:0] info: 10.0.0.9 a.example. A IN
"""

import re

from stream_detector.events import Ignored
from stream_detector.sources.base import LineResult
from stream_detector.sources.formats.line_format import LineFormat
from stream_detector.sources.parts import Parts

_HEAD = (
    r"(?:\[([0-9]{9,10})\] |([0-9]{4}-[0-9]{2}-[0-9]{2}T\S{8,20}) |"
    r"[A-Z][a-z]{2} [0-9 ]{2} [0-9:]{8} )?"
    r"(?:unbound\[[0-9]{1,10}:[0-9a-f]{1,8}\]:? |\[[0-9]{1,10}:[0-9a-f]{1,8}\] )"
)
_LEVEL = r"(?:info|query|reply|notice|warning|error|debug|verbose|fatal error): "
_QUERY = re.compile(
    _HEAD + r"(?:info|query|reply): ([0-9A-Fa-f][0-9A-Fa-f:.%]+)(?:@[0-9]+)? (.+?) "
    r"(?:[A-Z][A-Z0-9\-]{0,9}|TYPE[0-9]+) (?:IN|ANY)(?: |$)"
)
_LOCAL_ACTION = re.compile(
    _HEAD
    + r"info: (?:[\w\-. :*]{1,300} )?(\S+) (?:[a-z_]+) ([0-9A-Fa-f:.]+)@[0-9]+ (\S+) [A-Z0-9]+ IN"
)


class Unbound(LineFormat):
    """Queries and replies; the server's own messages are ignored."""

    name = "unbound"
    starts = re.compile(_HEAD.replace("([0-9]{9,10})", "[0-9]{9,10}").encode() + _LEVEL.encode())

    def read(self, text: str) -> LineResult:
        """The name asked for, and who asked."""
        match = _QUERY.match(text)
        if match is not None:
            epoch, iso, client, name = match.groups()
            return Parts(name=name, client=client, time=epoch or iso).event()
        action = _LOCAL_ACTION.match(text)
        if action is not None:
            epoch, iso, _, client, name = action.groups()
            return Parts(name=name, client=client, time=epoch or iso).event()
        return Ignored("not a query")
