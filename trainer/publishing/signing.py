"""Signing of what is published: whether the key is the right one, and bundles that are stored."""

from pathlib import Path

from stream_detector.errors import SettingsError
from stream_detector.models.signing import public_half, read_public_key, sign
from stream_detector.models.store import ModelStore, StoredModel
from stream_detector.settings.fields import Settings

__all__ = ["check_signing", "sign_stored"]


def check_signing(settings: Settings, signing_key: Path | None) -> None:
    """What is written unsigned would be refused by workers that have a public key.

    Raises:
        SettingsError: a public key is set, and no signing key is given, or not its private half.
    """
    if settings.model_public_key is None:
        return
    if signing_key is None:
        raise SettingsError(
            f"{settings.with_place('model_public_key')}, so workers take only what is signed: give "
            "--signing-key"
        )
    if public_half(signing_key) != read_public_key(settings.model_public_key):
        raise SettingsError(
            f"{signing_key} is not the private half of "
            f"{settings.with_place('model_public_key')}: give the one that belongs to it"
        )


def sign_stored(store: ModelStore, model: StoredModel, signing_key: Path | None) -> None:
    """Sign a version of the store, unless that key has signed it; nothing without a key.

    Raises:
        SettingsError: ``signing_key`` holds no Ed25519 private key.
        RetryableError: the store can't be reached or written.
    """
    if signing_key is not None:
        kind, sha256 = model.kind, model.ref.sha256
        store.put_signature(kind, sha256, sign(store.manifest(kind, sha256), signing_key))
