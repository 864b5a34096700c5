"""Bytes of a file or pipe; compressed input, known by its first bytes, is unpacked."""

import bz2
import gzip
import io
import lzma
import os
import re
import select
import zlib
from typing import Any

from stream_detector.errors import StreamDetectorError

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
_REFUSED = {
    b"PK\x03\x04": "is a ZIP archive: unpack it",
    b"7z\xbc\xaf\x27\x1c": "is a 7-Zip archive: unpack it",
    b"Rar!\x1a\x07": "is a RAR archive: unpack it",
    b"\x1f\x9d": "is compressed by compress (.Z): unpack it",
    b"\x04\x22\x4d\x18": "is compressed by lz4: unpack it",
}
_MAGIC_BYTES = 10
_FIRST_BYTES = b"\x1f\x28B\xfdP7R\x04"
"""Only after one of these does the reader wait for a whole magic number."""


class Unpacked:
    """Reads and unpacks a descriptor, in bounded memory. Not thread-safe."""

    def __init__(self, descriptor: int) -> None:
        self._raw = _Raw(descriptor)
        self._stream: Any = None
        """What unpacks; None before the first read."""
        self._format = ""

    @property
    def consumed(self) -> int:
        """Bytes of the input read so far, before unpacking."""
        return self._raw.consumed

    def more_comes(self) -> bool:
        """Whether there is more to read at once; always true of a file."""
        return bool(self._format) or self._raw.more_comes()

    def read(self) -> bytes:
        """The next bytes, ``READ_BYTES`` at most; none at the end.

        Raises:
            StreamDetectorError: the input is an archive, or is damaged or cut off.
            OSError: it can't be read.
        """
        if self._stream is None:
            self._open()
        if not self._format:
            return self._raw.read_available()
        try:
            unpacked: bytes = self._stream.read(READ_BYTES)
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise StreamDetectorError(
                f"the input is damaged or cut off, it can't be unpacked to its end "
                f"({self._format}: {str(error).rstrip('.')}): get it once more"
            ) from error
        return unpacked

    def _open(self) -> None:
        head = self._raw.read_available()
        while head and len(head) < _MAGIC_BYTES and head[0] in _FIRST_BYTES:
            more = self._raw.read_available()
            if not more:
                break
            head += more
        for magic, fault in _REFUSED.items():
            if head.startswith(magic):
                raise StreamDetectorError(
                    f"the input {fault}; of compressed input only {', '.join(_FORMATS)} is read"
                )
        self._raw.head = head
        self._format = next((name for name, magic in _FORMATS.items() if magic.match(head)), "")
        self._stream = _opened(self._format, self._raw)


def _opened(name: str, raw: "_Raw") -> Any:
    """A file object that unpacks one member of the input after the other."""
    match name:
        case "gzip":
            return gzip.GzipFile(fileobj=io.BufferedReader(raw, READ_BYTES))
        case "bzip2":
            return _Members(raw, bz2.BZ2Decompressor)
        case "xz":
            return _Members(raw, lzma.LZMADecompressor)
        case "zstd":
            import pyarrow as pa  # noqa: PLC0415 - slow to import, and few need it

            return pa.CompressedInputStream(pa.PythonFile(raw, "r"), "zstd")
    return raw


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
            packed = b""
            if self._current.eof:
                # xz pads members with zero bytes.
                packed = self._current.unused_data.lstrip(b"\0")
                while not packed:
                    more = self._raw.read_available()
                    if not more:
                        return b""
                    packed = more.lstrip(b"\0")
                self._current = self._new()
            elif self._current.needs_input:
                packed = self._raw.read_available()
                if not packed:
                    raise EOFError("it ends within a member")
            if unpacked := self._current.decompress(packed, size):
                return unpacked


class _Raw(io.RawIOBase):
    """A descriptor as a file object that counts bytes. ``head`` is read again first."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self.head = b""
        self.consumed = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.head[: len(buffer)]
        self.head = self.head[len(data) :]
        if not data:
            data = self._from_descriptor(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def read_available(self) -> bytes:
        """The next bytes, without waiting for more than one."""
        head, self.head = self.head, b""
        return head or self._from_descriptor(READ_BYTES)

    def more_comes(self) -> bool:
        return bool(select.select([self._descriptor], [], [], _LINGER_SECONDS)[0])

    def _from_descriptor(self, size: int) -> bytes:
        data = os.read(self._descriptor, size)
        self.consumed += len(data)
        return data
