"""Lines in blocks: all of them, in order, in bounded memory, without delay from slow input."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_detector.system.lines import BLOCK_LINES, LINE_BYTES_MAX, line_blocks


@contextmanager
def opened(path: Path) -> Iterator[int]:
    with path.open("rb") as file:
        yield file.fileno()


@contextmanager
def piped(content: bytes) -> Iterator[int]:
    """The reading end of a pipe that a thread writes ``content`` to."""
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(content)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield reading
    finally:
        thread.join()
        os.close(reading)


def lines_of(content: bytes) -> list[bytes]:
    with piped(content) as descriptor:
        return [line for lines, _ in line_blocks(descriptor) for line in lines]


@given(st.lists(st.binary(max_size=20).filter(lambda line: not {10, 13} & {*line}), max_size=40))
def test_every_line_comes_once_and_in_order(lines: list[bytes]) -> None:
    # What comes first could say that the input is compressed.
    lines = [b"first", *lines]
    assert lines_of(b"".join(line + b"\n" for line in lines)) == lines


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"\n", [b""]),
        (b"a", [b"a"]),
        (b"a\n\nb", [b"a", b"", b"b"]),
        (b"a\r\nb\rc\r\n", [b"a", b"b\rc"]),
        (b"\0\xff\n", [b"\0\xff"]),
    ],
)
def test_line_ends(content: bytes, lines: list[bytes]) -> None:
    assert lines_of(content) == lines


def test_a_file_comes_in_full_blocks_whose_bytes_add_up(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"".join(b"%d\n" % number for number in range(3 * BLOCK_LINES + 5)))

    with opened(path) as descriptor:
        blocks = list(line_blocks(descriptor))

    assert [line for lines, _ in blocks for line in lines] == [
        b"%d" % number for number in range(3 * BLOCK_LINES + 5)
    ]
    assert max(len(lines) for lines, _ in blocks) == BLOCK_LINES
    assert len(blocks) <= 8
    assert all(consumed > 0 for _, consumed in blocks), "each is a step of progress"
    assert sum(consumed for _, consumed in blocks) == path.stat().st_size


def test_long_lines_come_whole_and_in_small_blocks(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    line = b"x" * 1_000_000
    path.write_bytes((line + b"\n") * 40)

    with opened(path) as descriptor:
        blocks = [lines for lines, _ in line_blocks(descriptor)]

    assert [line for lines in blocks for line in lines] == [line] * 40
    assert max(map(len, blocks)) < 10


def test_an_endless_line_is_cut() -> None:
    lines = lines_of(b"x" * (3 * LINE_BYTES_MAX) + b"\nnext\n")

    assert [len(line) for line in lines] == [LINE_BYTES_MAX, 4]


def test_lines_of_a_slow_pipe_come_before_its_end() -> None:
    reading, writing = os.pipe()
    blocks = line_blocks(reading)
    try:
        os.write(writing, b"first\nhal")
        assert next(blocks)[0] == [b"first"]
        os.write(writing, b"f\n")
        assert next(blocks)[0] == [b"half"]
    finally:
        os.close(writing)
    assert list(blocks) == []
    os.close(reading)
