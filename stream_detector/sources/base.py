"""The contract of a log format. Adding one is one new module, registered in ``sources``."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from stream_detector.events import Ignored, Rejected, RejectReason, UrlEvent

__all__ = ["LineResult", "Source", "decode_text"]

LineResult = UrlEvent | tuple[UrlEvent, ...] | Rejected | Ignored
"""One event, several, a line at fault, or a line that names no URL by its nature."""


class Source(ABC):
    """One log format. Immutable: a line's result depends on the line and its record alone.

    ``sources.read_record`` calls ``for_record`` once a block of header lines (``#``) in a record,
    and ``parse`` once a line, from one thread. No method raises: whatever the bytes, the result is
    one of ``LineResult``.
    """

    name: ClassVar[str]
    """How settings and metrics call it: lower case, underscores."""

    @abstractmethod
    def recognises(self, line: bytes) -> bool:
        """Cheaply: could ``line`` be of this format? Asked in the registry's order."""

    @abstractmethod
    def parse(self, line: bytes) -> LineResult:
        """Read one line (no line end, not blank)."""

    def for_record(self, lines: Sequence[bytes]) -> "Source":  # noqa: ARG002 - for overriding
        """The source for the lines behind header lines, where ``lines`` have some that say more."""
        return self


def decode_text(line: bytes) -> str | Rejected:
    """``line`` as text."""
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        return Rejected(RejectReason.NOT_UTF8, f"byte {error.start} is not UTF-8")
