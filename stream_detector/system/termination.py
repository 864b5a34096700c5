"""SIGTERM as an orderly end, for commands that have something to clear away."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

__all__ = ["terminated_like_interrupted"]


@contextmanager
def terminated_like_interrupted() -> Iterator[None]:
    """Make SIGTERM end this process the way Ctrl-C does: orderly, with its children and its files.

    For the main thread. What sets a handler of its own in the block goes before.
    """

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
