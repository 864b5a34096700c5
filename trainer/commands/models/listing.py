"""``stream-trainer models list`` and ``show``: versions, what is announced, and what serves."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from stream_detector.commands.options import SettingsCommand
from stream_detector.errors import StreamDetectorError
from stream_detector.events import Kind, ModelRef
from trainer.commands.models.options import (
    kafka_options,
    opened_store,
    settings_with_store,
    workers_options,
)
from trainer.console import printable, tell
from trainer.shown_progress import shown_stage

if TYPE_CHECKING:
    from stream_detector.kafka.announcements import Announced
    from stream_detector.models.announcement import Announcement
    from stream_detector.models.store import ModelStore, StoredModel
    from trainer.publishing.served import WorkerModels

__all__ = ["list_command", "show"]

_NAMED_WORKERS_MAX = 4
"""Of more workers that serve one version their number is shown."""
_HEADER = ("kind", "sha256", "version", "name", "trained", "announced")


class _Listed(NamedTuple):
    """A version: of the store, announced, served by a worker, or several of these."""

    kind: Kind
    ref: ModelRef
    stored: "StoredModel | None" = None
    announced: "Announcement | None" = None
    """Where it is announced to serve."""
    shadow: "Announcement | None" = None
    """Where it is announced as a shadow."""
    gate: Mapping[str, Any] | None = None
    """The gate's decision by which it was announced or, of others, the one that the store keeps."""
    is_rollback_target: bool = False
    was_rolled_back: bool = False
    workers: tuple[str, ...] = ()
    """Those that serve it, of the workers that were asked."""


@click.command("list", cls=SettingsCommand, short_help="The versions, and what serves.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@workers_options
@kafka_options
@shown_stage("looking at the store")
def list_command(
    as_json: bool,
    workers: tuple[str, ...],
    prometheus: tuple[str, ...],
    config: Path | None,
    **flags: object,
) -> int:
    """List the versions in the store, oldest first; those that are only announced or served last.

    "announced" is when workers were told to serve a version. Whether they do only they know: one
    may have refused it, or follow another store. Ask them by --worker, or all at once by
    --prometheus, and "served by" names them.

    The exit code is 1 if an address does not answer.

    \b
    stream-trainer models list
    stream-trainer models list --worker http://detector-1:9464 --worker http://detector-2:9464
    stream-trainer models list --prometheus http://prometheus:9090
    stream-trainer models list --json | jq -r 'select(.announced).sha256'
    """
    settings = settings_with_store(config, flags)
    from trainer.publishing.promotion import announced_now  # noqa: PLC0415
    from trainer.publishing.served import ask_workers  # noqa: PLC0415

    is_asked = bool(workers or prometheus)
    answers, faults = ask_workers(workers, prometheus)
    store = opened_store(settings)
    listed = list(_listed(store, store.versions(), announced_now(settings), answers))
    if as_json:
        for model in listed:
            of_workers = {"served_by": list(model.workers) if is_asked else None}
            click.echo(json.dumps(_document(model) | of_workers))
    elif listed:
        for line in _table(listed, answers if is_asked else None):
            click.echo(line)
    else:
        tell("the store is empty: `stream-trainer models publish BUNDLE` fills it")
    for answer in answers:
        if not answer.models:
            tell(f"{printable(answer.worker)} serves nothing yet")
    for fault in faults:
        tell(fault)
    if not is_asked and not as_json and listed:
        tell(
            "which worker serves what: --worker http://HOST:9464, or --prometheus http://HOST:9090"
        )
    return 1 if faults else 0


@click.command(cls=SettingsCommand, short_help="All about one version, as JSON.")
@click.argument("version")
@kafka_options
def show(version: str, config: Path | None, **flags: object) -> None:
    """Show VERSION, a sha256 or its beginning, or the version in a manifest, as JSON.

    \b
    stream-trainer models show 3f9a
    stream-trainer models show 20261124.162712 | jq .thresholds
    """
    settings = settings_with_store(config, flags)
    from trainer.publishing.promotion import announced_now  # noqa: PLC0415

    store = opened_store(settings)
    (model,) = _listed(store, [store.find(version)], announced_now(settings), (), only_stored=True)
    click.echo(json.dumps(_document(model), indent=2))


def _listed(
    store: "ModelStore",
    versions: "Sequence[StoredModel]",
    now: "Announced",
    answers: "Sequence[WorkerModels]",
    *,
    only_stored: bool = False,
) -> Iterator[_Listed]:
    announced = {one.sha256: one for one in now.serving.values()}
    shadows = {one.sha256: one for one in now.shadows.values()}
    targets = {one.previous[0] for one in now.serving.values() if one.previous}
    withdrawn = {sha256 for one in now.serving.values() for sha256 in one.withdrawn}
    rows = {model.ref.sha256: _Listed(model.kind, model.ref, model) for model in versions}
    if not only_stored:
        for one in (*announced.values(), *shadows.values()):
            rows.setdefault(one.sha256, _Listed(one.kind, one.ref))
        for answer in answers:
            for kind, ref in answer.models.items():
                rows.setdefault(ref.sha256, _Listed(kind, ref))
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


def _kept_decision(store: "ModelStore", model: "StoredModel") -> Mapping[str, Any] | None:
    """What the store keeps of the gate's decision; None where that can't be read."""
    from trainer.gate.decision import decode_decision  # noqa: PLC0415

    try:
        kept = store.gate(model.kind, model.ref.sha256)
        return None if kept is None else decode_decision(kept, model.url).announced()
    except StreamDetectorError:
        return None


def _table(listed: Sequence[_Listed], answers: "Sequence[WorkerModels] | None") -> Iterator[str]:
    """Lines with a header; ``answers`` are None where no worker was asked."""
    header = [*_HEADER] if answers is None else [*_HEADER, "served by"]
    rows = [(header, "")]
    for model in listed:
        created = model.stored and model.stored.created_at
        cells = [
            model.kind,
            model.ref.short,
            model.ref.version,
            model.ref.name,
            f"{created:%Y-%m-%d %H:%M}" if created else "",
            f"{model.announced.announced_at:%Y-%m-%d %H:%M}" if model.announced else "",
        ]
        if answers is not None:
            cells.append(_names(model.workers, len(answers)))
        rows.append((list(map(printable, cells)), printable(_remarks(model))))
    widths = [max(len(cells[place]) for cells, _ in rows) for place in range(len(header))]
    for cells, remarks in rows:
        padded = [f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)]
        yield "  ".join([*padded, remarks]).rstrip()


def _names(workers: Sequence[str], asked: int) -> str:
    if len(workers) == asked > 1:
        return f"all {asked} workers"
    if len(workers) > _NAMED_WORKERS_MAX:
        return f"{len(workers)} of {asked} workers"
    return ", ".join(workers)


def _remarks(model: _Listed) -> str:
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


def _document(model: _Listed) -> dict[str, Any]:
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
