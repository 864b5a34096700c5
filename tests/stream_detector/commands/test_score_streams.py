"""``score`` on pipes and terminals: prompt, quiet about readers that go, colours for people."""

import json
import os
import pty
import re
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.commands import command_line, environment_of, without_progress

pytestmark = pytest.mark.slow

_TIMEOUT_SECONDS = 120.0


@contextmanager
def scoring(
    *arguments: str, stdout: int = subprocess.PIPE, variables: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """``score`` that reads from a pipe; killed if the block raises, waited for otherwise."""
    process = subprocess.Popen(
        command_line("score", *arguments),
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**environment_of(), **(variables or {})},
        bufsize=0,  # Or `select` would not see the lines that Python has read ahead.
    )
    with process:
        try:
            yield process
        except BaseException:
            process.kill()
            raise


def put(process: subprocess.Popen[bytes], text: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(text)


def read_line(process: subprocess.Popen[bytes]) -> bytes:
    """The next line of output, which has to come though no more input does."""
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], _TIMEOUT_SECONDS)[0], "no output in time"
    return process.stdout.readline()


def test_a_line_is_answered_while_stdin_stays_open() -> None:
    with scoring("--json", "-") as process:
        for number in range(3):
            put(process, b"h%d.example\nhalf of" % number)
            assert json.loads(read_line(process))["input"].endswith(f"h{number}.example")
        rest, errors = process.communicate(b" a line")

    assert json.loads(rest)["input"] == "half of a line"
    assert (process.returncode, errors) == (0, b"")


def test_the_table_is_prompt_as_well() -> None:
    with scoring("-") as process:
        put(process, b"a.example\n")
        assert b"# url: suspicious from" in read_line(process)
        assert b"# host: suspicious from" in read_line(process)
        assert b"canonical form" in read_line(process)
        assert b"a.example" in read_line(process)
        rest, errors = process.communicate()

    assert (process.returncode, rest, errors) == (0, b"", b"")


def test_ctrl_c_ends_it_without_a_trace() -> None:
    with scoring("--json", "-") as process:
        put(process, b"a.example\n")
        read_line(process)
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=_TIMEOUT_SECONDS)

    assert process.returncode == 130
    assert (rest, errors.strip()) == (b"", b"")


def test_a_reader_that_goes_ends_it_without_a_word(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"a.example\n" * 50_000)

    with scoring("--json", "--file", str(path)) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b'{"input":"a.example"')
        process.stdout.close()
        assert process.stderr is not None
        errors = process.stderr.read()

    assert process.returncode == 1
    # A slow machine may have shown its progress by then.
    assert without_progress(errors.decode()) == ""


def test_a_full_disk_is_reported_in_one_line() -> None:
    with (
        Path("/dev/full").open("wb") as full,
        scoring("a.example", stdout=full.fileno()) as process,
    ):
        _, errors = process.communicate()

    assert process.returncode == 1
    assert b"No space left on device" in errors
    assert errors.count(b"\n") == 1


@pytest.mark.parametrize(("no_color", "is_coloured"), [("", True), ("1", False)])
def test_a_terminal_gets_colours_and_no_line_that_wraps(no_color: str, is_coloured: bool) -> None:
    ours, theirs = pty.openpty()
    url = "http://a.example/" + "long/" * 50
    variables = {"NO_COLOR": no_color, "COLUMNS": "60", "TERM": "xterm"}
    try:
        with scoring(url, "no host", stdout=theirs, variables=variables) as process:
            _, errors = process.communicate()
        text = os.read(ours, 65_536).decode()
    finally:
        os.close(ours)
        os.close(theirs)

    assert (process.returncode, errors) == (0, b"")
    lines = text.splitlines()
    assert ("\x1b[" in text) == is_coloured
    assert re.search(r"malicious from 0\.\d{4}$", lines[0])
    assert "..." in lines[3]
    assert "long/" * 20 not in text
    if not is_coloured:
        assert max(map(len, lines)) == 60
