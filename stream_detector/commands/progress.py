"""Progress of commands that count bytes or offsets: see ``stream_detector.progress``."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stream_detector.progress import ShownProgress

__all__ = ["Report", "shown_progress"]

Report = Callable[[int, int, str], None]
"""Takes how much is done, of how much, and a note such as ``12,000 lines``."""


@contextmanager
def shown_progress(what: str) -> Iterator[Report]:
    """Show the progress of the block, which reports it; ``what`` is done, such as ``reading x``."""
    with ShownProgress().stage(what) as stage:
        yield lambda done, total, note: stage.update(done, note, total=total)
