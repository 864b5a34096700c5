"""The files of a model store: read within limits, written whole or not at all, by fsspec."""

import contextlib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec

from stream_detector.errors import BundleError, RetryableError, SettingsError, StreamDetectorError
from stream_detector.models.files import BYTES_MAX

__all__ = ["StoreFiles"]

_PART = ".part"
"""Ends the temporary names."""
_COPY_BYTES = 1_048_576
_REASON_CHARACTERS = 200


class StoreFiles:
    """Files in the folder ``url``: a path, or a URL whose scheme fsspec has a driver for.

    What subclasses do with them stands in ``_answering``, which makes RetryableError of whatever a
    driver raises.

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
        """No store at all is told, not shown as empty: its name may be mistyped."""
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
        """Put a file under a temporary name, then rename it; never half a file by its name."""
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
        """Before it is opened: a pipe would be waited for, and half a disk filled in vain."""
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
