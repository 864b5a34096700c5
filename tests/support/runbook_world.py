"""An installation for the runbook's commands: a Kafka of its own, one worker, one trainer."""

import re
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from support.broker import KafkaBroker, java_command
from support.bundles import save_small_bundle
from support.certificates import CertificateAuthority
from support.commands import environment_of
from support.processes import ChildProcess, free_port
from support.runbook import VARIABLES, Command, missing_line

__all__ = ["Installation"]

_COMMAND_SECONDS = 240.0
_REPEAT_SECONDS = 240.0
"""How long a command that asks for a state is typed again, as a person does."""

_TOOLS = {
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
    "kafka-configs.sh": "org.apache.kafka.tools.ConfigCommand",
    "kafka-log-dirs.sh": "org.apache.kafka.tools.LogDirsCommand",
    "kafka-consumer-groups.sh": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-console-consumer.sh": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-console-producer.sh": "org.apache.kafka.tools.ConsoleProducer",
}
_ENDLESS = {"detector": "stream-detector run", "trainer": "stream-trainer watch"}
_ASKS = (
    "curl ",
    "kafka-consumer-groups.sh --bootstrap-server $BOOTSTRAP --describe",
    "stream-trainer labels show",
)


class Installation:
    """Runs commands with the runbook's variables; only their values are the test's own."""

    def __init__(self, broker: KafkaBroker, folder: Path) -> None:
        self.broker = broker
        self.folder = folder
        self.before: Any = None
        """What a test has kept to compare with."""
        self._processes: dict[str, ChildProcess] = {}
        self._started: dict[str, Command] = {}
        ports = {name: free_port() for name in _ENDLESS}
        authority = CertificateAuthority(folder / "certificates")
        self.values = {
            "BOOTSTRAP": broker.bootstrap_servers,
            "WORKER": f"http://127.0.0.1:{ports['detector']}",
            "TRAINER": f"http://127.0.0.1:{ports['trainer']}",
            "FOLDER": str(folder / "trainer"),
            "STREAM_DETECTOR_MODEL_STORE": str(folder / "models"),
            "BUNDLE": str(folder / "new"),
            "BACKUP": str(folder / "backup"),
            "CERTIFICATE": str(authority.issue("kafka-1").certificate),
        }
        self._ports = ports
        for name, kind, seed in (("url", "url", 0), ("host", "host", 0), ("new", "url", 1)):
            save_small_bundle(folder / name, kind, seed=seed)
        for name in ("backup", "models"):  # As an administrator, or a volume, makes them.
            (folder / name).mkdir()
        programs = folder / "bin"
        programs.mkdir()
        commands = {
            "stream-detector": [sys.executable, "-m", "stream_detector"],
            "stream-trainer": [sys.executable, "-m", "trainer"],
            **{name: _tool(main) for name, main in _TOOLS.items()},
        }
        for name, command in commands.items():
            (programs / name).write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
            (programs / name).chmod(0o755)

    def run(self, command: Command) -> None:
        """Type it, and fail where it ends with an error or does not print what it should."""
        name = next((n for n, start in _ENDLESS.items() if command.line.startswith(start)), "")
        if name:
            self._start(name, command)
            return
        deadline = time.monotonic() + _REPEAT_SECONDS
        while True:
            done = self._run(command.line)
            missing = missing_line(command, done.stdout + done.stderr)
            asked_again = command.line.startswith(_ASKS) and time.monotonic() < deadline
            if (done.returncode == 0 and not missing) or not asked_again:
                break
            time.sleep(0.5)
        shown = f"$ {command.line}\n{done.stdout}{done.stderr}"
        assert done.returncode == 0, f"ended with {done.returncode}: {shown}"
        assert not missing, f"lacks {missing!r}: {shown}"

    def output(self, line: str) -> str:
        """What a command of the test's own prints; it has to end with 0."""
        done = self._run(line)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _run(self, line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", self._script(line)],
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )

    def restart(self, name: str) -> None:
        """Start ``detector`` or ``trainer`` by the command that started it before."""
        self._start(name, self._started[name])

    def stop(self, name: str) -> None:
        """SIGTERM to ``detector`` or ``trainer``, which has to end with 0; it may have ended."""
        process = self._processes.pop(name, None)
        if process is None:
            return
        try:
            code = process.stop()
            assert code == 0, process.tail()
        finally:
            process.kill()

    def ended(self, name: str) -> str:
        """The end of the output of ``detector`` or ``trainer``, which has to end by an error."""
        process = self._processes.pop(name)
        try:
            assert process.wait(_REPEAT_SECONDS) == 1, process.tail()
            return process.tail()
        finally:
            process.kill()

    def close(self) -> None:
        """Kill what goes on."""
        for process in self._processes.values():
            process.kill()

    def _start(self, name: str, command: Command) -> None:
        self._started[name] = command
        process = ChildProcess(
            ["bash", "-c", self._script(command.line, run="exec ")],
            log=self.folder / f"{name}-{time.monotonic_ns()}.log",
            environment={
                **self._environment(),
                "STREAM_DETECTOR_HTTP_PORT": str(self._ports[name]),
            },
            folder=self.folder,
        )
        self._processes[name] = process
        process.wait_until(
            lambda: not missing_line(command, process.log.read_text(errors="replace")),
            timeout=_REPEAT_SECONDS,
            what=f"{command.line!r} prints {command.expected}",
        )

    def _script(self, line: str, run: str = "") -> str:
        assigned = [re.sub(r"=.*", "", each.removeprefix("export ")) for each in VARIABLES]
        script = [
            f"{each.partition('=')[0]}={shlex.quote(self.values[name])}"
            if name in self.values
            else each
            for each, name in zip(VARIABLES, assigned, strict=True)
        ]
        return "\n".join(["set -e -o pipefail", *script, run + line])

    def _environment(self) -> dict[str, str]:
        settings = {
            "URL_BUNDLE": str(self.folder / "url"),
            "HOST_BUNDLE": str(self.folder / "host"),
            "DEVICE": "cpu",
            "TOPIC_PARTITIONS": "1",
        }
        environment = environment_of(settings)
        return {**environment, "PATH": f"{self.folder / 'bin'}:{environment['PATH']}"}


def _tool(main_class: str) -> list[str]:
    """As Kafka's own scripts run it, which log warnings alone."""
    java, *arguments = java_command(main_class, heap="128m")
    return [java, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", *arguments]
