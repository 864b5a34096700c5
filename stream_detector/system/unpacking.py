"""Bytes of a file or pipe; input whose first bytes are those of a compressor is unpacked."""

import bz2
import gzip
import io
import lzma
import os
import re
import select
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

from stream_detector.errors import StreamDetectorError

__all__ = ["READ_BYTES", "Unpacked"]

READ_BYTES = 1024 * 1024
"""The most unpacked bytes of one read, whatever the compression ratio."""

_LINGER_SECONDS = 0.01
"""How long to wait for more from a pipe, which holds only 64 KiB."""

# https://www.rfc-editor.org/rfc/rfc1952, .../rfc8878, https://en.wikipedia.org/wiki/Bzip2 and
# https://tukaani.org/xz/xz-file-format.txt
_FORMATS = {
    "gzip": re.compile(rb"\x1f\x8b\x08"),
    "zstd": re.compile(rb"\x28\xb5\x2f\xfd"),
    "bzip2": re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"),
    "xz": re.compile(rb"\xfd7zXZ\x00"),
}
_ARCHIVES = {"ZIP": b"PK\x03\x04", "7-Zip": b"7z\xbc\xaf\x27\x1c", "RAR": b"Rar!\x1a\x07"}
_NOT_UNPACKED = {"compress (.Z)": b"\x1f\x9d", "lz4": b"\x04\x22\x4d\x18"}
_MAGIC_BYTES = 10
_FIRST_BYTES = b"\x1f\x28B\xfdP7R\x04"
"""Only after one of these the reader waits for a whole magic number."""


class Unpacked:
    """Reads and unpacks a descriptor, in bounded memory. Not thread-safe."""

    def __init__(self, descriptor: int) -> None:
        self._raw = _Raw(descriptor)
        self._read: Callable[[], bytes] = self._first
        self._format = ""

    @property
    def consumed(self) -> int:
        """Bytes of the input read so far, before unpacking."""
        return self._raw.consumed

    def read(self) -> bytes:
        """The next bytes, ``READ_BYTES`` at most; none at the end.

        Raises:
            StreamDetectorError: the input is an archive, or is damaged or cut off.
            OSError: it can't be read.
        """
        return self._read()

    def more_comes(self) -> bool:
        """Whether there is more to read at once; always true of a file."""
        return bool(self._format) or self._raw.more_comes()

    def _first(self) -> bytes:
        head = self._raw.read_some()
        while head and len(head) < _MAGIC_BYTES and head[0] in _FIRST_BYTES:
            more = self._raw.read_some()
            if not more:
                break
            head += more
        for name, magic in _ARCHIVES.items():
            if head.startswith(magic):
                raise StreamDetectorError(
                    f"the input is a {name} archive: unpack it, and give the file that is in it"
                )
        for name, magic in _NOT_UNPACKED.items():
            if head.startswith(magic):
                raise StreamDetectorError(
                    f"the input is compressed by {name}, which is not unpacked: unpack it, or "
                    f"compress it by one of {', '.join(_FORMATS)}"
                )
        for name, pattern in _FORMATS.items():
            if pattern.match(head):
                self._raw.put_back(head)
                self._format = name
                self._read = partial(self._unpacked, _opened(name, self._raw))
                return self._read()
        self._read = self._raw.read_some
        return head

    def _unpacked(self, stream: Any) -> bytes:
        try:
            unpacked: bytes = stream.read(READ_BYTES)
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise StreamDetectorError(
                f"the input is damaged or cut off, it can't be unpacked to its end "
                f"({self._format}: {str(error).rstrip('.')}): get it once more"
            ) from error
        return unpacked


def _opened(name: str, raw: "_Raw") -> Any:
    """A file object that unpacks, one member of the input after the other."""
    if name == "gzip":
        return gzip.GzipFile(fileobj=io.BufferedReader(raw, READ_BYTES))
    if name == "bzip2":
        return _Members(raw, bz2.BZ2Decompressor)
    if name == "xz":
        return _Members(raw, lzma.LZMADecompressor)
    import pyarrow as pa  # noqa: PLC0415 - slow to import, and few need it

    return pa.CompressedInputStream(pa.PythonFile(raw, "r"), "zstd")


class _Members:
    """Reads members of bzip2 or xz, one after the other.

    Python's own file objects ignore garbage after the last member, as if the input ended there.
    """

    def __init__(
        self,
        raw: "_Raw",
        decompressor: type[bz2.BZ2Decompressor] | type[lzma.LZMADecompressor],
    ) -> None:
        self._raw = raw
        self._new = decompressor
        self._current = decompressor()

    def read(self, size: int) -> bytes:
        """The next bytes, ``size`` at most; none at the end."""
        while True:
            if self._current.eof:
                # xz pads members with zero bytes.
                packed = self._current.unused_data.lstrip(b"\0")
                while not packed:
                    more = self._raw.read_packed()
                    if not more:
                        return b""
                    packed = more.lstrip(b"\0")
                self._current = self._new()
            elif self._current.needs_input:
                packed = self._raw.read_packed()
                if not packed:
                    raise EOFError("it ends within a member")
            else:
                packed = b""
            if unpacked := self._current.decompress(packed, size):
                return unpacked


class _Raw(io.RawIOBase):
    """A descriptor as a file object that counts bytes, and takes back the first ones."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._head = b""
        self.consumed = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._head:
            data, self._head = self._head[: len(buffer)], self._head[len(buffer) :]
        else:
            data = os.read(self._descriptor, len(buffer))
            self.consumed += len(data)
        buffer[: len(data)] = data
        return len(data)

    def read_packed(self) -> bytes:
        """The next bytes, beginning with those taken back."""
        head, self._head = self._head, b""
        return head or self.read_some()

    def read_some(self) -> bytes:
        """The available bytes, without waiting for more."""
        data = os.read(self._descriptor, READ_BYTES)
        self.consumed += len(data)
        return data

    def put_back(self, data: bytes) -> None:
        """Take back ``data``."""
        self._head = data

    def more_comes(self) -> bool:
        return bool(select.select([self._descriptor], [], [], _LINGER_SECONDS)[0])
