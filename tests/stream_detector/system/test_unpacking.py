"""Compressed input is read like any other, by its first bytes and in bounded memory."""

import bz2
import gzip
import lzma
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cramjam
import pytest

from stream_detector.errors import StreamDetectorError
from stream_detector.system.lines import line_blocks
from stream_detector.system.unpacking import READ_BYTES, Unpacked

Pack = Callable[[bytes], bytes]
PACKERS: dict[str, Pack] = {
    "gzip": gzip.compress,
    "zstd": lambda content: bytes(cramjam.zstd.compress(content)),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}
LINES = [b"http://h%d.example/%d" % (number, number % 7) for number in range(40_000)]
CONTENT = b"\n".join(LINES)


@contextmanager
def opened(path: Path) -> Iterator[int]:
    with path.open("rb") as file:
        yield file.fileno()


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_what_was_packed_comes_out(pack: Pack, tmp_path: Path) -> None:
    path = tmp_path / "lines.log"  # Its name says nothing.
    path.write_bytes(pack(CONTENT + b"\n") + pack(b"appended, as logrotate does"))

    with opened(path) as descriptor:
        blocks = list(line_blocks(descriptor))

    assert [line for lines, _ in blocks for line in lines] == [
        *LINES,
        b"appended, as logrotate does",
    ]
    assert sum(consumed for _, consumed in blocks) == path.stat().st_size


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_packed_input_of_a_pipe_that_gives_it_byte_by_byte_is_told_apart(pack: Pack) -> None:
    reading, writing = os.pipe()
    packed = pack(b"a.example\nb.example\n")

    def write() -> None:
        for place in range(len(packed)):
            os.write(writing, packed[place : place + 1])
        os.close(writing)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        lines = [line for lines, _ in line_blocks(reading) for line in lines]
    finally:
        thread.join()
        os.close(reading)
    assert lines == [b"a.example", b"b.example"]


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_little_that_unpacks_to_much_comes_in_pieces(pack: Pack, tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(pack(bytes(64 * READ_BYTES)))

    with opened(path) as descriptor:
        source, sizes = Unpacked(descriptor), []
        while data := source.read():
            sizes.append(len(data))

    assert sum(sizes) == 64 * READ_BYTES
    assert max(sizes) <= READ_BYTES


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_what_is_damaged_is_told(pack: Pack, damage: str, tmp_path: Path) -> None:
    path = tmp_path / "damaged"
    packed = bytearray(pack(CONTENT))
    middle = len(packed) // 2
    if damage == "cut":
        del packed[middle:]
    else:
        packed[middle : middle + 20] = b"\xff" * 20
    path.write_bytes(packed)

    with opened(path) as descriptor, pytest.raises(StreamDetectorError, match="damaged or cut off"):
        list(line_blocks(descriptor))


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS)
def test_bytes_behind_what_was_packed_are_told(pack: Pack, tmp_path: Path) -> None:
    path = tmp_path / "appended"
    path.write_bytes(pack(CONTENT) + b"http://b.example/\n")

    with opened(path) as descriptor, pytest.raises(StreamDetectorError, match="damaged or cut off"):
        list(line_blocks(descriptor))


def test_zero_bytes_that_pad_xz_are_none_of_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "padded"
    path.write_bytes(lzma.compress(b"a.example\n") + bytes(8) + lzma.compress(b"b") + bytes(4))

    with opened(path) as descriptor:
        lines = [line for lines, _ in line_blocks(descriptor) for line in lines]

    assert lines == [b"a.example", b"b"]


@pytest.mark.parametrize(
    ("magic", "name"), [(b"\x1f\x9d\x90", r"compress \(\.Z\)"), (b"\x04\x22\x4d\x18\x64", "lz4")]
)
def test_what_is_compressed_otherwise_is_told(magic: bytes, name: str, tmp_path: Path) -> None:
    path = tmp_path / "compressed"
    path.write_bytes(magic + b"more")

    with opened(path) as descriptor, pytest.raises(StreamDetectorError, match=name + ".*unpack it"):
        list(line_blocks(descriptor))


@pytest.mark.parametrize("magic", [b"PK\x03\x04", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07\x01\x00"])
def test_an_archive_is_told(magic: bytes, tmp_path: Path) -> None:
    path = tmp_path / "archive"
    path.write_bytes(magic + b"more")

    with opened(path) as descriptor, pytest.raises(StreamDetectorError, match="archive: unpack it"):
        list(line_blocks(descriptor))


@pytest.mark.parametrize("content", [b"B", b"BZh.example", b"(a)\n", b"PKa.example", b"\x1f\x8b"])
def test_what_only_begins_like_it_is_text(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes(content)

    with opened(path) as descriptor:
        ((lines, _),) = line_blocks(descriptor)

    assert lines == [content.rstrip(b"\n")]
