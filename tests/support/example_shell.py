"""A shell that runs examples as a user does: line by line, with those that go on in the background.

What is not the user's own is in the tables here: the options that make a line cheap, the lines that
end with another code than 0, and how a line that goes on shows that it works.
"""

import os
import re
import signal
import subprocess
import uuid
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

from support.example_world import World
from support.processes import ChildProcess, answers, wait_until
from support.prometheus import Prometheus

__all__ = ["CODES", "OPTIONS", "Shell"]

OPTIONS = {
    "stream-trainer train": "--epochs 1",
    "stream-trainer hold-out": "--epochs 1 --at-least 200 --folds 2",
    "stream-trainer study": "--epochs 1 --family bilstm --family logistic_regression",
    "stream-trainer gate": "--resamples 100",
    "stream-trainer retrain": "--epochs 1 --resamples 100 --force 'few rows'",
    "stream-detector demo": "--records 2000",
    "stream-detector replay": "--records 100",
}
"""Options that keep a command short; those that an example gives itself go before them."""

GENERATED_ROWS = 400
"""What generators write instead of the 10,000 and more of their examples, to be trained on."""

_FEW_ROWS = "the gate may refuse what one epoch on few rows gives"

CODES = {
    "stream-trainer gate bundles/url --champion served --data": ({0, 3}, _FEW_ROWS),
    "stream-trainer models publish bundles/url          # refused": ({0, 3}, _FEW_ROWS),
    "python -u": ({-signal.SIGTERM, 128 + signal.SIGTERM}, "it has no end but by a signal"),
}
"""Exit codes that are right where 0 is not the only one, by how a line begins, and why."""

_WORKER = r"http://(detector-\d|localhost):9464"
_PROMETHEUS = "http://prometheus:9090"
"""Addresses in examples of what is started when a line names it."""

_LINE_SECONDS = 900.0
_READY_SECONDS = 600.0
_STOP_SECONDS = 120.0


class _Background(NamedTuple):
    """A line that goes on until it is stopped."""

    line: str
    process: ChildProcess
    stopped: str
    """What the command line of the process has that gets SIGTERM."""


class _Endless(NamedTuple):
    """A kind of line that goes on."""

    pattern: str
    stopped: str
    is_ready: Callable[[str, str], bool]
    """By its output and the address of its health pages."""


def _is_ready_by_http(_: str, address: str) -> bool:
    return answers(f"{address}/readyz")


_ENDLESS = (
    _Endless(r"stream-detector run\b", "-m stream_detector run", _is_ready_by_http),
    _Endless(r"stream-trainer watch\b", "-m trainer watch", _is_ready_by_http),
    _Endless(r" --follow\b", "-m trainer labels", lambda output, _: "labels stored" in output),
    _Endless(r"^tail -f\b", "tail -f", lambda output, _: '"verdict"' in output),
    _Endless(r"^python -u\b", "-u -c", lambda output, _: '"alert"' in output),
)


class Shell:
    """One terminal in ``world``, and as many more as lines go on."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._exported: dict[str, str] = {}
        self._background: list[_Background] = []
        self._worker = ""
        """Address of the last worker that was started."""
        self._prometheus: Prometheus | None = None
        self._servers = ExitStack()

    def run(self, line: str) -> None:
        """Run ``line``; fails if it ends otherwise than it should, or in a stack trace."""
        real = self._with_addresses(_with_options(self._world.real(line)))
        environment = self._world.environment(real, self._exported)
        if real.startswith("export "):
            self._export(real, environment)
            return
        for endless in _ENDLESS:
            if re.search(endless.pattern, real):
                self._start(line, real, environment, endless)
                return
        process = self._process(real, environment)
        try:
            code = process.wait(_LINE_SECONDS)
        finally:
            process.kill()
        _check(line, code, process.log)

    def stop(self, kind: str = "") -> None:
        """Stop what goes on, by SIGTERM, the last started first; each has to end as it should.

        ``kind`` is in the command line of those to stop.
        """
        for background in [one for one in reversed(self._background) if kind in one.stopped]:
            self._background.remove(background)
            line, process, stopped = background
            try:
                assert process.exit_code is None, f"{line}\nended by itself:\n{process.tail()}"
                for pid in _processes_of(process.pid, stopped):
                    os.kill(pid, signal.SIGTERM)
                code = process.wait(_STOP_SECONDS)
            finally:
                process.kill()
            _check(line, code, process.log)

    def close(self) -> None:
        """Kill what still goes on."""
        for background in self._background:
            background.process.kill()
        self._servers.close()

    def _with_addresses(self, line: str) -> str:
        """``line`` with the addresses of a worker and a Prometheus that are there."""
        if not re.search(_WORKER, line) and _PROMETHEUS not in line:
            return line
        if not self._worker:
            self.run("stream-detector run")
        if _PROMETHEUS in line and self._prometheus is None:
            target = self._worker.removeprefix("http://")
            jobs = [{"job_name": "detector", "static_configs": [{"targets": [target]}]}]
            server = Prometheus(self._world.folder / "prometheus", jobs)
            self._prometheus = self._servers.enter_context(server)
            wait_until(
                lambda: bool(server.query("stream_detector_model_info")),
                timeout=_READY_SECONDS,
                what="Prometheus has scraped the worker",
            )
        url = "" if self._prometheus is None else self._prometheus.url
        return re.sub(_WORKER, self._worker, line).replace(_PROMETHEUS, url)

    def _export(self, line: str, environment: dict[str, str]) -> None:
        text = subprocess.run(
            ["bash", "-c", f"{line}\nenv -0"],
            cwd=self._world.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        after = dict(entry.split("=", 1) for entry in text.split("\0") if entry)
        self._exported |= {
            name: after[name] for name in re.findall(r"\b([A-Z_]+)=", line) if name in after
        }

    def _start(self, line: str, real: str, environment: dict[str, str], endless: _Endless) -> None:
        self.stop(endless.stopped)  # Two workers of a page would share its few partitions.
        process = self._process(real, environment)
        self._background.append(_Background(line, process, endless.stopped))
        address = f"http://127.0.0.1:{environment['STREAM_DETECTOR_HTTP_PORT']}"
        if " run" in endless.stopped:
            self._worker = address
        process.wait_until(
            lambda: endless.is_ready(process.log.read_text(errors="replace"), address),
            timeout=_READY_SECONDS,
            what=f"{line!r} works",
        )

    def _process(self, line: str, environment: dict[str, str]) -> ChildProcess:
        return ChildProcess(
            ["bash", "-c", line],
            log=self._world.folder / f".output-{uuid.uuid4().hex[:8]}",
            environment=environment,
            folder=self._world.folder,
        )


def _with_options(line: str) -> str:
    for command, options in OPTIONS.items():
        # --from is for records that are there, and takes no number of them.
        pattern = rf"\b{re.escape(command)}(?= |$)(?! --from)"
        line = re.sub(pattern, f"{command} {options}", line)
    return re.sub(r"--count \d+", f"--count {GENERATED_ROWS}", line)


def _check(line: str, code: int, log: Path) -> None:
    output = log.read_text(errors="replace")
    codes = next((of for start, (of, _) in CODES.items() if line.startswith(start)), {0})
    assert code in codes, f"{line}\nended with {code}:\n{output[-3000:]}"
    assert "Traceback" not in output, f"{line}\nended in a stack trace:\n{output[-3000:]}"


def _processes_of(group: int, words: str) -> list[int]:
    """Processes of a process group whose command line holds ``words``; not the shell's own."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError):
            of_group = int((folder / "stat").read_text().rpartition(")")[2].split()[2])
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if of_group == group and words in command and not command.startswith("bash -c"):
                found.append(int(folder.name))
    return found
