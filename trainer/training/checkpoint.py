"""Where a training stands after an epoch, in one file, so that a killed one can go on.

A safetensors file: the state of network and optimisers, the best epoch's weights, and the history
as its metadata. Nothing in it is executed or unpickled.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from stream_detector.errors import StreamDetectorError

__all__ = ["Checkpoint", "CheckpointError", "Standing", "fingerprint"]

_STATE, _BEST = "state/", "best/"

Arrays = Mapping[str, NDArray[Any]]


class CheckpointError(StreamDetectorError):
    """A checkpoint cannot be written, read, or is of another training."""


class Standing(NamedTuple):
    """What a checkpoint holds."""

    state: Arrays
    best: Arrays
    history: list[dict[str, float]]
    """One entry an epoch that is done."""


class Checkpoint:
    """One file, replaced as a whole: a kill while saving leaves the one before."""

    def __init__(self, path: Path, *, identity: str) -> None:
        """``identity`` tells one training from another; see ``fingerprint``."""
        self.path = path
        self._identity = identity

    def save(self, standing: Standing) -> None:
        """Write ``standing`` beside the file, then rename it there.

        Raises:
            CheckpointError: the disk is full or the folder may not be written.
        """
        arrays = {
            **{_STATE + name: np.asarray(a, order="C") for name, a in standing.state.items()},
            **{_BEST + name: np.asarray(a, order="C") for name, a in standing.best.items()},
        }
        history = msgspec.json.encode(standing.history).decode()
        draft = self.path.with_name(f".{self.path.name}-{os.getpid()}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("wb") as file:
                file.write(save(arrays, {"identity": self._identity, "history": history}))
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self.path)
        except OSError as error:
            raise CheckpointError(f"{self.path} cannot be written: {error.strerror}") from error
        finally:
            draft.unlink(missing_ok=True)

    def load(self) -> Standing:
        """What was saved last.

        Raises:
            CheckpointError: there is none, it is damaged, or of another training.
        """
        if not self.path.is_file():
            raise CheckpointError(f"{self.path} is not there: there is no training to go on with")
        arrays: dict[str, NDArray[Any]] = {}
        try:
            with safe_open(str(self.path), framework="numpy") as file:
                metadata = file.metadata() or {}
                for name in file.keys():  # noqa: SIM118 - not a mapping
                    arrays[name] = file.get_tensor(name)
            history = msgspec.json.decode(metadata["history"], type=list[dict[str, float]])
        except (SafetensorError, KeyError, msgspec.DecodeError, OSError) as error:
            raise CheckpointError(f"{self.path} is damaged: {error}") from error
        if metadata.get("identity") != self._identity:
            raise CheckpointError(
                f"{self.path} is of another training: give the same data and options, or leave "
                "--resume out to begin anew"
            )
        return Standing(_under(_STATE, arrays), _under(_BEST, arrays), history)

    def delete(self) -> None:
        """Remove the file: the training came to its end."""
        self.path.unlink(missing_ok=True)


def fingerprint(*parts: object, texts: Sequence[str]) -> str:
    """A name for a training: what it is made of, and on which rows."""
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
