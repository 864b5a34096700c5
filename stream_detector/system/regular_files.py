"""Reads regular files only: a pipe may block, and a device may never end."""

import errno
from pathlib import Path


def read_regular_file(path: Path) -> bytes:
    """The whole file, also behind a link.

    Raises:
        OSError: it can't be read, or is a folder, a pipe, a socket or a device.
    """
    check_regular_file(path)
    return path.read_bytes()


def check_regular_file(path: Path) -> None:
    """Check a file that a library opens by its name.

    Raises:
        OSError: as ``read_regular_file``.
    """
    path.stat()  # Unlike is_file, it says why there is none.
    if not path.is_file():
        raise OSError(errno.EINVAL, f"{path.name} is not a regular file")
