"""Models announced in a night, past the gate: they have weights at random."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from stream_detector.kafka.announcements import announce
from stream_detector.models.announcement import Announcement
from stream_detector.models.store import ModelStore
from stream_detector.settings.fields import Settings
from stream_detector.settings.loading import load_settings

if TYPE_CHECKING:
    from stream_detector.models.store import StoredModel

__all__ = ["announce_model", "damage", "store_model"]


def store_model(bundle: Path, given: Mapping[str, str]) -> "StoredModel":
    """Put a bundle into the store; ``given`` are settings by names without prefix."""
    from trainer.publishing.storing import store_bundle

    return store_bundle(bundle, ModelStore(_settings(given).model_store))[0]


def announce_model(model: "StoredModel", given: Mapping[str, str]) -> None:
    """Announce it unchecked, whatever the store has of it by now."""
    settings = _settings(given)
    announcement = Announcement(
        name=model.ref.name,
        kind=model.kind,
        version=model.ref.version,
        sha256=model.ref.sha256,
        url=model.url,
        thresholds=model.thresholds,
        announced_at=datetime.now(UTC),
    )
    asyncio.run(announce(settings, announcement))


def damage(model: "StoredModel", store: Path) -> None:
    """Change a byte of each of its files but the manifest."""
    for path in (store / model.kind / model.ref.sha256).iterdir():
        if path.name != "manifest.json":
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 1
            path.write_bytes(content)


def _settings(given: Mapping[str, str]) -> Settings:
    environment = {f"STREAM_DETECTOR_{name}": value for name, value in given.items()}
    return load_settings({}, environment, None)[0]
