"""Commands as a user runs them: as a process, with no settings of the machine's own."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from stream_detector.settings.fields import ENVIRONMENT_PREFIX
from support.processes import ROOT

__all__ = [
    "assert_one_line_error",
    "command_line",
    "environment_of",
    "run_command",
    "run_trainer",
    "without_progress",
]

_TIMEOUT_SECONDS = 120.0

_PROGRESS = re.compile(r"^[^:\n]*, \d+ s\n", re.MULTILINE)
"""How a command says what takes it long: on a busy machine anything may."""


def command_line(*arguments: str | bytes) -> Sequence[str | bytes]:
    """The command that runs it on this checkout."""
    return [sys.executable, "-m", "stream_detector", *arguments]


def environment_of(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment with ``settings`` (names without prefix) as its only ones."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(ENVIRONMENT_PREFIX)
    }
    given = {ENVIRONMENT_PREFIX + name: value for name, value in (settings or {}).items()}
    return {**environment, "PYTHONPATH": str(ROOT), **given}


def without_progress(errors: str) -> str:
    """What a command wrote to stderr, but for the lines that say how far it is."""
    return _PROGRESS.sub("", errors)


def run_command(
    *arguments: str | bytes, stdin: bytes = b"", settings: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run it to its end; output and errors are kept as bytes, without progress."""
    done = subprocess.run(
        command_line(*arguments),
        input=stdin,
        capture_output=True,
        env=environment_of(settings),
        timeout=_TIMEOUT_SECONDS,
        check=False,
    )
    # Bytes that are no text come back as they were.
    errors = done.stderr.decode(errors="surrogateescape")
    done.stderr = without_progress(errors).encode(errors="surrogateescape")
    return done


def run_trainer(
    *arguments: object,
    folder: Path | None = None,
    settings: Mapping[str, str] | None = None,
    timeout: float = _TIMEOUT_SECONDS,
    **environment: str,
) -> subprocess.CompletedProcess[str]:
    """Run ``stream-trainer`` in ``folder`` to its end; text of output and errors, no progress.

    ``environment`` are other variables than settings.
    """
    done = subprocess.run(
        [sys.executable, "-m", "trainer", *map(str, arguments)],
        cwd=folder,
        env={**environment_of(settings), **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    done.stderr = without_progress(done.stderr)
    return done


def assert_one_line_error(
    done: subprocess.CompletedProcess[bytes], code: int, *parts: str, stdout: bytes = b""
) -> None:
    """It ended with ``code`` and one line on stderr that holds all ``parts``."""
    text = done.stderr.decode()
    assert done.returncode == code, text
    assert done.stdout == stdout
    assert text.startswith("stream-detector: ")
    assert text.count("\n") == 1
    assert text.endswith("\n")
    for part in parts:
        assert part in text
