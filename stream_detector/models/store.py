"""The model store: bundles under content-addressed versions, in any folder that fsspec reaches.

``URL/KIND/SHA256/`` holds a bundle's files. A version is complete or not there: its manifest is
put last, each file under a temporary name and then renamed. Only a damaged one is overwritten,
and what is said of a version, signature and gate's decision. ``URL/announced/KEY/`` holds the last
signed announcement of each key, which outlives the topic's compaction.
"""

import contextlib
import hashlib
import logging
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Literal, get_args

import msgspec

from stream_detector.errors import BundleError, RetryableError
from stream_detector.events import Kind, ModelRef, Thresholds
from stream_detector.models.files import (
    ANNOUNCED_NAME,
    BYTES_MAX,
    GATE_NAME,
    MANIFEST_NAME,
    SIGNATURE_NAME,
    WEIGHTS_NAME,
)
from stream_detector.models.manifest import decode_manifest
from stream_detector.models.store_files import StoreFiles

__all__ = ["ModelStore", "PutOutcome", "StoredModel"]

logger = logging.getLogger(__name__)

PutOutcome = Literal["new", "known", "repaired"]
"""What became of a bundle that was put into the store: it was not there, it was there whole, or it
was there damaged and was replaced."""

_VERSION = re.compile("[0-9a-f]{64}")


class StoredModel(msgspec.Struct, frozen=True):
    """A bundle of the store, by what its manifest says."""

    ref: ModelRef
    kind: Kind
    created_at: datetime
    architecture: str
    thresholds: Thresholds
    url: str
    signed: bool
    """There is a signature; by whom is not looked at."""


class ModelStore(StoreFiles):
    """Bundles in the folder ``url``: a path, or a URL whose scheme fsspec has a driver for.

    Every method blocks while the store answers, and raises RetryableError where it does not.

    Raises:
        SettingsError: no driver for the URL is installed, or it is no URL.
    """

    def url_of(self, kind: Kind, sha256: str) -> str:
        """Where a version lies or would lie."""
        return f"{self.url}/{kind}/{sha256}"

    def put(
        self,
        bundle: Path,
        kind: Kind,
        sha256: str,
        *,
        signature: bytes | None = None,
        gate: bytes | None = None,
    ) -> PutOutcome:
        """Store a bundle that ``load_bundle`` accepts; returns what was there before.

        ``sha256`` is that of its manifest. A version that is there is read and checked, and
        replaced if its files do not match. A signature and the gate's decision are added to a
        version that is there too, in the place of older ones.

        Raises:
            RetryableError: the store can't be reached or written.
            OSError: the bundle can't be read.
        """
        weights, manifest = bundle / WEIGHTS_NAME, (bundle / MANIFEST_NAME).read_bytes()
        folder = self._folder(kind, sha256)
        with self._answering():
            outcome = self._outcome(folder, kind, sha256)
            self._files.makedirs(folder, exist_ok=True)
            if signature is not None:
                self._put(folder, SIGNATURE_NAME, signature)
            if gate is not None:
                self._put(folder, GATE_NAME, gate)
            if outcome != "known":
                self._put(folder, WEIGHTS_NAME, weights)
                self._put(folder, MANIFEST_NAME, manifest)
        return outcome

    def put_gate(self, kind: Kind, sha256: str, gate: bytes) -> None:
        """Keep the gate's decision on a version that is there, in the place of an older one.

        Raises:
            RetryableError: the store can't be reached or written.
        """
        with self._answering():
            self._put(self._folder(kind, sha256), GATE_NAME, gate)

    def put_signature(self, kind: Kind, sha256: str, signature: bytes) -> None:
        """Keep the signature of a version that is there, unless it has the same already.

        Raises:
            RetryableError: the store can't be reached or written.
            BundleError: what is kept is larger than any signature.
        """
        folder = self._folder(kind, sha256)
        with self._answering():
            if self._optional(folder, SIGNATURE_NAME) != signature:
                self._put(folder, SIGNATURE_NAME, signature)

    def gate(self, kind: Kind, sha256: str) -> bytes | None:
        """The gate's decision on a version; None where none is kept.

        Raises:
            RetryableError: the store can't be reached.
            BundleError: the file is larger than any decision.
        """
        with self._answering():
            return self._optional(self._folder(kind, sha256), GATE_NAME)

    def put_announced(self, key: str, content: bytes) -> None:
        """Keep the last signed announcement of ``key``, in the place of the one before.

        Raises:
            RetryableError: the store can't be reached or written.
        """
        folder = self._announced(key)
        with self._answering():
            self._files.makedirs(folder, exist_ok=True)
            self._put(folder, ANNOUNCED_NAME, content)

    def announced(self, key: str) -> bytes | None:
        """What ``put_announced`` kept last for ``key``; None where there is nothing.

        Raises:
            RetryableError: the store can't be reached.
            BundleError: the file is larger than any announcement.
        """
        with self._answering():
            return self._optional(self._announced(key), ANNOUNCED_NAME)

    def fetch(self, kind: Kind, sha256: str, folder: Path) -> None:
        """Copy a version's files into ``folder``, which is there and empty.

        The manifest has the SHA-256 asked for; the other files are for ``load_bundle`` to check.

        Raises:
            RetryableError: the version is not there, or the store can't be reached.
            BundleError: its manifest is another one, or a file is larger than any of a bundle.
        """
        remote = self._folder(kind, sha256)
        with self._answering():
            for name in (MANIFEST_NAME, WEIGHTS_NAME, SIGNATURE_NAME):
                try:
                    self._copy(f"{remote}/{name}", folder / name, BYTES_MAX[name])
                except FileNotFoundError as error:
                    if name == SIGNATURE_NAME:
                        continue
                    raise RetryableError(
                        f"{self.url_of(kind, sha256)} is not in the store, or not whole: publish "
                        "it, or check model_store"
                    ) from error
        self._check_manifest((folder / MANIFEST_NAME).read_bytes(), kind, sha256)

    def manifest(self, kind: Kind, sha256: str) -> bytes:
        """A version's manifest, which has the SHA-256 asked for.

        Raises:
            RetryableError: the version is not there, or the store can't be reached.
            BundleError: its manifest is another one.
        """
        with self._answering():
            content = self._read(
                f"{self._folder(kind, sha256)}/{MANIFEST_NAME}", BYTES_MAX[MANIFEST_NAME]
            )
        self._check_manifest(content, kind, sha256)
        return content

    def _check_manifest(self, content: bytes, kind: Kind, sha256: str) -> None:
        if hashlib.sha256(content).hexdigest() != sha256:
            raise BundleError(
                f"{self.url_of(kind, sha256)}/{MANIFEST_NAME} does not have the sha256 of its "
                "version: it is damaged or was swapped; publish the bundle again, which replaces it"
            )

    def check(self, kind: Kind, sha256: str) -> None:
        """Check that a version's weights are those of its manifest.

        Raises:
            RetryableError: the version is not there, or the store can't be reached.
            BundleError: they are not.
        """
        content = self.manifest(kind, sha256)
        path = f"{self._folder(kind, sha256)}/{WEIGHTS_NAME}"
        with self._answering():
            self._check_file(path, BYTES_MAX[WEIGHTS_NAME])
            with self._files.open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        manifest = decode_manifest(content, f"{self.url_of(kind, sha256)}/{MANIFEST_NAME}")
        if manifest.files[WEIGHTS_NAME] != digest:
            raise BundleError(
                f"{self.url_of(kind, sha256)}/{WEIGHTS_NAME} does not match the sha256 in the "
                "manifest: it is damaged or was swapped, and no worker would take it; publish the "
                "bundle again, which replaces it"
            )

    def remove(self, kind: Kind, sha256: str) -> None:
        """Remove a version with all that is said of it.

        Raises:
            RetryableError: the store can't be reached or written.
        """
        folder = self._folder(kind, sha256)
        with self._answering():
            # Without its manifest it is not there, should the rest fail.
            self._files.rm_file(f"{folder}/{MANIFEST_NAME}")
            self._files.rm(folder, recursive=True)

    def versions(self) -> list[StoredModel]:
        """All complete versions of all kinds, oldest first by ``created_at``.

        One that is damaged is left out, with a warning in the log.

        Raises:
            RetryableError: the store can't be reached.
        """
        found: list[StoredModel] = []
        with self._answering():
            for kind in get_args(Kind):
                for path in self._names(f"{self._root}/{kind}"):
                    sha256 = path.rstrip("/").rpartition("/")[2]
                    if _VERSION.fullmatch(sha256):
                        with contextlib.suppress(FileNotFoundError):  # It is being put there.
                            found.extend(self._described(kind, sha256))
        return sorted(found, key=lambda model: (model.created_at, model.ref.sha256))

    def find(self, version: str) -> StoredModel:
        """The one version whose SHA-256 begins with ``version``, or whose manifest has it.

        Raises:
            RetryableError: the store can't be reached.
            BundleError: there is none, or more than one.
        """
        found = [
            model
            for model in self.versions()
            if model.ref.version == version or (version and model.ref.sha256.startswith(version))
        ]
        if len(found) == 1:
            return found[0]
        what = "more than one version" if found else "no version"
        raise BundleError(
            f"{self.url} has {what} {version!r}: give more of the sha256 that "
            "`stream-trainer models list` shows"
        )

    def _announced(self, key: str) -> str:
        return f"{self._root}/announced/{key.replace('/', '-')}"

    def _folder(self, kind: Kind, sha256: str) -> str:
        return f"{self._root}/{kind}/{sha256}"

    def _described(self, kind: Kind, sha256: str) -> Iterator[StoredModel]:
        folder, url = self._folder(kind, sha256), self.url_of(kind, sha256)
        try:
            content = self._read(f"{folder}/{MANIFEST_NAME}", BYTES_MAX[MANIFEST_NAME])
            self._check_manifest(content, kind, sha256)
            manifest = decode_manifest(content, f"{url}/{MANIFEST_NAME}")
            if manifest.kind != kind:
                raise BundleError(f"its manifest is for kind {manifest.kind}")
        except BundleError as error:
            logger.warning("%s is damaged and left out: %s", url, error)
            return
        yield StoredModel(
            ref=ModelRef(manifest.name, manifest.version, sha256),
            kind=kind,
            created_at=manifest.created_at,
            architecture=manifest.architecture,
            thresholds=manifest.verdict_thresholds,
            url=url,
            signed=self._files.exists(f"{folder}/{SIGNATURE_NAME}"),
        )

    def _outcome(self, folder: str, kind: Kind, sha256: str) -> PutOutcome:
        """What putting a version there comes to."""
        if not self._files.exists(f"{folder}/{MANIFEST_NAME}"):
            return "new"
        if not self._files.exists(f"{folder}/{WEIGHTS_NAME}"):
            return "repaired"
        try:
            self.check(kind, sha256)
        except BundleError:
            return "repaired"
        return "known"
