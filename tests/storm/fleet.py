"""The workers of a storm, and what is done to them; a supervisor starts again what has ended.

All calls come from the main thread: a worker dies with the thread that started it.
"""

import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from storm.accounting import Count
from support.commands import command_line, environment_of
from support.processes import ChildProcess, free_port

__all__ = ["Fleet", "State", "Worker"]

_READY_POLL_SECONDS = 1.0
_READY_ANSWER_SECONDS = 1.0
_STOP_SECONDS = 75.0
"""``shutdown_timeout`` and the margins that a stop may take, on a machine under load."""
_EXIT_CODE_OF_SIGTERM = 0


class State(Enum):
    """What a worker does, as far as it is seen from outside."""

    STARTING = "starting"
    READY = "ready"
    PAUSED = "paused"
    STOPPING = "stopping"
    KILLED = "killed"


@dataclass
class Worker:
    """One process of ``stream-detector run``."""

    name: str
    process: ChildProcess
    port: int
    state: State = State.STARTING
    due: float = 0.0
    """When a paused one goes on, or a stopping one has to be gone, by the clock."""
    was_ready: bool = False
    comes_back: bool = True
    """Whether the supervisor starts another when it has ended."""


class Fleet:
    """Starts, signals and watches workers; ``tick`` has to be called every second or so.

    ``misbehaved`` counts workers that ended by themselves, by another exit code than a stop has,
    or not at all.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, str],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``settings`` by names without prefix; logs go to ``folder``."""
        self._folder = folder
        self._settings = settings
        self._clock = clock
        self._started = 0
        self._returns: list[float] = []
        self._next_look = 0.0
        self.workers: list[Worker] = []
        """Those that have not ended."""
        self.logs: list[Path] = []
        self.misbehaved = Count()

    @property
    def wanted(self) -> int:
        """Workers that run or come back."""
        return sum(worker.comes_back for worker in self.workers) + len(self._returns)

    def counted(self, state: State) -> int:
        """Workers in ``state``."""
        return sum(worker.state is state for worker in self.workers)

    def start(self) -> Worker:
        """One more worker; it becomes ready later."""
        self._started += 1
        name, port = f"worker-{self._started}", free_port()
        log = self._folder / f"{name}.log"
        process = ChildProcess(
            [os.fsdecode(part) for part in command_line("run")],
            log=log,
            environment=environment_of({**self._settings, "HTTP_PORT": str(port)}),
            folder=self._folder,
        )
        worker = Worker(name, process, port)
        self.workers.append(worker)
        self.logs.append(log)
        return worker

    def kill(self, worker: Worker) -> None:
        """SIGKILL."""
        worker.state = State.KILLED
        worker.process.send(signal.SIGKILL)

    def terminate(self, worker: Worker, *, comes_back: bool = True) -> None:
        """SIGTERM, to a worker that is not paused."""
        worker.state, worker.due = State.STOPPING, self._clock() + _STOP_SECONDS
        worker.comes_back = comes_back
        # The leader alone, as a supervisor does.
        os.kill(worker.process.pid, signal.SIGTERM)

    def pause(self, worker: Worker, seconds: float) -> None:
        """SIGSTOP; ``tick`` sends SIGCONT after ``seconds``."""
        worker.state, worker.due = State.PAUSED, self._clock() + seconds
        worker.process.send(signal.SIGSTOP)

    def resume_all(self) -> None:
        """SIGCONT to all that are paused."""
        for worker in self.workers:
            if worker.state is State.PAUSED:
                self._resume(worker)

    def tick(self, draw_return_after: Callable[[], float]) -> list[str]:
        """Do what is due, and say what was done.

        What has ended and comes back is started so many seconds later as is drawn for it.
        """
        now, done = self._clock(), []
        for worker in list(self.workers):
            if worker.process.exit_code is not None:
                self._bury(worker)
                if worker.comes_back:
                    self._returns.append(now + draw_return_after())
            elif worker.state is State.PAUSED and now >= worker.due:
                self._resume(worker)
                done.append(f"SIGCONT {worker.name}")
            elif worker.state is State.STOPPING and now >= worker.due:
                self.misbehaved.add(f"{worker.name} still ran {_STOP_SECONDS:.0f} s after SIGTERM")
                self.kill(worker)
        for due in [due for due in self._returns if now >= due]:
            self._returns.remove(due)
            done.append(f"start {self.start().name}")
        if now >= self._next_look:
            self._next_look = now + _READY_POLL_SECONDS
            self._look()
        return done

    def close(self) -> None:
        """Kill whatever still runs."""
        for worker in self.workers:
            worker.process.kill()

    def _resume(self, worker: Worker) -> None:
        worker.state = State.STARTING
        worker.process.send(signal.SIGCONT)

    def _bury(self, worker: Worker) -> None:
        self.workers.remove(worker)
        exit_code = worker.process.kill()
        if worker.state is State.KILLED:
            return
        if worker.state is not State.STOPPING:
            self.misbehaved.add(f"{worker.name} ended by itself, exit code {exit_code}")
        elif exit_code != _EXIT_CODE_OF_SIGTERM:
            self.misbehaved.add(f"{worker.name} ended by exit code {exit_code} after SIGTERM")

    def _look(self) -> None:
        """Ask the workers whether they are ready."""
        for worker in self.workers:
            if worker.state in {State.STARTING, State.READY}:
                is_ready = _is_ready(worker.port)
                worker.state = State.READY if is_ready else State.STARTING
                worker.was_ready |= is_ready


def _is_ready(port: int) -> bool:
    try:
        url = f"http://127.0.0.1:{port}/readyz"
        with urllib.request.urlopen(url, timeout=_READY_ANSWER_SECONDS) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False
