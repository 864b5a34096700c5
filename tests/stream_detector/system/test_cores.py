"""Cores that may be used, by fake control groups as the kernel documents them."""

import os
from pathlib import Path

import pytest

from stream_detector.system.cores import usable_cores

CORES = 8


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with eight cores."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(CORES)), raising=False)


def cores(folder: Path, membership: str, **files: str) -> int:
    """With this membership and these files of groups, whose names have ``__`` for slashes."""
    (folder / "membership").write_text(membership)
    for name, text in files.items():
        file = folder / "groups" / name.replace("__", "/").replace("cpu_", "cpu.")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return usable_cores(cgroups=folder / "groups", membership=folder / "membership")


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("50000 100000", 1),
        ("1000 100000", 1),
        ("0 100000", 1),
        ("1600000 100000", CORES),
        ("max 100000", CORES),
        *((text, CORES) for text in ("", "200000", "200000 0", "a b", "-1 100000")),
    ],
)
def test_a_limit_of_version_2_counts_and_is_rounded_up(
    limit: str, expected: int, tmp_path: Path
) -> None:
    assert cores(tmp_path, "0::/\n", cpu_max=limit + "\n") == expected


@pytest.mark.parametrize(("quota", "expected"), [("250000", 3), ("-1", CORES), ("", CORES)])
def test_a_limit_of_version_1_counts(quota: str, expected: int, tmp_path: Path) -> None:
    membership = "5:memory:/\n4:cpu,cpuacct:/docker/0123\n0::/docker/0123\n"
    files = {"cpu__cpu_cfs_quota_us": quota + "\n", "cpu__cpu_cfs_period_us": "100000\n"}
    assert cores(tmp_path, membership, **files) == expected


def test_the_lowest_of_the_groups_above_counts_and_no_other_group(tmp_path: Path) -> None:
    files = {
        "a__cpu_max": "300000 100000\n",
        "a__b__cpu_max": "max 100000\n",
        "a__b__c__cpu_max": "400000 100000\n",
        "other__cpu_max": "100000 100000\n",
    }
    assert cores(tmp_path, "0::/a/b/c\n", **files) == 3


def test_without_groups_the_affinity_counts(tmp_path: Path) -> None:
    assert usable_cores(cgroups=tmp_path, membership=tmp_path / "none") == CORES
    assert cores(tmp_path, "no line of groups\n") == CORES
