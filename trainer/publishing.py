"""Publishing of bundles: into the model store, and onto the topic that workers follow."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stream_detector.errors import StreamDetectorError
from stream_detector.events import Kind
from stream_detector.kafka.announcements import announce, current_announcements, end_shadow
from stream_detector.kafka.topics import check_announcement_topic
from stream_detector.models.announcement import Announcement
from stream_detector.models.files import MANIFEST_NAME
from stream_detector.models.store import ModelStore, StoredModel
from stream_detector.settings import Settings

__all__ = [
    "announce_shadow",
    "announced_now",
    "promote",
    "roll_back",
    "shadows_now",
    "store_bundle",
    "withdraw_shadow",
]

_PREVIOUS_MAX = 50
"""Versions that an announcement remembers for rollbacks: years of weekly models, 4 KB."""


def store_bundle(
    bundle: Path, store: ModelStore, *, signing_key: Path | None = None
) -> tuple[StoredModel, bool]:
    """Put a bundle into the store; returns it as stored, and whether it was not there before.

    Raises:
        BundleError: it is no bundle that this program can serve, or is damaged in the store.
        SettingsError: ``signing_key`` holds no Ed25519 private key.
        RetryableError: the store can't be reached or written.
        OSError: the bundle can't be read.
    """
    from stream_detector.models.bundle import load_bundle  # noqa: PLC0415 - TensorFlow

    checked = load_bundle(bundle)
    signature = None
    if signing_key is not None:
        from stream_detector.models.signing import sign  # noqa: PLC0415

        signature = sign((bundle / MANIFEST_NAME).read_bytes(), signing_key)
    is_new = store.put(bundle, checked.manifest.kind, checked.sha256, signature=signature)
    return store.find(checked.sha256), is_new


def announced_now(settings: Settings) -> dict[Kind, Announcement]:
    """What is announced, by kind.

    Raises:
        TopicsError: the topic is missing or may not be read.
        RetryableError: Kafka can't be reached.
    """
    check_announcement_topic(settings, "READ")
    return asyncio.run(current_announcements(settings))


def promote(
    settings: Settings, model: StoredModel, *, gate: Mapping[str, Any] | None = None
) -> Announcement | None:
    """Announce a version of the store; None if it is the one announced already.

    ``gate`` is what the comparison with the served model gave, where there was one.

    Raises:
        TopicsError: the topic is missing or may not be used.
        RetryableError: Kafka can't be reached.
    """
    check_announcement_topic(settings, "READ", "WRITE")
    current = asyncio.run(current_announcements(settings)).get(model.kind)
    if current is not None and current.sha256 == model.ref.sha256:
        return None
    previous = () if current is None else (current.sha256, *current.previous)
    return _announce(settings, model, previous[:_PREVIOUS_MAX], gate)


def roll_back(settings: Settings, store: ModelStore, kind: Kind) -> Announcement:
    """Announce the version announced before the present one, which is forgotten.

    Raises:
        StreamDetectorError: none was announced before.
        BundleError: it is in the store no more.
        TopicsError: the topic is missing or may not be used.
        RetryableError: Kafka or the store can't be reached.
    """
    check_announcement_topic(settings, "READ", "WRITE")
    current = asyncio.run(current_announcements(settings)).get(kind)
    if current is None or not current.previous:
        raise StreamDetectorError(
            f"no {kind} model was announced before "
            f"{'this one' if current else 'any other'}: name one to `stream-trainer models "
            "promote`"
        )
    back, *older = current.previous
    return _announce(settings, store.find(back), tuple(older), None)


def shadows_now(settings: Settings) -> dict[Kind, Announcement]:
    """The shadows that are announced, by kind.

    Raises:
        TopicsError: the topic is missing or may not be read.
        RetryableError: Kafka can't be reached.
    """
    check_announcement_topic(settings, "READ")
    return asyncio.run(current_announcements(settings, role="shadow"))


def announce_shadow(settings: Settings, model: StoredModel, share: float) -> Announcement:
    """Announce a version of the store as the shadow of the model that serves its kind.

    ``share`` is that of the texts it is to score, above 0 and up to 1.

    Raises:
        StreamDetectorError: it is the model that is announced to serve.
        TopicsError: the topic is missing or may not be used.
        RetryableError: Kafka can't be reached.
    """
    check_announcement_topic(settings, "READ", "WRITE")
    serving = asyncio.run(current_announcements(settings)).get(model.kind)
    if serving is not None and serving.sha256 == model.ref.sha256:
        raise StreamDetectorError(
            f"{model.kind} model {model.ref.version} is announced to serve, and can't be its own "
            "shadow: name another version"
        )
    announcement = Announcement(
        name=model.ref.name,
        kind=model.kind,
        version=model.ref.version,
        sha256=model.ref.sha256,
        url=model.url,
        thresholds=model.thresholds,
        announced_at=datetime.now(UTC),
        role="shadow",
        share=share,
    )
    asyncio.run(announce(settings, announcement))
    return announcement


def withdraw_shadow(settings: Settings, kind: Kind) -> Announcement:
    """Announce that ``kind`` has no shadow any more; returns the one it had.

    Raises:
        StreamDetectorError: it had none.
        TopicsError: the topic is missing or may not be used.
        RetryableError: Kafka can't be reached.
    """
    check_announcement_topic(settings, "READ", "WRITE")
    shadow = asyncio.run(current_announcements(settings, role="shadow")).get(kind)
    if shadow is None:
        raise StreamDetectorError(f"no shadow of kind {kind} is announced: nothing is to end")
    asyncio.run(end_shadow(settings, kind))
    return shadow


def _announce(
    settings: Settings,
    model: StoredModel,
    previous: tuple[str, ...],
    gate: Mapping[str, Any] | None,
) -> Announcement:
    announcement = Announcement(
        name=model.ref.name,
        kind=model.kind,
        version=model.ref.version,
        sha256=model.ref.sha256,
        url=model.url,
        thresholds=model.thresholds,
        announced_at=datetime.now(UTC),
        previous=previous,
        gate=None if gate is None else dict(gate),
    )
    asyncio.run(announce(settings, announcement))
    return announcement
