"""Long work shows a bar on a terminal and a line every few seconds elsewhere, never in results."""

import io
import subprocess
import sys
import time

import pytest
from rich.console import Console

from stream_detector.terminal.progress import ShownProgress
from support.commands import command_line, environment_of
from support.processes import free_port
from support.seen import run_seen

BAR = "━"
NAMES = ("generate-names", "--count", "1000000")
"""Some five seconds of work."""


def lines_of(*, seconds: float, first_line_seconds: float) -> list[str]:
    """The lines that a stage of so many seconds writes where there is no terminal."""
    written = io.StringIO()
    progress = ShownProgress(
        Console(file=written), first_line_seconds=first_line_seconds, line_seconds=0.05
    )
    with progress.stage("reading [b]x[/b].csv", 10) as stage:
        stage.update(3, "2 of them bad")
        time.sleep(seconds)
    return written.getvalue().splitlines()


def test_without_a_terminal_long_work_writes_a_line_now_and_then():
    first, *more = lines_of(seconds=0.5, first_line_seconds=0.05)

    assert first == "reading [b]x[/b].csv, 3 of 10, 2 of them bad, 0 s"
    assert more


def test_short_work_writes_nothing():
    assert lines_of(seconds=0.1, first_line_seconds=10) == []


def test_a_line_tells_of_the_innermost_stage():
    written = io.StringIO()
    progress = ShownProgress(Console(file=written), first_line_seconds=0.05, line_seconds=60)
    with progress.stage("comparing"), progress.stage("resamples", 500) as stage:
        stage.update(25)
        time.sleep(0.5)

    assert written.getvalue() == "resamples, 25 of 500, 0 s\n"


def trainer(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "trainer", *arguments]


@pytest.mark.slow
def test_rows_are_counted_on_stderr_and_the_results_are_whole():
    done = subprocess.run(
        trainer(*NAMES), capture_output=True, env=environment_of(), text=True, check=True
    )

    assert done.stdout.count("\n") == 1_000_001
    assert "writing rows" not in done.stdout
    lines = done.stderr.splitlines()
    assert lines
    assert all(line.startswith("writing rows, ") for line in lines)
    assert " of 1,000,000, 2 s" in lines[0]


@pytest.mark.slow
def test_a_terminal_shows_a_bar_and_a_pipe_gets_the_results():
    seen = run_seen(trainer(*NAMES), environment=environment_of())

    assert seen.code == 0
    assert seen.output.count(b"\n") == 1_000_001
    assert BAR in seen.terminal
    assert "/1000000" in seen.terminal
    assert "writing rows, " not in seen.terminal


@pytest.mark.slow
@pytest.mark.kafka
@pytest.mark.parametrize("terminal", [False, True])
def test_records_written_to_kafka_are_counted(kafka, topics, terminal):
    command = command_line("replay", "--records", "400", "--rate", "100")
    environment = environment_of(
        {"BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "INPUT_TOPICS": topics("events")}
    )
    if terminal:
        seen = run_seen(command, environment=environment)
        assert BAR in seen.terminal
        assert "200/400" in seen.terminal
        output = seen.output.decode()
    else:
        done = subprocess.run(command, capture_output=True, env=environment, text=True, check=True)
        assert "writing records, 200 of 400, " in done.stderr or " of 400, " in done.stderr
        output = done.stdout

    assert output.startswith("400 records in events-")
    assert output.count("\n") == 1


@pytest.mark.slow
def test_doctor_shows_its_progress_on_stderr():
    port = str(free_port())
    command = command_line("doctor", "--bootstrap-servers", "127.0.0.1:1", "--http-port", port)
    seen = run_seen(command, environment=environment_of())

    assert seen.code == 1
    assert all(line.startswith(("ok ", "FAIL ")) for line in seen.output.decode().splitlines())
    assert "checking this machine and the models" in seen.terminal
