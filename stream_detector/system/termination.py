"""SIGTERM as an orderly end, for commands that must clean up."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn


@contextmanager
def terminated_like_interrupted() -> Iterator[None]:
    """Make SIGTERM raise ``KeyboardInterrupt``, so that children and temporary files go too.

    For the main thread. A handler that the block installs takes precedence.
    """

    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
