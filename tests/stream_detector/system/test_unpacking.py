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
def test_compressed_input_is_unpacked(pack: Pack, tmp_path: Path) -> None:
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
def test_a_format_is_recognised_in_a_pipe_byte_by_byte(pack: Pack) -> None:
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
def test_a_bomb_comes_in_bounded_pieces(pack: Pack, tmp_path: Path) -> None:
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
def test_damaged_input_is_an_error(pack: Pack, damage: str, tmp_path: Path) -> None:
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
def test_bytes_after_compressed_input_are_an_error(pack: Pack, tmp_path: Path) -> None:
    path = tmp_path / "appended"
    path.write_bytes(pack(CONTENT) + b"http://b.example/\n")

    with opened(path) as descriptor, pytest.raises(StreamDetectorError, match="damaged or cut off"):
        list(line_blocks(descriptor))


def test_padding_of_xz_makes_no_line(tmp_path: Path) -> None:
    path = tmp_path / "padded"
    path.write_bytes(lzma.compress(b"a.example\n") + bytes(8) + lzma.compress(b"b") + bytes(4))

    with opened(path) as descriptor:
        lines = [line for lines, _ in line_blocks(descriptor) for line in lines]

    assert lines == [b"a.example", b"b"]


@pytest.mark.parametrize(
    ("magic", "name"), [(b"\x1f\x9d\x90", r"compress \(\.Z\)"), (b"\x04\x22\x4d\x18\x64", "lz4")]
)
def test_other_compression_is_refused(magic: bytes, name: str, tmp_path: Path) -> None:
    path = tmp_path / "compressed"
    path.write_bytes(magic + b"more")

    with opened(path) as descriptor, pytest.raises(StreamDetectorError, match=name + ".*unpack it"):
        list(line_blocks(descriptor))


@pytest.mark.parametrize("magic", [b"PK\x03\x04", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07\x01\x00"])
def test_an_archive_is_refused(magic: bytes, tmp_path: Path) -> None:
    path = tmp_path / "archive"
    path.write_bytes(magic + b"more")

    with opened(path) as descriptor, pytest.raises(StreamDetectorError, match="archive: unpack it"):
        list(line_blocks(descriptor))


@pytest.mark.parametrize("content", [b"B", b"BZh.example", b"(a)\n", b"PKa.example", b"\x1f\x8b"])
def test_text_that_begins_like_a_magic_number_is_text(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_bytes(content)

    with opened(path) as descriptor:
        ((lines, _),) = line_blocks(descriptor)

    assert lines == [content.rstrip(b"\n")]
