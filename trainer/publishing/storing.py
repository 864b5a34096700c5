"""Puts bundles into the model store, fetches them, and chooses which may go."""

import tempfile
from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import get_args

from stream_detector.errors import StreamDetectorError
from stream_detector.events import Kind
from stream_detector.kafka.announcements import Announced
from stream_detector.models.announcement import Announcement
from stream_detector.models.bundle import load_bundle
from stream_detector.models.files import MANIFEST_NAME
from stream_detector.models.manifest import decode_manifest
from stream_detector.models.signing import sign
from stream_detector.models.store import ModelStore, PutOutcome, StoredModel
from trainer.gate.decision import GateDecision, GateError, encode_decision


def store_bundle(
    bundle: Path,
    store: ModelStore,
    *,
    signing_key: Path | None = None,
    decision: GateDecision | None = None,
) -> tuple[StoredModel, PutOutcome]:
    """Put a bundle into the store; returns it as stored, and the state of the store before.

    The store keeps ``decision``, the gate's on this bundle, with it.

    Raises:
        GateError: ``decision`` is on another bundle.
        StreamDetectorError: bundle, key or store can't be used.
        OSError: the bundle can't be read.
    """
    checked = load_bundle(bundle)
    if decision is not None and decision.challenger.sha256 != checked.sha256:
        raise GateError(
            f"the gate's decision is on another bundle ({decision.challenger.short}) than "
            f"{bundle} ({checked.ref.short}): judge it by `stream-trainer gate`"
        )
    manifest = (bundle / MANIFEST_NAME).read_bytes()
    signature = None if signing_key is None else sign(manifest, signing_key)
    outcome = store.put(
        bundle,
        checked.manifest.kind,
        checked.sha256,
        signature=signature,
        gate=None if decision is None else encode_decision(decision),
    )
    return store.find(checked.sha256), outcome


def sign_stored(store: ModelStore, model: StoredModel, signing_key: Path | None) -> None:
    """Sign a version of the store, unless that key has signed it; does nothing without a key."""
    if signing_key is not None:
        kind, sha256 = model.kind, model.ref.sha256
        store.put_signature(kind, sha256, sign(store.manifest(kind, sha256), signing_key))


def fetch_version(store: ModelStore, model: StoredModel, folder: Path) -> None:
    """Copy a version of the store into ``folder``, new or empty; checked, and whole or not at all.

    Raises:
        StreamDetectorError: ``folder`` is not empty or can't be written, the version is damaged, or
            the store can't be reached.
    """
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


def was_withdrawn(
    store: ModelStore, announced: Announcement, identity: str, warm_start: str
) -> bool:
    """Whether a rollback took back a model of this ``identity``, trained on from ``warm_start``.

    A store that does not answer raises: taking silence for "no" would publish again what an
    operator has rolled back. A version that was removed from the store says nothing.

    Raises:
        RetryableError: the store can't be reached.
        BundleError: a version was damaged meanwhile.
    """
    if not announced.withdrawn:
        return False
    stored = {model.ref.sha256 for model in store.versions()}
    for sha256 in stored.intersection(announced.withdrawn):
        content = store.manifest(announced.kind, sha256)
        made = decode_manifest(content, store.url_of(announced.kind, sha256)).training
        if (made.identity, made.warm_start) == (identity, warm_start):
            return True
    return False


def prunable(
    models: Sequence[StoredModel],
    announced: Announced,
    served: Collection[str],
    *,
    keep: int,
    trained_before: datetime | None,
) -> list[StoredModel]:
    """The versions to remove, oldest first.

    Args:
        models: of the store, oldest first.
        announced: the present announcements; every version that they need stays.
        served: sha256 of the models that workers serve, which stay.
        keep: how many of the newest of each kind stay.
        trained_before: only versions that were trained before it go; None: of any age.
    """
    needed = set(served)
    for announcement in (*announced.serving.values(), *announced.shadows.values()):
        needed.add(announcement.sha256)
        needed.update(announcement.previous[:1])
        needed.update(announcement.withdrawn)  # A retraining reads how these were made.
    for kind in get_args(Kind):
        of_kind = [model.ref.sha256 for model in models if model.kind == kind]
        needed.update(of_kind[len(of_kind) - keep :] if keep < len(of_kind) else of_kind)
    return [
        model
        for model in models
        if model.ref.sha256 not in needed
        and (trained_before is None or model.created_at < trained_before)
    ]
