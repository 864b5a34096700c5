"""Lines of a file or pipe, in blocks: large from fast input, without delay from slow input."""

import sys
from collections.abc import Iterator
from pathlib import Path

from stream_detector.system.unpacking import Unpacked

BLOCK_LINES = 8192
"""A full block: enough for the model's batches of texts of one length."""
LINE_BYTES_MAX = 4 * 1024 * 1024
"""The rest of a longer line is dropped, to bound memory; no URL comes near."""

_BLOCK_BYTES = 4 * 1024 * 1024
"""A block of this size is full with fewer lines too."""

Block = tuple[list[bytes], int]
"""Lines without their ends (LF or CR LF), and the bytes of input that they took."""


def line_blocks(descriptor: int) -> Iterator[Block]:
    """Blocks of one line or more until the end of input; empty lines count.

    Compressed input is unpacked; a last line may lack its end. Memory is bounded by ``_BLOCK_BYTES
    + LINE_BYTES_MAX + READ_BYTES``.

    Raises:
        StreamDetectorError: the input is an archive, or compressed and damaged.
        OSError: it can't be read.
    """
    source = Unpacked(descriptor)
    lines: list[bytes] = []
    line_bytes = 0
    done = 0
    rest = b""
    while data := source.read():
        *ended, tail = data.split(b"\n")
        if ended:
            lines.append(_line(rest + ended[0]))
            lines.extend(map(_line, ended[1:]))
            line_bytes += len(rest) + len(data) - len(tail)
            rest = tail
        elif len(rest) <= LINE_BYTES_MAX:
            rest += tail
        is_full = len(lines) >= BLOCK_LINES or line_bytes >= _BLOCK_BYTES
        if lines and (is_full or not source.more_comes()):
            for start in range(0, len(lines), BLOCK_LINES):
                block = lines[start : start + BLOCK_LINES]
                # Blocks share the bytes read, so that progress follows the lines.
                share = (source.consumed - done) * len(block) // (len(lines) - start)
                yield block, share
                done += share
            lines, line_bytes = [], 0
    if rest:
        lines.append(_line(rest))
    if lines:
        yield lines, source.consumed - done


def blocks_of(name: str) -> Iterator[Block]:
    """``line_blocks`` of the file called ``name``; ``-`` is stdin.

    Raises:
        StreamDetectorError: as ``line_blocks``.
        OSError: likewise.
    """
    if name == "-":
        yield from line_blocks(sys.stdin.fileno())
        return
    with Path(name).open("rb", buffering=0) as opened:
        yield from line_blocks(opened.fileno())


def _line(raw: bytes) -> bytes:
    return raw.removesuffix(b"\r")[:LINE_BYTES_MAX]
