"""A bundle out of the model store, checked and in memory."""

from pathlib import Path
from typing import TYPE_CHECKING

from stream_detector.errors import BundleError
from stream_detector.events import Kind
from stream_detector.logs.setup import native_output_held_back
from stream_detector.models.store import ModelStore

if TYPE_CHECKING:
    from stream_detector.models.bundle import Bundle

__all__ = ["load_fetched"]


def load_fetched(
    store: ModelStore, kind: Kind, sha256: str, folder: Path, *, expected: Kind | None = None
) -> "Bundle":
    """Load what ``store.fetch`` has put into ``folder``; errors name its place in the store.

    ``expected`` is what it has to be for, where that is not for the caller to check.

    Raises:
        BundleError: as ``load_bundle``.
    """
    with native_output_held_back():
        from stream_detector.models.bundle import load_bundle  # noqa: PLC0415 - TensorFlow

    try:
        return load_bundle(folder, kind=expected)
    except BundleError as error:
        # The folder is gone when somebody reads of it.
        where = store.url_of(kind, sha256)
        raise type(error)(str(error).replace(str(folder), where)) from error
