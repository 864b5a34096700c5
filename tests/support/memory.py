"""How much memory a process takes, by Linux' own account."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["peak_bytes", "takes_at_most"]


def peak_bytes(process_id: int | None = None) -> int:
    """The most resident memory that a process, by default this one, has had so far."""
    return _status("VmHWM", process_id)


@contextmanager
def takes_at_most(bytes_max: int) -> Iterator[None]:
    """Fail if the block makes this process larger by more than ``bytes_max`` at any time."""
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak
    before = _status("VmRSS", None)
    yield
    taken = peak_bytes() - before
    assert taken <= bytes_max, f"{taken:,} bytes, more than {bytes_max:,}"


def _status(name: str, process_id: int | None) -> int:
    status = Path(f"/proc/{process_id or os.getpid()}/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) * 1024
