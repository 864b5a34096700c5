"""Finds the reference of a model that verdicts name: by the sha256 of its manifest."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from stream_detector.errors import BundleError, RetryableError
from stream_detector.models.files import MANIFEST_NAME
from stream_detector.models.manifest import Manifest, decode_manifest
from stream_detector.models.reference import Reference
from stream_detector.models.store import ModelStore
from stream_detector.settings.fields import Settings
from trainer.drift.verdicts import ModelKey


class References:
    """Looks into the given bundles, into those of the settings, then into the model store.

    Raises:
        BundleError: a given folder holds no bundle.
        SettingsError: the store can't be used.
    """

    def __init__(self, bundles: Sequence[Path], settings: Settings) -> None:
        self._given = [_read(folder / MANIFEST_NAME) for folder in bundles]
        self._known = dict(self._given)
        for folder in (settings.url_bundle, settings.host_bundle):
            if folder.is_dir():
                sha256, manifest = _read(folder / MANIFEST_NAME)
                self._known.setdefault(sha256, manifest)
        self._store = ModelStore(settings.model_store) if settings.model_store else None

    def of(self, model: ModelKey) -> tuple[Reference | None, str]:
        """The reference of the bundle that scored, or of the bundle given for its kind.

        With a sentence where there is none, or it is of another bundle; else that is empty.
        """
        kind, ref = model
        manifest = self._known.get(ref.sha256)
        remark = "Its bundle was not found, so no reference: give --bundle, or --model-store."
        if manifest is None and self._store is not None:
            try:
                content = self._store.manifest(kind, ref.sha256)
                manifest = decode_manifest(content, self._store.url_of(kind, ref.sha256))
            except (BundleError, RetryableError) as error:
                remark = f"No reference: {error}."
        if manifest is not None:
            if manifest.reference is not None:
                return manifest.reference, ""
            remark = "Its bundle has no reference: it was made before there was one."
        for _, given in self._given:
            if given.kind == kind and given.reference is not None:
                return given.reference, (
                    f"The reference is that of {given.name} {given.version}, not of the model that "
                    "scored: scores may differ for this reason."
                )
        return None, remark


def _read(path: Path) -> tuple[str, Manifest]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}") from error
    return hashlib.sha256(content).hexdigest(), decode_manifest(content, path)
