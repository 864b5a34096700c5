"""The demo, run as a user runs it: as a process, to its end, to Ctrl-C, or to a crash."""

import os
import re
import signal
import urllib.request
import uuid
from pathlib import Path

import pytest

from support.processes import processes_with, start_module, wait_for_line, wait_until

MARK = "DEMO_TEST_MARK"


class Demo:
    """A demo whose processes can be told from all others by a mark in their environment."""

    def __init__(self, log, *arguments):
        self._mark = f"{MARK}={uuid.uuid4().hex}"
        name, _, value = self._mark.partition("=")
        # Settings of the machine's own, which the demo must not use.
        environment = {name: value, "STREAM_DETECTOR_BOOTSTRAP_SERVERS": "kafka.invalid:9092"}
        self.process = start_module(
            "stream_detector", "demo", *arguments, log=log, environment=environment
        )

    def processes(self):
        """Ids of all its processes that run."""
        return processes_with(self._mark)

    def worker(self):
        """The worker's process id, once the demo has named it."""
        line = wait_for_line(self.process, "Worker: process ")
        pid = int(re.search(r"process (\d+)", line).group(1))
        wait_until(lambda: self._is_worker(pid), timeout=30, what="the worker's start")
        return pid

    def _is_worker(self, pid):
        return b"stream_detector\0run" in Path(f"/proc/{pid}/cmdline").read_bytes()

    def output(self):
        return self.process.log.read_text(encoding="utf-8")

    def nothing_is_left(self):
        wait_until(lambda: self.processes() == [], timeout=30, what="the end of every process")


@pytest.fixture
def start(tmp_path):
    demos = []

    def start(*arguments):
        demos.append(Demo(tmp_path / "demo.log", *arguments))
        return demos[-1]

    yield start
    for demo in demos:
        demo.process.kill()
        for pid in demo.processes():
            os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
def test_it_ends_by_itself_and_accounts_for_every_record(start):
    demo = start("--records", "4000", "--rate", "2000")
    assert demo.process.wait(240) == 0, demo.output()
    demo.nothing_is_left()
    output = demo.output()
    assert output.replace("\n", "").isprintable()
    assert "All 4,000 records are accounted for" in output
    answered, silent, dead = (
        int(re.search(rf"([\d,]+) {what}", output).group(1).replace(",", ""))
        for what in ("have their verdicts", "name no URL", "are dead letters")
    )
    assert answered + silent + dead == 4000
    assert dead >= 8
    malicious, alerts = (
        int(re.search(pattern, output).group(1).replace(",", ""))
        for pattern in (r"these ([\d,]+) malicious", r"Alerts: +([\d,]+)")
    )
    assert 0 < alerts <= malicious
    # One label, and what it did.
    told = re.findall(r"(\w+) +0\.\d+ +http://intranet-payroll\S+ +\(model (\S+)\)", output)
    (before, old), (after, new) = told
    assert (before, after) == ("malicious", "benign")
    assert old != new
    assert "$ stream-detector label http://intranet-payroll" in output
    assert re.search(r"\d s after the label; nothing was stopped", output)


@pytest.mark.slow
# A retraining comes first, which takes minutes on a machine that is busy with other tests.
@pytest.mark.timeout(700)
def test_kept_running_it_names_working_addresses_until_ctrl_c(start):
    demo = start("--records", "200", "--rate", "2000", "--keep")
    wait_for_line(demo.process, "It all keeps running", timeout=600)
    metrics = re.search(r"http://\S+/metrics", wait_for_line(demo.process, "/metrics")).group()
    with urllib.request.urlopen(metrics, timeout=10) as response:
        shown = response.read().decode()
    # Those of the replay, and the false alarm, which is asked for until the verdict changes.
    records = re.search(r'stream_detector_records_total{topic="url-events"} (\d+)', shown)
    assert int(records.group(1)) > 200
    demo.process.send(signal.SIGINT)
    assert demo.process.wait(60) == 0
    demo.nothing_is_left()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_at_any_time_leaves_no_process(start, number):
    demo = start("--records", "200")
    demo.worker()
    demo.process.send(number)
    assert demo.process.wait(60) == 130
    demo.nothing_is_left()


def test_the_worker_goes_when_the_demo_is_killed(start):
    demo = start("--records", "200")
    worker = demo.worker()
    assert worker in demo.processes()
    demo.process.kill()
    demo.nothing_is_left()


def test_a_worker_that_dies_ends_the_demo_with_the_end_of_its_log(start):
    demo = start("--records", "200")
    worker = demo.worker()
    os.kill(worker, signal.SIGKILL)
    assert demo.process.wait(60) == 1
    demo.nothing_is_left()
    output = demo.output()
    assert "exit code -9" in output
    assert "worker.log" in output
    assert "Traceback" not in output
