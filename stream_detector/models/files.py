"""The files of a bundle: names, size limits, and reading them safely. Needs no TensorFlow."""

import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from stream_detector.errors import BundleError

MANIFEST_NAME = "manifest.json"
WEIGHTS_NAME = "weights.safetensors"
SIGNATURE_NAME = "manifest.sig"
"""Ed25519 over the manifest's bytes; only signed bundles have it."""
GATE_NAME = "gate.json"
"""The gate's decision on the bundle; only in the store, and not read by workers."""

ANNOUNCED_NAME = "announcement.json"
"""The last signed announcement; only in the store, in a folder next to those of bundles."""

BYTES_MAX: Mapping[str, int] = {
    MANIFEST_NAME: 1_048_576,
    WEIGHTS_NAME: 512 * 1_048_576,
    SIGNATURE_NAME: 64,
    GATE_NAME: 1_048_576,
    ANNOUNCED_NAME: 2 * 1_048_576,
}
"""By file name, far above the size of any network here."""


_SHOWN_CHARACTERS = 200


def read_bundle_file(folder: Path, name: str) -> bytes:
    """The content of a bundle's file. Links, pipes, devices and oversized files are refused.

    Raises:
        BundleError: the file is missing, refused or can't be read.
    """
    path, bytes_max = folder / name, BYTES_MAX[name]
    try:
        # Open first, then check the descriptor: nobody can swap the file in between.
        # O_NONBLOCK: opening a pipe would wait for a writer for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise BundleError(f"{path} is not a file: {folder} is no model bundle")
            if status.st_size > bytes_max:
                raise BundleError(f"{path} is larger than {bytes_max} bytes")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read(status.st_size)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise BundleError(_unreadable(folder, path, error)) from error
    except ValueError as error:  # A name with a zero in it.
        raise BundleError(f"{in_short(path)} cannot be read: {error}") from error


def _unreadable(folder: Path, path: Path, error: OSError) -> str:
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR:
            return f"{path} is not there: {folder} is no model bundle"
        case errno.ELOOP:
            return f"{path} is a link, which is not followed"
        case errno.ENXIO:  # What open(2) says of a socket.
            return f"{path} is not a file: {folder} is no model bundle"
        case _:
            return f"{path} cannot be read: {error.strerror}"


def in_short(said: object) -> str:
    """A text of unknown origin (a name, an error about a bundle) as one short printable line."""
    text = str(said)[: _SHOWN_CHARACTERS + 1]
    shown = "".join(character if character.isprintable() else "?" for character in text)
    return shown if len(shown) <= _SHOWN_CHARACTERS else f"{shown[:_SHOWN_CHARACTERS]}..."
