"""A lock that goes with its process, however that ends (flock(2))."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainer.files.private import make_private_folder, open_private


class LockedError(Exception):
    """Another process holds the lock."""


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock of the file ``path`` for the block; the file is made, and stays.

    Its folder is made, too, for its owner alone: label stores and the folders of retrainings.

    Raises:
        LockedError: another process holds it.
        OSError: the file can't be made.
    """
    make_private_folder(path.parent)
    with open_private(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LockedError(str(path)) from error
        yield
