"""Lines from a file or pipe, in blocks: large where input is fast, prompt where it is slow."""

import os
import select
from collections.abc import Iterator

__all__ = ["BLOCK_LINES", "LINE_BYTES_MAX", "Block", "line_blocks"]

BLOCK_LINES = 8192
"""Lines at which a block is full: enough for the model's batches of one length."""
LINE_BYTES_MAX = 4 * 1024 * 1024
"""Of a longer line the rest is dropped, so that memory is bounded; no URL comes near it."""

_BLOCK_BYTES = 4 * 1024 * 1024
"""Bytes at which a block is full, whatever its number of lines."""
_READ_BYTES = 1024 * 1024
_LINGER_SECONDS = 0.01
"""How long a block that is not full waits for more: a pipe holds but 64 KiB at a time."""

Block = tuple[list[bytes], int]
"""Lines without their ends (LF or CR LF), and how many bytes of input they stood in."""


def line_blocks(descriptor: int) -> Iterator[Block]:
    """Blocks of one line or more until the end of input; empty lines count.

    A last line without an end counts too. At most ``_BLOCK_BYTES + LINE_BYTES_MAX +
    _READ_BYTES`` bytes are held.
    """
    lines: list[bytes] = []
    line_bytes = 0
    consumed = 0
    rest = b""
    while data := os.read(descriptor, _READ_BYTES):
        consumed += len(data)
        *ended, tail = data.split(b"\n")
        if ended:
            lines.append(_line(rest + ended[0]))
            lines.extend(map(_line, ended[1:]))
            line_bytes += len(rest) + len(data) - len(tail)
            rest = tail
        elif len(rest) <= LINE_BYTES_MAX:
            rest += tail
        is_full = len(lines) >= BLOCK_LINES or line_bytes >= _BLOCK_BYTES
        if lines and (is_full or not _more_comes(descriptor)):
            for start in range(0, len(lines), BLOCK_LINES):
                yield lines[start : start + BLOCK_LINES], consumed if start == 0 else 0
            lines, line_bytes, consumed = [], 0, 0
    if rest:
        lines.append(_line(rest))
    if lines:
        yield lines, consumed


def _line(raw: bytes) -> bytes:
    return raw.removesuffix(b"\r")[:LINE_BYTES_MAX]


def _more_comes(descriptor: int) -> bool:
    """Whether there is more to read within the linger; a file always answers yes."""
    return bool(select.select([descriptor], [], [], _LINGER_SECONDS)[0])
