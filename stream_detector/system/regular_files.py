"""Reads regular files only: a pipe may block, and a device may never end."""

import errno
import os
import stat
from pathlib import Path

__all__ = ["check_regular_file", "read_regular_file"]


def read_regular_file(path: Path) -> bytes:
    """The whole file, also behind a link; never waits for another process.

    Raises:
        OSError: it can't be read, or is a folder, a pipe, a socket or a device.
    """
    # Checked after opening, so that nobody can swap the file in between.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        _check(path, os.fstat(descriptor))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)


def check_regular_file(path: Path) -> None:
    """Check a file that a library opens by its name.

    Raises:
        OSError: as ``read_regular_file``, as far as the name shows.
    """
    _check(path, path.stat())


def _check(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, f"{path.name} is not a regular file")
