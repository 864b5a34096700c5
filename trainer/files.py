"""A lock, and files and folders that only their owner may read: they hold URLs of people.

Folders get mode 0700 and files 0600, whatever the umask; existing ones keep their mode.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


class LockedError(Exception):
    """Another process holds the lock."""


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock of the file ``path``, which stays, for the block; makes its private folder.

    The lock ends with its process, however that ends (flock(2)).

    Raises:
        LockedError: another process holds it.
        OSError: the file can't be made.
    """
    make_private_folder(path.parent)
    with _open_private(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LockedError(str(path)) from error
        yield


def make_private_folder(path: Path) -> None:
    """Make ``path`` for its owner only; missing folders above it get their mode from the umask."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def write_private(path: Path, content: bytes | str) -> None:
    """Replace the content of ``path``, text as UTF-8."""
    with _open_private(path, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)


def _open_private(path: Path, mode: str) -> IO[Any]:
    return open(path, mode, opener=lambda name, flags: os.open(name, flags, 0o600))
