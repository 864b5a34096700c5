"""The model store: bundles under content-addressed versions, in any folder that fsspec reaches.

``URL/KIND/SHA256/`` holds a bundle's files. A version is complete or absent: its manifest is
written last, each file under a temporary name and then renamed. Only a damaged version is
overwritten, and the files that describe a version, its signature and the gate's decision.
``URL/announced/KEY/`` holds the last signed announcement of each key, which outlives the topic's
compaction.
"""

import contextlib
import hashlib
import logging
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args

import fsspec
import msgspec

from stream_detector.errors import BundleError, RetryableError, SettingsError, StreamDetectorError
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

logger = logging.getLogger(__name__)

PutOutcome = Literal["new", "known", "repaired"]
"""What the store held before ``put``: nothing, the version, or a damaged one, now replaced."""

_PART = ".part"
"""Ends the temporary names."""
_COPY_BYTES = 1_048_576
_REASON_CHARACTERS = 200
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


class ModelStore:
    """Bundles in the folder ``url``: a path, or a URL whose scheme fsspec has a driver for.

    Every method blocks while the store answers, and raises RetryableError if the store can't be
    reached or written.

    Raises:
        SettingsError: no driver for the URL is installed, or it is no URL.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/") or url
        try:
            # A cached instance or listing would not show what others have put there since.
            self._files: Any
            self._files, self._root = fsspec.core.url_to_fs(
                self.url, skip_instance_cache=True, use_listings_cache=False
            )
        except (ImportError, ValueError) as error:
            raise SettingsError(
                f"model_store {self.url} can't be used ({error}): give a folder, or install the "
                "driver of fsspec for this kind of URL"
            ) from error

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
        """Keep the gate's decision on a version that is there, in the place of an older one."""
        with self._answering():
            self._put(self._folder(kind, sha256), GATE_NAME, gate)

    def put_signature(self, kind: Kind, sha256: str, signature: bytes) -> None:
        """Keep the signature of a version that is there, unless it has the same already.

        Raises:
            BundleError: the stored file is larger than a signature.
        """
        folder = self._folder(kind, sha256)
        with self._answering():
            if self._optional(folder, SIGNATURE_NAME) != signature:
                self._put(folder, SIGNATURE_NAME, signature)

    def gate(self, kind: Kind, sha256: str) -> bytes | None:
        """The gate's decision on a version; None where none is kept.

        Raises:
            BundleError: the file is larger than any decision.
        """
        with self._answering():
            return self._optional(self._folder(kind, sha256), GATE_NAME)

    def put_announced(self, key: str, content: bytes) -> None:
        """Keep the last signed announcement of ``key``, in the place of the one before."""
        folder = self._announced(key)
        with self._answering():
            self._files.makedirs(folder, exist_ok=True)
            self._put(folder, ANNOUNCED_NAME, content)

    def announced(self, key: str) -> bytes | None:
        """What ``put_announced`` kept last for ``key``; None where there is nothing.

        Raises:
            BundleError: the file is larger than any announcement.
        """
        with self._answering():
            return self._optional(self._announced(key), ANNOUNCED_NAME)

    def fetch(self, kind: Kind, sha256: str, folder: Path) -> None:
        """Copy a version's files into ``folder``, which is there and empty.

        The manifest has the SHA-256 asked for; the other files are for ``load_bundle`` to check.

        Raises:
            RetryableError: also where the version is not there.
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
            RetryableError: also where the version is not there.
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
            RetryableError: also where the version is not there.
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
        """Remove a version, its signature and its gate's decision."""
        folder = self._folder(kind, sha256)
        with self._answering():
            # Without its manifest it is not there, should the rest fail.
            self._files.rm_file(f"{folder}/{MANIFEST_NAME}")
            self._files.rm(folder, recursive=True)

    def versions(self) -> list[StoredModel]:
        """All complete versions of all kinds, oldest first by ``created_at``.

        One that is damaged is left out, with a warning in the log.
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

    def _names(self, folder: str) -> list[str]:
        try:
            names: list[str] = self._files.ls(folder, detail=False, refresh=True)
        except TypeError:  # A driver whose listing knows no ``refresh``.
            names = self._files.ls(folder, detail=False)
        except FileNotFoundError:
            self._check_there()
            return []
        return names

    def _check_there(self) -> None:
        """A missing store is an error, not an empty store: its name may be mistyped."""
        try:
            self._files.ls(self._root, detail=False)
        except FileNotFoundError as error:
            raise RetryableError(
                f"there is no model store at {self.url} yet: check model_store for a slip; the "
                "first `stream-trainer models publish BUNDLE` makes it"
            ) from error

    def _optional(self, folder: str, name: str) -> bytes | None:
        try:
            return self._read(f"{folder}/{name}", BYTES_MAX[name])
        except FileNotFoundError:
            return None

    def _put(self, folder: str, name: str, content: bytes | Path) -> None:
        """Write a file under a temporary name, then rename it: readers never see half a file."""
        draft = f"{folder}/{name}.{uuid.uuid4().hex}{_PART}"
        try:
            if isinstance(content, Path):
                self._files.put_file(str(content), draft)
            else:
                self._files.pipe_file(draft, content)
            self._files.mv(draft, f"{folder}/{name}")
        except BaseException:
            with contextlib.suppress(Exception):
                self._files.rm_file(draft)
            raise

    def _read(self, path: str, bytes_max: int) -> bytes:
        self._check_file(path, bytes_max)
        with self._files.open(path, "rb") as file:
            content: bytes = file.read(bytes_max + 1)
        if len(content) > bytes_max:
            raise BundleError(f"{path} is larger than {bytes_max} bytes: it is no file of a bundle")
        return content

    def _check_file(self, path: str, bytes_max: int) -> None:
        """Check type and size before opening: a pipe would block, and a huge file fill the disk."""
        about = self._files.info(path)
        if about["type"] in {"directory", "other"}:
            raise BundleError(f"{path} is not a file: it is no file of a bundle")
        if (about.get("size") or 0) > bytes_max:
            raise BundleError(f"{path} is larger than {bytes_max} bytes: it is no file of a bundle")

    def _copy(self, path: str, to: Path, bytes_max: int) -> None:
        self._check_file(path, bytes_max)
        copied = 0
        with self._files.open(path, "rb") as remote, to.open("wb") as local:
            while content := remote.read(_COPY_BYTES):
                copied += len(content)
                if copied > bytes_max:
                    raise BundleError(
                        f"{path} is larger than {bytes_max} bytes: it is no file of a bundle"
                    )
                local.write(content)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Whatever a driver raises becomes RetryableError: each has errors of its own."""
        try:
            yield
        except StreamDetectorError:
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"[:_REASON_CHARACTERS]
            raise RetryableError(
                f"the model store {self.url} can't be used now ({reason}): check model_store, its "
                "rights and that it is reached from here"
            ) from error
