"""Lists the versions of the model store: which are announced, and which worker serves which."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from stream_detector.errors import StreamDetectorError
from stream_detector.events import Kind, ModelRef
from stream_detector.kafka.announcements import Announced
from stream_detector.models.announcement import Announcement
from stream_detector.models.store import ModelStore, StoredModel
from stream_detector.terminal.printable import printable
from stream_detector.terminal.table import table_lines
from trainer.gate.decision import decode_decision
from trainer.publishing.served import WorkerModels

_NAMED_WORKERS_MAX = 4
"""If more workers serve one version, their number is shown."""
_HEADER = ("kind", "sha256", "version", "name", "trained", "announced")


class Listed(NamedTuple):
    """A version that is in the store, announced or served by a worker."""

    kind: Kind
    ref: ModelRef
    stored: StoredModel | None = None
    announced: Announcement | None = None
    """Where it is announced to serve."""
    shadow: Announcement | None = None
    """Where it is announced as a shadow."""
    gate: Mapping[str, Any] | None = None
    """The gate's decision on its announcement or, without one, the decision in the store."""
    is_rollback_target: bool = False
    was_rolled_back: bool = False
    workers: tuple[str, ...] = ()
    """Those that serve it, of the workers that answered."""


def listed_models(
    store: ModelStore,
    versions: Sequence[StoredModel],
    now: Announced,
    answers: Sequence[WorkerModels],
    *,
    only_stored: bool = False,
) -> Iterator[Listed]:
    """The versions of the store, then those that are only announced or served."""
    announced = {one.sha256: one for one in now.serving.values()}
    shadows = {one.sha256: one for one in now.shadows.values()}
    targets = {one.previous[0] for one in now.serving.values() if one.previous}
    withdrawn = {sha256 for one in now.serving.values() for sha256 in one.withdrawn}
    rows = {model.ref.sha256: Listed(model.kind, model.ref, model) for model in versions}
    if not only_stored:
        for one in (*announced.values(), *shadows.values()):
            rows.setdefault(one.sha256, Listed(one.kind, one.ref))
        for answer in answers:
            for kind, ref in answer.models.items():
                rows.setdefault(ref.sha256, Listed(kind, ref))
    for sha256, row in rows.items():
        serving = announced.get(sha256)
        kept = None if row.stored is None else _kept_decision(store, row.stored)
        yield row._replace(
            announced=serving,
            shadow=shadows.get(sha256),
            gate=serving.gate if serving else kept,
            is_rollback_target=sha256 in targets,
            was_rolled_back=sha256 in withdrawn,
            workers=tuple(
                answer.worker
                for answer in answers
                if sha256 in {ref.sha256 for ref in answer.models.values()}
            ),
        )


def _kept_decision(store: ModelStore, model: StoredModel) -> Mapping[str, Any] | None:
    """The gate's decision in the store; None where it can't be read."""
    try:
        kept = store.gate(model.kind, model.ref.sha256)
        return None if kept is None else decode_decision(kept, model.url).announced()
    except StreamDetectorError:
        return None


def lines_of(listed: Sequence[Listed], answers: Sequence[WorkerModels] | None) -> Iterator[str]:
    """Lines with a header; ``answers`` are None where no worker was asked."""
    rows = [(*_HEADER, *(() if answers is None else ("served by",)), "")]
    for model in listed:
        times = (
            model.stored and model.stored.created_at,
            model.announced and model.announced.announced_at,
        )
        cells = (
            *(model.kind, model.ref.short, model.ref.version, model.ref.name),
            *(f"{time:%Y-%m-%d %H:%M}" if time else "" for time in times),
            *(() if answers is None else (_names(model.workers, len(answers)),)),
            _remarks(model),
        )
        rows.append(tuple(map(printable, cells)))
    return table_lines(rows)


def _names(workers: Sequence[str], asked: int) -> str:
    if len(workers) == asked > 1:
        return f"all {asked} workers"
    if len(workers) > _NAMED_WORKERS_MAX:
        return f"{len(workers)} of {asked} workers"
    return ", ".join(workers)


def _remarks(model: Listed) -> str:
    forced = model.gate and model.gate.get("forced_because")
    remarks = (
        "" if model.stored else "not in the store",
        "signed" if model.stored and model.stored.signed else "",
        f"shadow, share {model.shadow.share:g}" if model.shadow else "",
        "rollback goes back to it" if model.is_rollback_target else "",
        "rolled back" if model.was_rolled_back else "",
        f"forced: {forced}" if forced else "",
    )
    return "; ".join(filter(None, remarks))


def document(model: Listed) -> dict[str, Any]:
    """A version as plain JSON values."""
    stored, announced, shadow = model.stored, model.announced, model.shadow
    described = stored or announced or shadow
    return {
        "sha256": model.ref.sha256,
        "name": model.ref.name,
        "version": model.ref.version,
        "kind": model.kind,
        "stored": stored is not None,
        "created_at": stored and stored.created_at.isoformat(),
        "architecture": stored and stored.architecture,
        "thresholds": described
        and {
            "suspicious": described.thresholds.suspicious,
            "malicious": described.thresholds.malicious,
        },
        "url": described and described.url,
        "signed": stored and stored.signed,
        "announced": announced is not None,
        "announced_at": announced and announced.announced_at.isoformat(),
        "shadow_share": shadow and shadow.share,
        "rollback_target": model.is_rollback_target,
        "rolled_back": model.was_rolled_back,
        "gate": model.gate,
    }
