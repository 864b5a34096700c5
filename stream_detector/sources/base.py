"""The contract of a log format. Adding one is one new module, registered in ``sources``."""

from abc import ABC, abstractmethod
from typing import ClassVar

from stream_detector.events import Ignored, Rejected, UrlEvent

__all__ = ["LineResult", "Source"]

LineResult = UrlEvent | tuple[UrlEvent, ...] | Rejected | Ignored
"""One event, several, a line at fault, or a line that names no URL by its nature."""


class Source(ABC):
    """One log format. Stateless: a line's result depends on the line alone.

    ``pipeline`` calls ``parse`` once a line, from one thread. Neither method raises: whatever
    the bytes, the result is one of ``LineResult``.
    """

    name: ClassVar[str]
    """How settings and metrics call it: lower case, underscores."""

    @abstractmethod
    def recognises(self, line: bytes) -> bool:
        """Cheaply: could ``line`` be of this format? Asked in the registry's order."""

    @abstractmethod
    def parse(self, line: bytes) -> LineResult:
        """Read one line (no line end)."""
