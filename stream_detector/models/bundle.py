"""The model bundle: a folder with ``manifest.json`` and the weights as safetensors.

Nothing in it is executed or unpickled. Weights are checked against their SHA-256 before they are
parsed, and an unknown architecture, canonical form or field is refused.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_weights
from safetensors.numpy import save as dump_weights

from stream_detector.canonical import CANONICAL_FORM_VERSION
from stream_detector.errors import BundleError, IncompatibleBundleError
from stream_detector.events import Kind, ModelRef, Thresholds
from stream_detector.models.architectures import ARCHITECTURES
from stream_detector.models.architectures.base import Architecture
from stream_detector.models.files import (
    MANIFEST_NAME,
    SIGNATURE_NAME,
    WEIGHTS_NAME,
    in_short,
    read_bundle_file,
)
from stream_detector.models.manifest import Manifest, decode_manifest
from stream_detector.system.atomic_files import write_atomically


class Bundle(msgspec.Struct, frozen=True):
    """A bundle in memory, checked."""

    manifest: Manifest
    architecture: Architecture
    weights: dict[str, NDArray[np.float32]]
    sha256: str
    """Of the manifest, which holds those of all other files."""

    @property
    def ref(self) -> ModelRef:
        """How verdicts name it."""
        return ModelRef(self.manifest.name, self.manifest.version, self.sha256)

    @property
    def thresholds(self) -> Thresholds:
        """Scores at which verdicts change."""
        return self.manifest.verdict_thresholds


def load_bundle(folder: Path, *, kind: Kind | None = None) -> Bundle:
    """Read and check a bundle, which must be for ``kind`` if that is given.

    Raises:
        BundleError: missing, damaged, made for other code, or for another kind.
    """
    manifest_bytes = read_bundle_file(folder, MANIFEST_NAME)
    manifest = decode_manifest(manifest_bytes, folder / MANIFEST_NAME)
    if kind is not None and manifest.kind != kind:
        raise BundleError(f"{folder} is a bundle for kind {manifest.kind}, not for {kind}")
    if manifest.canonical_form_version != CANONICAL_FORM_VERSION:
        raise IncompatibleBundleError(
            f"{folder} was trained on canonical form "
            f"{in_short(manifest.canonical_form_version)}, this program has "
            f"{CANONICAL_FORM_VERSION}: use the program it was made for, or retrain"
        )
    architecture = _architecture(folder, manifest)
    weights_bytes = read_bundle_file(folder, WEIGHTS_NAME)
    if hashlib.sha256(weights_bytes).hexdigest() != manifest.files[WEIGHTS_NAME]:
        raise BundleError(
            f"{folder / WEIGHTS_NAME} does not match the sha256 in the manifest: "
            "it is damaged or was swapped; fetch the bundle again"
        )
    return Bundle(
        manifest=manifest,
        architecture=architecture,
        weights=_weights(folder, weights_bytes, architecture),
        sha256=hashlib.sha256(manifest_bytes).hexdigest(),
    )


def check_destination(folder: Path) -> None:
    """Check that ``save_bundle`` can write ``folder``: before a training, not after it.

    Raises:
        BundleError: the folder holds other files, or can't be written.
    """
    try:
        names = [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        names = []
    except OSError as error:
        raise BundleError(f"{folder} cannot be a bundle's folder: {error.strerror}") from error
    others = sorted(set(names) - {MANIFEST_NAME, WEIGHTS_NAME, SIGNATURE_NAME})
    if others:
        raise BundleError(
            f"{folder} holds {others[0]!r}, which is no part of a bundle and would be lost: "
            "give an empty folder, a bundle's or a new one"
        )
    above = next(path for path in folder.resolve().parents if path.exists())
    try:
        tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=above).cleanup()
    except OSError as error:
        raise BundleError(f"{above} cannot be written to: {error.strerror}") from error


def save_bundle(
    folder: Path, manifest: Manifest, weights: Mapping[str, NDArray[np.float32]]
) -> Bundle:
    """Write a bundle next to ``folder``, then rename it to it: until then the old one stays whole.

    ``manifest.files`` is filled in here.

    Raises:
        BundleError: ``folder`` holds other files, or the written bundle cannot be read back.
        OSError: the disk is full or the folder may not be written.
    """
    check_destination(folder)
    folder = folder.resolve()  # Of a link to a folder the folder is replaced, not the link.
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        # safetensors writes raw memory: a transposed view would come back scrambled.
        half = _architecture(folder, manifest).half_precision
        weights_bytes = dump_weights(
            {
                name: np.ascontiguousarray(value, np.float16 if name in half else np.float32)
                for name, value in weights.items()
            }
        )
        manifest = msgspec.structs.replace(
            manifest, files={WEIGHTS_NAME: hashlib.sha256(weights_bytes).hexdigest()}
        )
        write_atomically(draft / WEIGHTS_NAME, weights_bytes)
        write_atomically(
            draft / MANIFEST_NAME, msgspec.json.format(msgspec.json.encode(manifest), indent=2)
        )
        draft.chmod(0o755)
        bundle = load_bundle(draft)
        _swap(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return bundle


def _architecture(folder: Path, manifest: Manifest) -> Architecture:
    architecture = ARCHITECTURES.get(manifest.architecture)
    if architecture is None:
        raise IncompatibleBundleError(
            f"{folder} has the unknown architecture '{in_short(manifest.architecture)}'; "
            f"this program knows {', '.join(ARCHITECTURES)}"
        )
    try:
        return architecture(**manifest.parameters)
    except TypeError as error:
        raise IncompatibleBundleError(
            f"{folder / MANIFEST_NAME}: wrong parameters for {manifest.architecture}: "
            f"{in_short(error)}"
        ) from error


def _weights(
    folder: Path, content: bytes, architecture: Architecture
) -> dict[str, NDArray[np.float32]]:
    try:
        weights: dict[str, NDArray[np.floating]] = load_weights(content)
    except (SafetensorError, ValueError, KeyError) as error:
        raise BundleError(
            f"{folder / WEIGHTS_NAME} is not a safetensors file: {in_short(error)}"
        ) from error
    shapes = {name: tuple(value.shape) for name, value in weights.items()}
    if shapes != dict(architecture.weight_shapes):
        raise BundleError(
            f"{folder / WEIGHTS_NAME}: names or shapes of the weights are not those of "
            f"{architecture.name}"
        )
    for name, value in weights.items():
        kept_as = np.float16 if name in architecture.half_precision else np.float32
        if value.dtype != kept_as or not np.isfinite(value).all():
            raise BundleError(
                f"{folder / WEIGHTS_NAME}: {name} is not all finite {kept_as.__name__}"
            )
    return {name: value.astype(np.float32) for name, value in weights.items()}


def _swap(draft: Path, folder: Path) -> None:
    """Give ``draft`` the name ``folder``; on an error the old bundle gets it back.

    A folder can't replace another one that holds files, so the old one moves away first. A kill
    between the two renames leaves it next to ``folder`` as ``.NAME-previous-PID``.
    """
    if not folder.exists():
        draft.rename(folder)
        return
    previous = folder.with_name(f".{folder.name}-previous-{os.getpid()}")
    folder.rename(previous)
    try:
        draft.rename(folder)
    except OSError:
        previous.rename(folder)
        raise
    shutil.rmtree(previous, ignore_errors=True)
