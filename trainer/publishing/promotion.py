"""Announces models on the topic that workers follow: to serve, or as a shadow."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from stream_detector.errors import BundleError, SettingsError, StreamDetectorError
from stream_detector.events import Kind, ModelRef
from stream_detector.kafka.announcements import (
    Announced,
    announce,
    current_announcements,
    end_shadow,
)
from stream_detector.kafka.rights import Operation
from stream_detector.kafka.topics import check_topic
from stream_detector.models.announcement import Announcement, Role
from stream_detector.models.bundle import Bundle, load_bundle
from stream_detector.models.manifest import ref_of_bundle
from stream_detector.models.serving import load_fetched
from stream_detector.models.signing import public_half, read_public_key
from stream_detector.models.store import ModelStore, StoredModel
from stream_detector.settings.fields import Settings
from trainer.gate.admission import Reigning, check_admitted, force
from trainer.gate.decision import (
    GateDecision,
    decision_path,
    decode_decision,
    encode_decision,
    read_decision,
    write_decision,
)
from trainer.publishing.storing import sign_stored, store_bundle

CHAMPION_PREFIX = ".champion-"
"""How the names of temporary folders of ``reigning_bundle`` begin; a killed process leaves one."""

_PREVIOUS_MAX = 50
"""Versions that an announcement remembers for rollbacks: years of weekly models, 4 KB."""


def check_signing(settings: Settings, signing_key: Path | None) -> None:
    """Check that ``signing_key`` is the private half of the public key, where workers have one.

    They refuse an announcement without a signature: SettingsError says so before.
    """
    if settings.model_public_key is None:
        return
    if signing_key is None:
        raise SettingsError(
            f"{settings.with_place('model_public_key')}, so workers take only signed models: give "
            "--signing-key"
        )
    if public_half(signing_key) != read_public_key(settings.model_public_key):
        raise SettingsError(
            f"{signing_key} is not the private half of "
            f"{settings.with_place('model_public_key')}: give the one that belongs to it"
        )


def announced_now(
    settings: Settings, *, signing_key: Path | None = None, to_write: bool = False
) -> Announced:
    """The models that are announced to serve, and the shadows; as ``signing_key`` verifies them.

    ``to_write`` also checks that this program may announce, and has the key for it.

    Raises:
        SettingsError: as ``check_signing``.
        TopicsError: the topic is missing or may not be used.
        RetryableError: Kafka can't be reached.
    """
    operations: tuple[Operation, ...] = ("READ",)
    if to_write:
        check_signing(settings, signing_key)
        operations = ("READ", "WRITE")
    check_topic(settings, settings.models_topic, *operations)
    return asyncio.run(current_announcements(settings, signing_key=signing_key))


def reigning_model(settings: Settings, kind: Kind, announced: Announcement | None) -> Reigning:
    """The model that an announcement replaces: ``announced``, or the bundle of the settings."""
    if announced is not None:
        return Reigning(kind, announced.ref, is_announced=True)
    return Reigning(kind, ref_of_bundle(settings.bundle_of(kind)), is_announced=False)


class Champion(NamedTuple):
    """The bundle that serves a kind: a challenger is trained on from it, and has to beat it."""

    folder: Path
    bundle: Bundle
    announced: Announcement | None
    """None where nothing is announced for the kind, or nobody looked."""


@contextmanager
def reigning_bundle(
    settings: Settings, kind: Kind, *, within: Path | None = None, signing_key: Path | None = None
) -> Iterator[Champion]:
    """The bundle that serves ``kind`` now; its folder is there as long as the block lasts.

    That is the announced bundle or, without a model store or an announcement, the bundle of the
    settings. The files of an announced one are copied into a temporary folder ``within`` a folder.

    Raises:
        BundleError: the bundle is damaged.
        StreamDetectorError: as ``announced_now``; or the store can't be reached.
    """
    announced = None
    if settings.model_store:
        announced = announced_now(settings, signing_key=signing_key).serving.get(kind)
    if announced is None:
        folder = settings.bundle_of(kind)
        yield Champion(folder, load_bundle(folder, kind=kind), None)
        return
    with tempfile.TemporaryDirectory(
        prefix=CHAMPION_PREFIX, dir=within, ignore_cleanup_errors=True
    ) as name:
        folder, store = Path(name), ModelStore(settings.model_store)
        store.fetch(kind, announced.sha256, folder)
        bundle = load_fetched(store, kind, announced.sha256, folder, expected=kind)
        yield Champion(folder, bundle, announced)


def decision_beside(bundle: Path, sha256: str) -> GateDecision | None:
    """The gate's decision next to ``bundle``, which has this ``sha256``; None if there is none.

    A decision on an earlier bundle of this folder does not count. A damaged one is a GateError.
    """
    path = decision_path(bundle)
    if not path.exists():
        return None
    decision = read_decision(path)
    return decision if decision.challenger.sha256 == sha256 else None


def admitted_bundle(
    settings: Settings, bundle: Path, *, because: str | None = None, signing_key: Path | None = None
) -> GateDecision | None:
    """The decision that admits ``bundle``; None if it serves already and there is none.

    ``because`` is the reason to announce it whatever the gate decided; the decision next to the
    bundle records it.

    Raises:
        NotAdmittedError: it may not be announced.
        GateError: ``because`` is empty.
        BundleError: it, or the one of the settings, is no bundle that this program can serve.
        StreamDetectorError: as ``announced_now`` and ``check_signing``.
    """
    checked = load_bundle(bundle)
    found = decision_beside(bundle, checked.sha256)
    decision = _admitted(settings, checked.manifest.kind, checked.ref, found, because, signing_key)
    if because is not None and decision is not None:
        write_decision(bundle, decision)
    return decision


def admitted_version(
    settings: Settings,
    store: ModelStore,
    model: StoredModel,
    *,
    because: str | None = None,
    signing_key: Path | None = None,
) -> GateDecision | None:
    """``admitted_bundle`` for a version of the store, which keeps its decision."""
    kept = store.gate(model.kind, model.ref.sha256)
    found = None if kept is None else decode_decision(kept, f"the gate.json of {model.url}")
    decision = _admitted(settings, model.kind, model.ref, found, because, signing_key)
    if because is not None and decision is not None:
        store.put_gate(model.kind, model.ref.sha256, encode_decision(decision))
    return decision


def _admitted(
    settings: Settings,
    kind: Kind,
    ref: ModelRef,
    decision: GateDecision | None,
    because: str | None,
    signing_key: Path | None,
) -> GateDecision | None:
    check_signing(settings, signing_key)
    announced = announced_now(settings, signing_key=signing_key).serving.get(kind)
    reigning = reigning_model(settings, kind, announced)
    if because is not None:
        decision = force(ref, reigning, decision, because)
    check_admitted(ref, reigning, decision)
    return decision


def promote(
    settings: Settings,
    model: StoredModel,
    *,
    gate: GateDecision | None = None,
    signing_key: Path | None = None,
) -> Announcement:
    """Announce a version of the store to serve.

    One that is announced already is announced again: workers that refused it try once more, since
    it may have been signed or repaired. ``gate`` is the decision of its comparison with the model
    that serves, unless it is that model. The first announcement also stores the bundle of the
    settings, for a rollback. ``signing_key`` signs the announcement and both bundles.

    Raises:
        NotAdmittedError: ``gate`` is missing, on another pair of models, or refused the model.
        BundleError: ``model`` is damaged in the store, or the settings name no bundle.
        StreamDetectorError: as ``announced_now``; or the store can't be reached.
    """
    kind, sha256 = model.kind, model.ref.sha256
    current = announced_now(settings, signing_key=signing_key, to_write=True).serving.get(kind)
    reigning = reigning_model(settings, kind, current)
    check_admitted(model.ref, reigning, gate)
    previous = () if current is None else current.previous
    if reigning.ref.sha256 != sha256:
        if current is None:
            store = ModelStore(settings.model_store)
            store_bundle(settings.bundle_of(kind), store, signing_key=signing_key)
        previous = (reigning.ref.sha256, *previous)
    withdrawn = () if current is None else current.withdrawn
    decision = None if gate is None else gate.announced()
    if current is not None and current.sha256 == sha256 and current.gate is not None:
        # It keeps the decision against its predecessor: a comparison with itself says nothing.
        forced = gate.forced_because if gate is not None else None
        decision = current.gate | ({} if forced is None else {"forced_because": forced})
    return _announce(
        settings,
        model,
        previous=previous[:_PREVIOUS_MAX],
        withdrawn=tuple(each for each in withdrawn if each != sha256),
        gate=decision,
        signing_key=signing_key,
    )


def roll_back(
    settings: Settings, store: ModelStore, kind: Kind, *, signing_key: Path | None = None
) -> Announcement:
    """Announce the version announced before the present one, and mark that one as withdrawn.

    Raises:
        BundleError: it was removed from the store, or is damaged there.
        StreamDetectorError: none was announced before; or as ``announced_now``.
    """
    current = announced_now(settings, signing_key=signing_key, to_write=True).serving.get(kind)
    if current is None or not current.previous:
        raise StreamDetectorError(
            f"no {kind} model was announced before "
            f"{'this one' if current else 'any other'}: name one to `stream-trainer models "
            "promote`"
        )
    back, *older = current.previous
    withdrawn = (current.sha256, *current.withdrawn)[:_PREVIOUS_MAX]
    model = next((each for each in store.versions() if each.ref.sha256 == back), None)
    if model is None:
        raise BundleError(
            f"{kind} model {back[:12]}, which was announced before this one, is not in "
            f"{store.url} any more: name another one to `stream-trainer models promote`"
        )
    return _announce(
        settings, model, previous=tuple(older), withdrawn=withdrawn, signing_key=signing_key
    )


def announce_shadow(
    settings: Settings, model: StoredModel, share: float, *, signing_key: Path | None = None
) -> Announcement:
    """Announce a version of the store as the shadow of the model that serves its kind.

    ``share`` is that of the texts it is to score, above 0 and up to 1.

    Raises:
        BundleError: it is damaged in the store.
        StreamDetectorError: it is the model that is announced to serve; or as ``announced_now``.
    """
    announced = announced_now(settings, signing_key=signing_key, to_write=True)
    serving = announced.serving.get(model.kind)
    if serving is not None and serving.sha256 == model.ref.sha256:
        raise StreamDetectorError(
            f"{model.kind} model {model.ref.version} is announced to serve, and can't be its own "
            "shadow: name another version"
        )
    return _announce(settings, model, role="shadow", share=share, signing_key=signing_key)


def withdraw_shadow(
    settings: Settings, kind: Kind, *, signing_key: Path | None = None
) -> Announcement:
    """Announce the end of the shadow of ``kind``; returns that shadow.

    Raises:
        StreamDetectorError: it had none; or as ``announced_now``.
    """
    shadow = announced_now(settings, signing_key=signing_key, to_write=True).shadows.get(kind)
    if shadow is None:
        raise StreamDetectorError(f"no shadow of kind {kind} is announced: nothing is to end")
    asyncio.run(end_shadow(settings, kind, signing_key=signing_key))
    return shadow


def _announce(
    settings: Settings,
    model: StoredModel,
    *,
    previous: tuple[str, ...] = (),
    withdrawn: tuple[str, ...] = (),
    gate: dict[str, Any] | None = None,
    role: Role = "serve",
    share: float | None = None,
    signing_key: Path | None,
) -> Announcement:
    store = ModelStore(settings.model_store)
    # Before the announcement: workers would fetch a damaged version, refuse it and keep warning.
    store.check(model.kind, model.ref.sha256)
    sign_stored(store, model, signing_key)
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
        gate=gate,
        role=role,
        share=share,
    )
    asyncio.run(announce(settings, announcement, signing_key=signing_key))
    return announcement
