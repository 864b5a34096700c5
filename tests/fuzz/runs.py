"""Runs of targets: a process each, what libFuzzer says of it, and what it found."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

__all__ = ["CORPUS", "MEMORY_MB_MAX", "SECONDS_MAX", "Run", "State"]

CORPUS = Path(__file__).parent / "corpus"
SECONDS_MAX = 5
"""For one input; on a busy machine the slowest known takes a tenth of it."""
MEMORY_MB_MAX = 768
"""Of the process."""

_STATE = re.compile(
    r"^#(?P<executions>\d+)\s.*?\bcov: (?P<coverage>\d+) .*?\bcorp: (?P<corpus>\d+)", re.MULTILINE
)
_TAIL_BYTES = 65_536


class State(NamedTuple):
    """What libFuzzer last said: inputs tried, edges of code reached, inputs kept for it."""

    executions: int = 0
    coverage: int = 0
    corpus: int = 0


class Run:
    """A target that is being fuzzed."""

    def __init__(self, target: str, *, seconds: int, seed: int, folder: Path) -> None:
        """Starts it. ``folder`` gets the log, the findings and the grown corpus."""
        self.target = target
        self.log = folder / f"{target}.log"
        self._findings = folder / "findings"
        grown = folder / "corpus" / target
        for each in (self._findings, grown):
            each.mkdir(parents=True, exist_ok=True)
        self._before = set(self._findings.iterdir())
        # Only the first of two folders gets what is new.
        corpora = [str(each) for each in (grown, CORPUS / target) if each.is_dir()]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "fuzz.one_target", target),
                    f"-max_total_time={seconds}",
                    f"-seed={seed}",
                    f"-timeout={SECONDS_MAX}",
                    f"-rss_limit_mb={MEMORY_MB_MAX}",
                    f"-artifact_prefix={self._findings / target}-",
                    "-print_final_stats=1",
                    *corpora,
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
            )

    @property
    def is_running(self) -> bool:
        """Whether it goes on."""
        return self._process.poll() is None

    @property
    def has_failed(self) -> bool:
        """Whether it ended by a finding, or by a fault of its own."""
        return bool(self._process.poll())

    def state(self) -> State:
        """How far it is."""
        found = list(_STATE.finditer(self._end_of_log()))
        if not found:
            return State()
        last = found[-1]
        return State(int(last["executions"]), int(last["coverage"]), int(last["corpus"]))

    def findings(self) -> list[Path]:
        """Files with the inputs that broke a promise, in this run."""
        return sorted(
            path
            for path in set(self._findings.iterdir()) - self._before
            if path.name.startswith(f"{self.target}-")
        )

    def why(self) -> Iterator[str]:
        """The lines of the log that say what went wrong."""
        for line in self._end_of_log().splitlines():
            if re.search(r"Error\b|ERROR: |Exception\b|^  File .*(stream_detector|fuzz)/", line):
                yield line.strip()

    def stop(self) -> None:
        """End it now."""
        self._process.kill()
        self._process.wait()

    def _end_of_log(self) -> str:
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - _TAIL_BYTES))
            return log.read().decode(errors="replace")

    def __enter__(self) -> Self:
        """The run."""
        return self

    def __exit__(self, *_: object) -> None:
        """No process is left."""
        self.stop()
