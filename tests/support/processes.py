"""Processes under test: the worker and other commands, each with its output in a file."""

import os
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from stream_detector.system.child_processes import (
    ChildProcess,
    ProcessEndedError,
    free_port,
    wait_until,
)

__all__ = [
    "ROOT",
    "ChildProcess",
    "ProcessEndedError",
    "answers",
    "free_port",
    "processes_with",
    "start_module",
    "wait_for_http",
    "wait_for_line",
    "wait_until",
]

ROOT = Path(__file__).resolve().parents[2]
"""The repository's top folder."""


def start_module(
    module: str,
    *arguments: str,
    log: Path,
    environment: Mapping[str, str] | None = None,
) -> ChildProcess:
    """Start ``python -m module arguments...`` on the checkout's code; output goes to ``log``.

    ``environment`` is added to this process's own.

    Start it from the test's main thread: it dies with the thread that started it.
    """
    return ChildProcess(
        [sys.executable, "-u", "-m", module, *arguments],
        log=log,
        environment={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        folder=log.parent,
    )


def wait_for_line(process: ChildProcess, text: str, *, timeout: float = 60) -> str:
    """The first line of output that contains ``text``; fails if the process ends before it."""
    found: list[str] = []

    def there() -> bool:
        lines = process.log.read_text(encoding="utf-8", errors="replace").splitlines()
        found.extend(line for line in lines if text in line)
        return bool(found)

    process.wait_until(there, timeout=timeout, what=f"a line with {text!r}")
    return found[0]


def processes_with(mark: str) -> list[int]:
    """Ids of all processes that run with ``mark``, such as ``NAME=value``, in their environment."""
    marked = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                marked.append(int(folder.name))
        except OSError:
            continue
    return marked


def answers(url: str) -> bool:
    """Does ``url`` answer with a status below 400 now?"""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status < 400)
    except (urllib.error.URLError, OSError):
        return False


def wait_for_http(process: ChildProcess, url: str, *, timeout: float = 60) -> None:
    """Wait until ``url`` answers with a status below 400; fails if the process ends first."""
    process.wait_until(lambda: answers(url), timeout=timeout, what=f"an answer from {url}")
