"""Work that a thread does for the length of a block."""

import threading
from typing import Self

__all__ = ["Background"]


class Background:
    """Runs ``_run``, which ends when ``_stop`` is set, in a thread; a context manager."""

    def __init__(self, name: str) -> None:
        """Nothing is begun yet; ``name`` is that of the thread."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def _run(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Have it end, and wait for that."""
        self._stop.set()
        self._thread.join()
