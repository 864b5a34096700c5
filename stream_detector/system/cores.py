"""How many CPU cores this process may use: by its affinity, and by the limit of its container."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

__all__ = ["usable_cores"]

_CGROUPS = Path("/sys/fs/cgroup")
_MEMBERSHIP = Path("/proc/self/cgroup")


def usable_cores(*, cgroups: Path = _CGROUPS, membership: Path = _MEMBERSHIP) -> int:
    """CPU cores that this process may use: a limit of 1.5 is 2 of them, and there is always one.

    The limit is read as the Linux kernel's documentation has it: ``cpu.max`` in
    ``admin-guide/cgroup-v2.rst``, and for version 1 ``cpu.cfs_quota_us`` and ``cpu.cfs_period_us``
    in ``scheduler/sched-bwc.rst``. The lowest counts, of the process's group and those above it.

    Args:
        cgroups: where the groups are mounted.
        membership: which of them this process is in, see ``cgroups(7)``.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1  # macOS
    return max(1, min([cores, *map(math.ceil, _limits(cgroups, membership))]))


def _limits(cgroups: Path, membership: Path) -> Iterator[float]:
    """All limits that hold for the process, in cores."""
    files: tuple[str, ...]
    for line in _text(membership).splitlines():
        _, _, names_and_path = line.partition(":")
        names, _, path = names_and_path.partition(":")
        if not names:
            mount, files = cgroups, ("cpu.max",)
        elif "cpu" in names.split(","):
            mount, files = cgroups / "cpu", ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        else:
            continue
        # Not all of a path need be there: a container may see the groups outside of it by name
        # alone, and then finds its own where they are mounted.
        own = mount / path.lstrip("/")
        for group in (own, *own.parents):
            words = " ".join(_text(group / file) for file in files).split()
            if len(words) == 2 and words[0].isdigit() and words[1].isdigit() and int(words[1]):
                yield int(words[0]) / int(words[1])  # Else it is "max", or -1.
            if group == mount:
                break


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
