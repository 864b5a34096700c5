"""Checks the promises of docker-compose.yml on the running services; prints figures for each."""

import itertools
import json
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from commands import Commands, StepFailedError

_UP_SECONDS = "300"
_WAIT_SECONDS = 120.0
_PARTITIONS = 8
_DEMO_RECORDS = 3_000
_STOP_RECORDS = 20_000
_STOP_RATE = 1_000
_SCALE_RECORDS = 8_000
_LABELLED = "http://first.example/0"
_LABELS = "/var/lib/stream-trainer/labels"
_RECORDS_READ = "sum by (instance) (stream_detector_records_total)"


class Checks:
    """Brings the services up and checks them, one after the other.

    Args:
        commands: runs Compose and Docker.
        compose: the command that runs Compose with the right files.
    """

    def __init__(self, commands: Commands, compose: Sequence[str | Path]) -> None:
        self._commands = commands
        self._compose_words = compose

    def run(self) -> None:
        """All checks.

        Raises:
            StepFailedError: the first promise that is not kept.
        """
        self._check_up()
        self._check_verdict()
        self._check_metrics()
        self._check_stop()
        self._check_scale()

    # --- the promises -----------------------------------------------------------------------

    def _check_up(self) -> None:
        """All become healthy, none runs as root, may write its root, or is without limits."""
        began = time.monotonic()
        self._compose("up", "--detach", "--wait", "--wait-timeout", _UP_SECONDS)
        seconds = time.monotonic() - began
        services = sorted(self._compose("ps", "--services").split())
        for service in services:
            [container] = self._containers(service)
            host = container["HostConfig"]
            _expect(container["State"]["Health"]["Status"] == "healthy", f"{service} is ill")
            _expect(host["ReadonlyRootfs"] and not host["Privileged"], f"{service} has rights")
            _expect(host["Memory"] > 0 and host["NanoCpus"] > 0, f"{service} has no limits")
            user = self._compose("exec", "--no-TTY", service, "id", "-u").strip()
            _expect(user.isdecimal() and user != "0", f"{service} runs as user {user}")
        self._commands.tell(
            f"up: {', '.join(services)} healthy after {seconds:.0f} s, none as root, all with "
            "limits and read-only root file systems"
        )

    def _check_verdict(self) -> None:
        """A line produced becomes a verdict, and the demo feeds its lines."""
        began = time.monotonic()
        self._probe("write", "first", 1, 1)
        found = self._probe("verdicts", "first", 1, _WAIT_SECONDS)
        seconds = time.monotonic() - began
        _expect(found["urls"] == 1, "the one record that was written has no verdict")
        verdict = found["last"]
        self._commands.tell(
            f"verdict: {verdict['observed']} is {verdict['verdict']}, score {verdict['score']:.3f} "
            f"by {verdict['model']['name']}; {seconds:.1f} s with both containers that asked"
        )
        words = ["stream-detector", "replay", "--records", str(_DEMO_RECORDS), "--rate", "1000"]
        self._compose("--profile", "demo", "run", "--rm", "--no-TTY", "demo", *words)

    def _check_metrics(self) -> None:
        """Prometheus has metrics by scraping detector and trainer; the trainer collects labels."""
        wanted = _DEMO_RECORDS + 1
        counted = self._until(
            lambda: [value for value in self._query(_RECORDS_READ).values() if value >= wanted],
            f"Prometheus has {wanted} records of the detector",
        )
        words = ["stream-detector", "label", _LABELLED, "malicious", "--analyst", "kim"]
        self._compose("run", "--rm", "--no-TTY", "--no-deps", "administrator", *words)
        # Before the first label there is no store, which is an error.
        words = ["sh", "-c", f"stream-trainer labels show {_LABELLED} --store {_LABELS} || true"]
        self._until(
            lambda: "kim" in self._compose("exec", "--no-TTY", "trainer", *words),
            "the trainer has collected the label",
        )
        up = self._until(
            lambda: (
                found
                if len(found := self._query('up{job=~"detector|trainer"}')) == 2
                and all(found.values())
                else None
            ),
            "Prometheus scrapes detector and trainer",
        )
        self._commands.tell(
            f"metrics: by Prometheus {counted[0]:,.0f} records were read, 1 written and "
            f"{_DEMO_RECORDS:,} of the demo, and 1 label collected; {len(up)} targets are up"
        )

    def _check_stop(self) -> None:
        """``compose stop detector`` amid a stream loses nothing."""
        words = ["run", "--rm", "--no-TTY", "probe", "write", "stopped"]
        writer = self._commands.start(
            *self._compose_words, *words, str(_STOP_RECORDS), str(_STOP_RATE)
        )
        try:
            self._until(
                lambda: self._probe("verdicts", "stopped", 1, 5)["urls"], "a verdict of the stream"
            )
            began = time.monotonic()
            self._compose("stop", "detector")
            seconds = time.monotonic() - began
            [container] = self._containers("detector")
            code = container["State"]["ExitCode"]
            _expect(code == 0, f"the detector that was stopped exits with {code}")
            _, errors = writer.communicate(timeout=_WAIT_SECONDS)
            _expect(writer.returncode == 0, f"the writer failed: {errors}")
        finally:
            writer.kill()
        before = self._probe("verdicts", "stopped", _STOP_RECORDS, 5)["urls"]
        _expect(0 < before < _STOP_RECORDS, f"the stop came after {before} records")
        self._compose("up", "--detach", "--wait", "--wait-timeout", _UP_SECONDS, "detector")
        found = self._probe("verdicts", "stopped", _STOP_RECORDS, _WAIT_SECONDS)
        _expect(found["urls"] == _STOP_RECORDS, f"{_STOP_RECORDS - found['urls']} records lost")
        self._commands.tell(
            f"stop: exit code {code} after {seconds:.1f} s, with {before:,} of {_STOP_RECORDS:,} "
            f"records done; started again, {found['urls']:,} have verdicts, "
            f"{found['verdicts'] - found['urls']:,} of them twice"
        )

    def _check_scale(self) -> None:
        """``--scale detector=2`` shares the partitions, and both work."""
        self._compose(
            *("up", "--detach", "--wait", "--wait-timeout", _UP_SECONDS, "--no-recreate"),
            *("--scale", "detector=2", "detector"),
        )
        members = self._until(self._two_members, "two members of the group with partitions")
        self._probe("write", "scaled", _SCALE_RECORDS, 4_000)
        found = self._probe("verdicts", "scaled", _SCALE_RECORDS, _WAIT_SECONDS)
        _expect(found["urls"] == _SCALE_RECORDS, f"{_SCALE_RECORDS - found['urls']} records lost")
        counted = self._until(
            lambda: (
                read
                if len(read := self._query(f"{_RECORDS_READ} > 0")) >= 2
                and sum(read.values()) >= _SCALE_RECORDS
                else None
            ),
            "Prometheus sees both detectors at work",
        )
        self._commands.tell(
            f"scale: partitions {' and '.join(map(str, members.values()))}; {found['urls']:,} of "
            f"{_SCALE_RECORDS:,} records have verdicts; read, by Prometheus: "
            + ", ".join(f"{value:,.0f} by {name}" for name, value in counted.items())
        )

    def _two_members(self) -> dict[str, list[int]] | None:
        """Partitions by worker once two workers share all of them."""
        group = self._probe("members")
        partitions: dict[str, list[int]] = group["partitions"]
        if group["state"] != "Stable" or len(partitions) != 2 or not all(partitions.values()):
            return None
        held = sorted(itertools.chain.from_iterable(partitions.values()))
        _expect(held == list(range(_PARTITIONS)), f"the workers have the partitions {held}")
        return partitions

    # --- means ------------------------------------------------------------------------------

    def _compose(self, *words: str) -> str:
        return self._commands.output(*self._compose_words, *words)

    def _probe(self, *words: object) -> dict[str, Any]:
        """What ``records.py`` says, run in a container of its own."""
        text = self._compose("run", "--rm", "--no-TTY", "probe", *map(str, words))
        answer: dict[str, Any] = json.loads(text)
        return answer

    def _containers(self, service: str) -> list[dict[str, Any]]:
        """What Docker knows of the containers of a service."""
        names = self._compose("ps", "--all", "--quiet", service).split()
        found: list[dict[str, Any]] = json.loads(self._commands.output("docker", "inspect", *names))
        return found

    def _query(self, expression: str) -> dict[str, float]:
        """A Prometheus query through the port published on loopback: values by instance."""
        address = self._compose("port", "prometheus", "9090").strip()
        _expect(address.startswith("127.0.0.1:"), f"Prometheus is published on {address}")
        query = urllib.parse.urlencode({"query": expression})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://{address}/api/v1/query?{query}", timeout=10) as response:
            found = json.load(response)["data"]["result"]
        return {one["metric"].get("instance", ""): float(one["value"][1]) for one in found}

    def _until(self, condition: Callable[[], Any], what: str) -> Any:
        """The first true answer of ``condition``."""
        ends = time.monotonic() + _WAIT_SECONDS
        while not (answer := condition()):
            _expect(time.monotonic() < ends, f"not within {_WAIT_SECONDS:.0f} s: {what}")
            time.sleep(2)
        return answer


def _expect(truth: bool, otherwise: str) -> None:
    if not truth:
        raise StepFailedError(otherwise)
