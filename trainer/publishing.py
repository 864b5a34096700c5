"""Publishing of bundles: into the model store, and onto the topic that workers follow."""

import asyncio
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from stream_detector.errors import StreamDetectorError
from stream_detector.events import Kind
from stream_detector.kafka.announcements import (
    Announced,
    announce,
    current_announcements,
    end_shadow,
)
from stream_detector.kafka.rights import Operation
from stream_detector.kafka.topics import check_topic
from stream_detector.models.announcement import Announcement, Role
from stream_detector.models.files import MANIFEST_NAME
from stream_detector.models.store import ModelStore, StoredModel
from stream_detector.settings import Settings
from trainer.gate.admission import check_admitted, force
from trainer.gate.decision import (
    GateDecision,
    GateError,
    decision_path,
    decode_decision,
    encode_decision,
    read_decision,
    write_decision,
)

__all__ = [
    "admitted_bundle",
    "admitted_version",
    "announce_shadow",
    "announced_now",
    "decision_beside",
    "fetch_version",
    "promote",
    "roll_back",
    "store_bundle",
    "withdraw_shadow",
]

_PREVIOUS_MAX = 50
"""Versions that an announcement remembers for rollbacks: years of weekly models, 4 KB."""


def store_bundle(
    bundle: Path,
    store: ModelStore,
    *,
    signing_key: Path | None = None,
    decision: GateDecision | None = None,
) -> tuple[StoredModel, bool]:
    """Put a bundle into the store; returns it as stored, and whether it was not there before.

    ``decision`` is what the gate decided on it, kept with it.

    Raises:
        GateError: ``decision`` is on another bundle.
        BundleError: it is no bundle that this program can serve, or is damaged in the store.
        SettingsError: ``signing_key`` holds no Ed25519 private key.
        RetryableError: the store can't be reached or written.
        OSError: the bundle can't be read.
    """
    from stream_detector.models.bundle import load_bundle  # noqa: PLC0415 - TensorFlow

    checked = load_bundle(bundle)
    if decision is not None and decision.challenger.sha256 != checked.sha256:
        raise GateError(
            f"the gate's decision is on another bundle ({decision.challenger.short}) than "
            f"{bundle} ({checked.ref.short}): judge it by `stream-trainer gate`"
        )
    signature = None
    if signing_key is not None:
        from stream_detector.models.signing import sign  # noqa: PLC0415

        signature = sign((bundle / MANIFEST_NAME).read_bytes(), signing_key)
    is_new = store.put(
        bundle,
        checked.manifest.kind,
        checked.sha256,
        signature=signature,
        gate=None if decision is None else encode_decision(decision),
    )
    return store.find(checked.sha256), is_new


def fetch_version(store: ModelStore, model: StoredModel, folder: Path) -> None:
    """Copy a version of the store into ``folder``, new or empty; checked, whole or not at all.

    Raises:
        StreamDetectorError: there is something in ``folder``, or it can't be written.
        BundleError: the version is damaged in the store.
        RetryableError: the store can't be reached.
    """
    from stream_detector.models.bundle import load_bundle  # noqa: PLC0415 - TensorFlow

    try:
        folder = folder.resolve()
        if folder.exists() and any(folder.iterdir()):
            raise StreamDetectorError(f"{folder} is not empty: name a new folder")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as name:
            draft = Path(name) / folder.name
            draft.mkdir()
            store.fetch(model.kind, model.ref.sha256, draft)
            load_bundle(draft, kind=model.kind)
            draft.rename(folder)
    except OSError as error:
        raise StreamDetectorError(f"{folder} cannot be written: {error.strerror}") from error


def announced_now(settings: Settings) -> Announced:
    """What is announced: models that serve, and shadows.

    Raises:
        TopicsError: the topic is missing or may not be read.
        RetryableError: Kafka can't be reached.
    """
    return _announced(settings, "READ")


def decision_beside(bundle: Path, sha256: str) -> GateDecision | None:
    """The gate's decision that lies beside ``bundle``, whose sha256 it is; None if there is none.

    One on what was in this folder before is none on what is in it now.

    Raises:
        GateError: what lies there is no decision.
    """
    path = decision_path(bundle)
    if not path.exists():
        return None
    decision = read_decision(path)
    return decision if decision.challenger.sha256 == sha256 else None


def admitted_bundle(
    settings: Settings, bundle: Path, *, because: str | None = None
) -> GateDecision | None:
    """The decision to announce ``bundle`` on; None where it needs none and there is none.

    ``because`` is the reason to announce it whatever the gate decided; it is recorded in the
    decision beside the bundle.

    Raises:
        GateError: it may not be announced, or there is no reason in ``because``.
        BundleError: it is no bundle that this program can serve.
        TopicsError: the topic is missing or may not be read.
        RetryableError: Kafka can't be reached.
    """
    from stream_detector.models.bundle import load_bundle  # noqa: PLC0415 - TensorFlow

    checked = load_bundle(bundle)
    decision = decision_beside(bundle, checked.sha256)
    kind = checked.manifest.kind
    announced = announced_now(settings).serving.get(kind)
    if because is not None:
        decision = force(checked.ref, kind, announced, decision, because)
        write_decision(bundle, decision)
    check_admitted(checked.ref, announced, decision)
    return decision


def admitted_version(
    settings: Settings, store: ModelStore, model: StoredModel, *, because: str | None = None
) -> GateDecision | None:
    """``admitted_bundle`` for a version of the store, whose decision is kept there.

    Raises:
        GateError: it may not be announced, or there is no reason in ``because``.
        TopicsError: the topic is missing or may not be read.
        RetryableError: Kafka or the store can't be reached.
    """
    kept = store.gate(model.kind, model.ref.sha256)
    decision = None if kept is None else decode_decision(kept, f"the gate.json of {model.url}")
    announced = announced_now(settings).serving.get(model.kind)
    if because is not None:
        decision = force(model.ref, model.kind, announced, decision, because)
        store.put_gate(model.kind, model.ref.sha256, encode_decision(decision))
    check_admitted(model.ref, announced, decision)
    return decision


def promote(
    settings: Settings, model: StoredModel, *, gate: GateDecision | None = None
) -> Announcement | None:
    """Announce a version of the store; None if it is the one announced already.

    ``gate`` is the decision of its comparison with the one announced now, which is needed for all
    but the first model of a kind.

    Raises:
        GateError: ``gate`` is missing, on another pair of models, or refused the model.
        TopicsError: the topic is missing or may not be used.
        RetryableError: Kafka can't be reached.
    """
    current = _announced(settings, "READ", "WRITE").serving.get(model.kind)
    if current is not None and current.sha256 == model.ref.sha256:
        return None
    check_admitted(model.ref, current, gate)
    previous = () if current is None else (current.sha256, *current.previous)
    withdrawn = () if current is None else current.withdrawn
    return _announce(
        settings,
        model,
        previous=previous[:_PREVIOUS_MAX],
        withdrawn=tuple(sha256 for sha256 in withdrawn if sha256 != model.ref.sha256),
        gate=gate,
    )


def roll_back(settings: Settings, store: ModelStore, kind: Kind) -> Announcement:
    """Announce the version announced before the present one, which is forgotten.

    Raises:
        StreamDetectorError: none was announced before.
        BundleError: it is in the store no more.
        TopicsError: the topic is missing or may not be used.
        RetryableError: Kafka or the store can't be reached.
    """
    current = _announced(settings, "READ", "WRITE").serving.get(kind)
    if current is None or not current.previous:
        raise StreamDetectorError(
            f"no {kind} model was announced before "
            f"{'this one' if current else 'any other'}: name one to `stream-trainer models "
            "promote`"
        )
    back, *older = current.previous
    withdrawn = (current.sha256, *current.withdrawn)[:_PREVIOUS_MAX]
    return _announce(settings, store.find(back), previous=tuple(older), withdrawn=withdrawn)


def announce_shadow(settings: Settings, model: StoredModel, share: float) -> Announcement:
    """Announce a version of the store as the shadow of the model that serves its kind.

    ``share`` is that of the texts it is to score, above 0 and up to 1.

    Raises:
        StreamDetectorError: it is the model that is announced to serve.
        BundleError: it is damaged in the store.
        TopicsError: the topic is missing or may not be used.
        RetryableError: Kafka or the store can't be reached.
    """
    serving = _announced(settings, "READ", "WRITE").serving.get(model.kind)
    if serving is not None and serving.sha256 == model.ref.sha256:
        raise StreamDetectorError(
            f"{model.kind} model {model.ref.version} is announced to serve, and can't be its own "
            "shadow: name another version"
        )
    return _announce(settings, model, role="shadow", share=share)


def withdraw_shadow(settings: Settings, kind: Kind) -> Announcement:
    """Announce that ``kind`` has no shadow any more; returns the one it had.

    Raises:
        StreamDetectorError: it had none.
        TopicsError: the topic is missing or may not be used.
        RetryableError: Kafka can't be reached.
    """
    shadow = _announced(settings, "READ", "WRITE").shadows.get(kind)
    if shadow is None:
        raise StreamDetectorError(f"no shadow of kind {kind} is announced: nothing is to end")
    asyncio.run(end_shadow(settings, kind))
    return shadow


def _announced(settings: Settings, *operations: Operation) -> Announced:
    """What is announced on a topic that allows ``operations``."""
    check_topic(settings, settings.models_topic, *operations)
    return asyncio.run(current_announcements(settings))


def _announce(
    settings: Settings,
    model: StoredModel,
    *,
    previous: tuple[str, ...] = (),
    withdrawn: tuple[str, ...] = (),
    gate: GateDecision | None = None,
    role: Role = "serve",
    share: float | None = None,
) -> Announcement:
    ModelStore(settings.model_store).check(model)
    announcement = Announcement(
        name=model.ref.name,
        kind=model.kind,
        version=model.ref.version,
        sha256=model.ref.sha256,
        url=model.url,
        thresholds=model.thresholds,
        announced_at=datetime.now(UTC),
        previous=previous,
        withdrawn=withdrawn,
        gate=None if gate is None else gate.announced(),
        role=role,
        share=share,
    )
    asyncio.run(announce(settings, announcement))
    return announcement
