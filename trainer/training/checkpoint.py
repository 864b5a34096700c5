"""The state of a training after an epoch, in one file, so that a killed training can resume.

A safetensors file: the state of network and optimisers, the best epoch's weights, and the history
as its metadata. Nothing in it is executed or unpickled.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from stream_detector.errors import StreamDetectorError
from stream_detector.system.atomic_files import write_atomically

_STATE, _BEST = "state/", "best/"

Arrays = Mapping[str, NDArray[Any]]


class CheckpointError(StreamDetectorError):
    """A checkpoint cannot be written or read, or belongs to another training."""


class Standing(NamedTuple):
    """The content of a checkpoint."""

    state: Arrays
    best: Arrays
    history: list[dict[str, float]]
    """One entry for each finished epoch."""


class Checkpoint:
    """One file that a training saves after each epoch."""

    def __init__(self, path: Path, *, identity: str) -> None:
        """``identity`` identifies the training; see ``fingerprint``."""
        self.path = path
        self._identity = identity

    def save(self, standing: Standing) -> None:
        """Replace the file as a whole: a kill while saving leaves the one before.

        Raises:
            CheckpointError: the disk is full or the folder may not be written.
        """
        arrays = {
            **{_STATE + name: np.asarray(a, order="C") for name, a in standing.state.items()},
            **{_BEST + name: np.asarray(a, order="C") for name, a in standing.best.items()},
        }
        history = msgspec.json.encode(standing.history).decode()
        content = save(arrays, {"identity": self._identity, "history": history})
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self.path, content)
        except OSError as error:
            raise CheckpointError(f"{self.path} cannot be written: {error.strerror}") from error

    def load(self) -> Standing:
        """The state that was saved last.

        Raises:
            CheckpointError: it is missing, damaged, or belongs to another training.
        """
        if not self.path.is_file():
            raise CheckpointError(f"{self.path} is not there: there is no training to resume")
        try:
            with safe_open(str(self.path), framework="numpy") as file:
                metadata = file.metadata() or {}
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            history = msgspec.json.decode(metadata["history"], type=list[dict[str, float]])
        except (SafetensorError, KeyError, msgspec.DecodeError, OSError) as error:
            raise CheckpointError(f"{self.path} is damaged: {error}") from error
        if metadata.get("identity") != self._identity:
            raise CheckpointError(
                f"{self.path} is of another training: give the same data and options, or leave "
                "--resume out to begin again"
            )
        return Standing(_under(_STATE, arrays), _under(_BEST, arrays), history)

    def delete(self) -> None:
        """Remove the file, at the end of the training."""
        self.path.unlink(missing_ok=True)


def fingerprint(*parts: object, texts: Sequence[str]) -> str:
    """A digest of the ``parts`` that define a training, and of its rows."""
    digest = hashlib.sha256(repr(parts).encode())
    for text in texts:
        digest.update(text.encode() + b"\n")
    return digest.hexdigest()


def _under(prefix: str, arrays: Arrays) -> dict[str, NDArray[Any]]:
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }
