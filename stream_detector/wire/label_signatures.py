"""Signed labels: which analyst or feed a label is from, proved by a key.

Kafka does not tell a consumer who wrote a record, and a topic's rights cover all who may write to
it. Where ``label_keys`` names a public key for a voice, a label of that voice counts only if its
record has a header ``signature``: Ed25519 over ``stream-detector label``, a zero byte, and the
record's value, byte for byte.
"""

from collections.abc import Iterable, Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from stream_detector.events import Label
from stream_detector.wire.labels import is_feed

SIGNATURE = "signature"
"""Name of the header."""
SIGNATURE_BYTES = 64
_WHAT = b"stream-detector label\0"
"""Begins the signed bytes: no signature of a manifest or an announcement passes for one of a
label."""
_ANY = "*"


def voice_of(label: Label) -> str:
    """Who speaks: ``analyst kim``, or ``feed urlhaus`` where no analyst does."""
    return f"feed {label.feed}" if is_feed(label) else f"analyst {label.analyst}"


def label_signature(value: bytes, key: Ed25519PrivateKey) -> bytes:
    """The signature of a label's record with ``value``, 64 bytes."""
    signature: bytes = key.sign(_WHAT + value)
    return signature


def is_signed(
    value: bytes | None, headers: Iterable[tuple[str, bytes]], key: Ed25519PublicKey
) -> bool:
    """Whether the private half of ``key`` signed the record."""
    signature = dict(headers).get(SIGNATURE)
    if signature is None:
        return False
    try:
        key.verify(signature, _WHAT + (value or b""))
    except InvalidSignature:
        return False
    return True


class LabelKeys:
    """The public keys of voices, such as ``analyst:kim`` or ``feed:*``."""

    def __init__(self, keys: Mapping[str, Ed25519PublicKey]) -> None:
        self._keys = keys

    def of(self, label: Label) -> Ed25519PublicKey | None:
        """The key that has to have signed ``label``; None where any writer may say it."""
        part, name = ("feed", label.feed) if is_feed(label) else ("analyst", label.analyst)
        return self._keys.get(f"{part}:{name}") or self._keys.get(f"{part}:{_ANY}")
