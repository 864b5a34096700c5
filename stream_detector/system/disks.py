"""Free space of a disk."""

from pathlib import Path
from shutil import disk_usage


def free_bytes(folder: Path) -> float:
    """Free bytes on the disk of ``folder``; NaN if the folder does not exist."""
    try:
        return float(disk_usage(folder).free)
    except OSError:
        return float("nan")
