"""Ed25519 keys, and signatures of manifests; a manifest holds the SHA-256 of the other files.

``signed_announcements`` signs announcements. Keys are PEM files, as ``openssl genpkey -algorithm
ed25519`` writes them.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from stream_detector.errors import BundleError, SettingsError


def new_key(private_path: Path) -> Path:
    """Make a pair of keys; returns the public one's path, ``private_path`` with ``.pub`` added.

    The private key is not encrypted, and only its owner can read it.

    Raises:
        SettingsError: one of the files exists, or can't be written.
    """
    private = Ed25519PrivateKey.generate()
    public_path = private_path.with_name(private_path.name + ".pub")
    _write_new(
        private_path,
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        mode=0o600,
    )
    _write_new(
        public_path,
        private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
        mode=0o644,
    )
    return public_path


def sign(content: bytes, private_path: Path) -> bytes:
    """The signature of ``content``, 64 bytes; raises as ``read_private_key``."""
    signature: bytes = read_private_key(private_path).sign(content)
    return signature


def public_half(private_path: Path) -> Ed25519PublicKey:
    """The public key to the private one in ``private_path``; raises as ``read_private_key``."""
    return read_private_key(private_path).public_key()


def read_private_key(private_path: Path) -> Ed25519PrivateKey:
    """The private key in ``private_path``.

    Raises:
        SettingsError: it holds no Ed25519 private key without a password.
    """
    try:
        key = serialization.load_pem_private_key(_read(private_path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SettingsError(
            f"{private_path} holds no private key in PEM without a password: "
            "`stream-trainer models new-key` makes one"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(
            f"{private_path} holds a key of another algorithm than Ed25519: "
            "`stream-trainer models new-key` makes one"
        )
    return key


def read_public_key(path: Path, setting: str = "model_public_key") -> Ed25519PublicKey:
    """The public key in ``path``, which ``setting`` names.

    Raises:
        SettingsError: it holds none.
    """
    try:
        key = serialization.load_pem_public_key(_read(path))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SettingsError(
            f"{setting} {path} holds no public key in PEM: give the .pub file that "
            "`stream-trainer models new-key` made"
        ) from error
    if not isinstance(key, Ed25519PublicKey):
        raise SettingsError(f"{setting} {path} is of another algorithm than Ed25519")
    return key


def read_public_keys(files: Mapping[str, str], setting: str) -> dict[str, Ed25519PublicKey]:
    """The public keys in ``files``, by the names that ``setting`` gives them.

    Raises:
        SettingsError: a file holds none.
    """
    return {name: read_public_key(Path(path), f"{setting} {name}") for name, path in files.items()}


def check_signature(manifest: bytes, signature: bytes | None, key: Ed25519PublicKey) -> None:
    """Check that the private half of ``key`` signed ``manifest``.

    Raises:
        BundleError: another key did, or there is no signature.
    """
    if signature is None:
        raise BundleError(
            "the bundle is not signed, and model_public_key is set: publish it with --signing-key"
        )
    try:
        key.verify(signature, manifest)
    except InvalidSignature as error:
        raise BundleError(
            "the bundle's signature is not by the private half of model_public_key: publish it "
            "with the right --signing-key, or find out who signed it"
        ) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SettingsError(f"the key {path} can't be read ({error.strerror})") from error


def _write_new(path: Path, content: bytes, *, mode: int) -> None:
    try:
        # The mode is set at creation: the key is never readable by others, not for a moment.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError as error:
        raise SettingsError(f"{path} exists and is not overwritten: give another name") from error
    except OSError as error:
        raise SettingsError(f"{path} can't be written ({error.strerror})") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
