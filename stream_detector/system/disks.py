"""How much room a disk has."""

from pathlib import Path
from shutil import disk_usage

__all__ = ["free_bytes"]


def free_bytes(folder: Path) -> float:
    """Bytes that are free on the disk of ``folder``; NaN where the folder is not there."""
    try:
        return float(disk_usage(folder).free)
    except OSError:
        return float("nan")
