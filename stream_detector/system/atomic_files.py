"""Files that readers and a crash see whole or not at all."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO


@contextlib.contextmanager
def atomic_file(path: Path, *, mode: int = 0o644) -> Iterator[IO[bytes]]:
    """A new binary file that takes the name ``path`` when the block ends without an error.

    Until then, and after an error, ``path`` keeps its content. A killed process leaves its draft in
    the same folder, named ``.NAME-*.draft``. After the block, file and folder are on disk. ``mode``
    does not depend on the umask.

    Raises:
        OSError: the disk is full or the folder may not be written.
    """
    descriptor, name = tempfile.mkstemp(".draft", f".{path.name}-", path.parent)
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    # Without this the rename itself may be lost in a power cut.
    sync_folder(path.parent)


def write_atomically(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Replace the content of ``path`` as a whole; see ``atomic_file`` for errors."""
    with atomic_file(path, mode=mode) as file:
        file.write(content)


def sync_folder(folder: Path) -> None:
    """Wait until the names in ``folder`` are on disk.

    Raises:
        OSError: it can't be opened.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
