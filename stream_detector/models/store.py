"""The model store: bundles under content-addressed versions, in any folder that fsspec reaches.

``URL/KIND/SHA256/`` holds a bundle's files. A version is complete or absent: the manifest is
written last, and each file is written under a temporary name and then renamed. ``put`` overwrites
only a damaged version, and the files that describe a version: its signature and the gate's
decision. ``URL/announced/KEY/`` holds the last signed announcement of each key, because the topic
loses it when Kafka compacts a forged record over it.
"""

import contextlib
import hashlib
import logging
import re
import uuid
from collections.abc import Iterator
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

_BLOCK_BYTES = 1_048_576
_REASON_CHARACTERS = 200
_VERSION = re.compile("[0-9a-f]{64}")


class StoredModel(msgspec.Struct, frozen=True):
    """A bundle of the store, as its manifest describes it."""

    ref: ModelRef
    kind: Kind
    created_at: datetime
    architecture: str
    thresholds: Thresholds
    url: str
    signed: bool
    """There is a signature; nobody has checked it yet."""


class ModelStore:
    """Bundles in the folder ``url``: a path, or a URL whose scheme fsspec has a driver for.

    Every method blocks while the store answers. It raises RetryableError if the store can't be
    reached or written, and BundleError for a file that is larger than any of its name.

    Raises:
        SettingsError: no driver for the URL is installed, or the text is not a URL.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/") or url
        try:
            # A cached instance or listing would hide versions that other processes have stored.
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
        """The URL of a version, whether or not it is stored."""
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

        ``sha256`` is that of its manifest. A stored version is read and checked, and replaced if
        its files do not match. A signature and the gate's decision replace older ones.

        Raises:
            OSError: the bundle can't be read.
        """
        manifest = (bundle / MANIFEST_NAME).read_bytes()
        folder = self._folder(kind, sha256)
        with self._answering():
            outcome = self._outcome(folder, kind, sha256)
            self._files.makedirs(folder, exist_ok=True)
            if signature is not None:
                self._put(folder, SIGNATURE_NAME, signature)
            if gate is not None:
                self._put(folder, GATE_NAME, gate)
            if outcome != "known":
                self._put(folder, WEIGHTS_NAME, bundle / WEIGHTS_NAME)
                # Last: a version without a manifest does not exist for any reader.
                self._put(folder, MANIFEST_NAME, manifest)
        return outcome

    def _outcome(self, folder: str, kind: Kind, sha256: str) -> PutOutcome:
        if not self._files.exists(f"{folder}/{MANIFEST_NAME}"):
            return "new"
        if not self._files.exists(f"{folder}/{WEIGHTS_NAME}"):
            return "repaired"
        try:
            self.check(kind, sha256)
        except BundleError:
            return "repaired"
        return "known"

    def put_gate(self, kind: Kind, sha256: str, gate: bytes) -> None:
        """Store the gate's decision on a stored version, in place of an older one."""
        with self._answering():
            self._put(self._folder(kind, sha256), GATE_NAME, gate)

    def put_signature(self, kind: Kind, sha256: str, signature: bytes) -> None:
        """Store the signature of a stored version, unless it is there already."""
        folder = self._folder(kind, sha256)
        with self._answering():
            if self._optional(folder, SIGNATURE_NAME) != signature:
                self._put(folder, SIGNATURE_NAME, signature)

    def gate(self, kind: Kind, sha256: str) -> bytes | None:
        """The gate's decision on a version; None if there is none."""
        with self._answering():
            return self._optional(self._folder(kind, sha256), GATE_NAME)

    def put_announced(self, key: str, content: bytes) -> None:
        """Store the last signed announcement of ``key``, in place of the one before."""
        folder = self._announced(key)
        with self._answering():
            self._files.makedirs(folder, exist_ok=True)
            self._put(folder, ANNOUNCED_NAME, content)

    def announced(self, key: str) -> bytes | None:
        """The last content of ``put_announced`` for ``key``; None if there is none."""
        with self._answering():
            return self._optional(self._announced(key), ANNOUNCED_NAME)

    def fetch(self, kind: Kind, sha256: str, folder: Path) -> None:
        """Copy a version's files into ``folder``, which exists and is empty.

        The manifest has the SHA-256 asked for; ``load_bundle`` checks the other files.

        Raises:
            RetryableError: also if the version is not stored.
            BundleError: the manifest is another one, or a file is larger than any of a bundle.
        """
        (folder / MANIFEST_NAME).write_bytes(self.manifest(kind, sha256))
        remote = self._folder(kind, sha256)
        with self._answering(self.url_of(kind, sha256)):
            self._copy(f"{remote}/{WEIGHTS_NAME}", folder / WEIGHTS_NAME)
            with contextlib.suppress(FileNotFoundError):  # Not every version is signed.
                self._copy(f"{remote}/{SIGNATURE_NAME}", folder / SIGNATURE_NAME)

    def manifest(self, kind: Kind, sha256: str) -> bytes:
        """A version's manifest, which has the SHA-256 asked for.

        Raises:
            RetryableError: also if the version is not stored.
            BundleError: the manifest is another one.
        """
        with self._answering(self.url_of(kind, sha256)):
            return self._manifest(kind, sha256)

    def _manifest(self, kind: Kind, sha256: str) -> bytes:
        content = self._read(f"{self._folder(kind, sha256)}/{MANIFEST_NAME}")
        if hashlib.sha256(content).hexdigest() != sha256:
            raise BundleError(
                f"{self.url_of(kind, sha256)}/{MANIFEST_NAME} does not have the sha256 of its "
                "version: it is damaged or was swapped; publish the bundle again, which replaces it"
            )
        return content

    def check(self, kind: Kind, sha256: str) -> None:
        """Check a version's weights against its manifest.

        Raises:
            RetryableError: also if the version is not stored.
            BundleError: they do not match.
        """
        url, digest = self.url_of(kind, sha256), hashlib.sha256()
        content = self.manifest(kind, sha256)
        with self._answering(url):
            for block in self._blocks(f"{self._folder(kind, sha256)}/{WEIGHTS_NAME}"):
                digest.update(block)
        manifest = decode_manifest(content, f"{url}/{MANIFEST_NAME}")
        if manifest.files[WEIGHTS_NAME] != digest.hexdigest():
            raise BundleError(
                f"{url}/{WEIGHTS_NAME} does not match the sha256 in the manifest: it is damaged "
                "or was swapped, and no worker would take it; publish the bundle again, which "
                "replaces it"
            )

    def remove(self, kind: Kind, sha256: str) -> None:
        """Remove a version, its signature and its gate's decision."""
        folder = self._folder(kind, sha256)
        with self._answering():
            # Without its manifest the version is gone, even if the rest can't be removed.
            self._files.rm_file(f"{folder}/{MANIFEST_NAME}")
            self._files.rm(folder, recursive=True)

    def versions(self) -> list[StoredModel]:
        """All complete versions of all kinds, oldest first by ``created_at``.

        A damaged version is left out, with a warning in the log.
        """
        found: list[StoredModel] = []
        with self._answering():
            for kind in get_args(Kind):
                for path in self._names(f"{self._root}/{kind}"):
                    sha256 = path.rstrip("/").rpartition("/")[2]
                    if _VERSION.fullmatch(sha256):
                        with contextlib.suppress(FileNotFoundError):  # Its upload is under way.
                            found.extend(self._described(kind, sha256))
        return sorted(found, key=lambda model: (model.created_at, model.ref.sha256))

    def _described(self, kind: Kind, sha256: str) -> Iterator[StoredModel]:
        url = self.url_of(kind, sha256)
        try:
            manifest = decode_manifest(self._manifest(kind, sha256), f"{url}/{MANIFEST_NAME}")
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
            signed=self._files.exists(f"{self._folder(kind, sha256)}/{SIGNATURE_NAME}"),
        )

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

    def _names(self, folder: str) -> list[str]:
        """The paths in a folder of the store; none if only this folder is missing."""
        try:
            names: list[str] = self._files.ls(folder, detail=False)
            return names
        except FileNotFoundError:
            pass
        try:
            self._files.ls(self._root, detail=False)
        except FileNotFoundError as error:
            # An error, not an empty store: the name may be mistyped.
            raise RetryableError(
                f"there is no model store at {self.url} yet: check model_store for a slip; the "
                "first `stream-trainer models publish BUNDLE` makes it"
            ) from error
        return []

    def _optional(self, folder: str, name: str) -> bytes | None:
        try:
            return self._read(f"{folder}/{name}")
        except FileNotFoundError:
            return None

    def _put(self, folder: str, name: str, content: bytes | Path) -> None:
        """Write a file under a temporary name, then rename it: readers never see half a file."""
        draft = f"{folder}/{name}.{uuid.uuid4().hex}.part"
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

    def _read(self, path: str) -> bytes:
        return b"".join(self._blocks(path))

    def _copy(self, path: str, to: Path) -> None:
        blocks = self._blocks(path)
        first = next(blocks, b"")  # A missing or oversized file is an error before ``to`` exists.
        with to.open("wb") as local:
            local.write(first)
            local.writelines(blocks)

    def _blocks(self, path: str) -> Iterator[bytes]:
        """The content of a file, in blocks; BundleError if a bundle has no such file."""
        bytes_max = BYTES_MAX[path.rpartition("/")[2]]
        too_large = f"{path} is larger than {bytes_max} bytes: a bundle has no such file"
        # Before opening it: a pipe would block for ever, and a huge file would fill the disk.
        about = self._files.info(path)
        if about["type"] in {"directory", "other"}:
            raise BundleError(f"{path} is not a file: a bundle has no such file")
        if (about.get("size") or 0) > bytes_max:
            raise BundleError(too_large)
        left = bytes_max
        with self._files.open(path, "rb") as file:
            while block := file.read(_BLOCK_BYTES):
                left -= len(block)
                if left < 0:  # It grew, or the driver does not know sizes.
                    raise BundleError(too_large)
                yield block

    @contextlib.contextmanager
    def _answering(self, version_url: str | None = None) -> Iterator[None]:
        """Turn the errors of a driver into RetryableError: each driver raises errors of its own.

        A missing file means that the version of ``version_url`` is not stored.
        """
        try:
            yield
        except StreamDetectorError:
            raise
        except Exception as error:
            if version_url is not None and isinstance(error, FileNotFoundError):
                raise RetryableError(
                    f"{version_url} is not in the store, or not whole: publish it, or check "
                    "model_store"
                ) from error
            reason = f"{type(error).__name__}: {error}"[:_REASON_CHARACTERS]
            raise RetryableError(
                f"the model store {self.url} can't be used now ({reason}): check model_store, its "
                "rights and that it is reached from here"
            ) from error
