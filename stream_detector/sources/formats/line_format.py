"""What the text formats have in common: a pattern for their lines' start, and decoding."""

import codecs
import re
from abc import abstractmethod
from typing import ClassVar

from stream_detector.events import Rejected, RejectReason
from stream_detector.sources.base import LineResult, Source

_PERCENT = "percent"
"""Decodes a byte that is not UTF-8 as a URL would have it: ``%E9``."""


def _percent_encoded(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    wrong = error.object[error.start : error.end]
    return "".join(f"%{byte:02X}" for byte in wrong), error.end


codecs.register_error(_PERCENT, _percent_encoded)


class LineFormat(Source):
    """A format whose lines all start alike. ``parse`` refuses a line that starts otherwise, also
    where the settings give the format.
    """

    starts: ClassVar[re.Pattern[bytes]]
    """What every line starts with; cheap, and for no other format's lines."""

    def recognises(self, line: bytes) -> bool:
        """Whether ``line`` starts as this format's lines do."""
        return self.starts_alike(line)

    def starts_alike(self, line: bytes) -> bool:
        """The check before ``parse``, which need not be all of ``recognises``."""
        return self.starts.match(line) is not None

    def parse(self, line: bytes) -> LineResult:
        """The event of a line; a byte that is not UTF-8 costs nothing but itself."""
        if not self.starts_alike(line):
            return Rejected(RejectReason.MALFORMED, f"no line of {self.name}")
        try:
            text = line.decode()
        except UnicodeDecodeError:
            text = line.decode(errors=_PERCENT)
        return self.read(text)

    @abstractmethod
    def read(self, text: str) -> LineResult:
        """The event of a line that ``recognises`` accepts."""
