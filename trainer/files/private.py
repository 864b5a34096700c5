"""Files and folders for their owner alone, whatever the umask: they hold URLs of people.

Folders get mode 0700, files 0600. What was there before keeps its mode.
"""

import os
from pathlib import Path
from typing import IO, Any


def make_private_folder(path: Path) -> None:
    """Make ``path`` for its owner alone; folders above it that are missing too, by the umask.

    Raises:
        OSError: it can't be made.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def open_private(path: Path, mode: str, **options: Any) -> IO[Any]:
    """As ``open``; a file that is made is its owner's alone.

    Raises:
        OSError: it can't be opened.
    """
    return open(path, mode, opener=_opened, **options)


def write_private(path: Path, content: bytes | str) -> None:
    """Replace the content of ``path``, text as UTF-8; as ``open_private``.

    Raises:
        OSError: it can't be written.
    """
    with open_private(path, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)


def _opened(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
