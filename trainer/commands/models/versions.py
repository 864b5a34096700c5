"""``stream-trainer models list``, ``show``, ``fetch``, ``prune`` and ``new-key``."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from stream_detector.commands.options import SettingsCommand
from stream_detector.errors import StreamDetectorError
from stream_detector.events import Kind
from stream_detector.models.signing import new_key
from stream_detector.models.store import ModelStore
from stream_detector.settings.fields import Settings
from stream_detector.system.native_output import native_output_held_back
from stream_detector.terminal.durations import DURATION
from stream_detector.terminal.printable import printable
from trainer.commands import options
from trainer.console import show, shown_stage, tell
from trainer.publishing.listing import document, lines_of, listed_models
from trainer.publishing.served import ask_workers

_KEPT = 5
"""Newest versions of each kind that stay by default: a retraining keeps as many challengers."""


@click.command("list", cls=SettingsCommand)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@options.workers
@options.model_store()
@shown_stage("looking at the store")
def list_command(
    as_json: bool,
    workers: tuple[str, ...],
    prometheus: tuple[str, ...],
    settings: Settings,
    store: ModelStore,
) -> int:
    """List the versions in the store, oldest first; those that are only announced or served last.

    "announced" is when workers were asked to serve a version. Only they know whether they do: one
    may have refused it, or follow another store. Ask them by --worker, or all at once by
    --prometheus, and "served by" names them.

    The exit code is 1 if an address does not answer.

    \b
    stream-trainer models list
    stream-trainer models list --worker http://detector-1:9464 --worker http://detector-2:9464
    stream-trainer models list --prometheus http://prometheus:9090
    stream-trainer models list --json | jq -r 'select(.announced).sha256'
    """
    from trainer.publishing.promotion import announced_now  # noqa: PLC0415 - TensorFlow

    is_asked = bool(workers or prometheus)
    answers, faults = ask_workers(workers, prometheus)
    listed = list(listed_models(store, store.versions(), announced_now(settings), answers))
    if as_json:
        for model in listed:
            of_workers = {"served_by": list(model.workers) if is_asked else None}
            click.echo(json.dumps(document(model) | of_workers))
    elif listed:
        show(lines_of(listed, answers if is_asked else None))
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


@click.command("show", cls=SettingsCommand)
@click.argument("version")
@options.model_store()
def show_command(version: str, settings: Settings, store: ModelStore) -> None:
    """Show VERSION, a sha256 or its beginning, or the version in a manifest, as JSON.

    \b
    stream-trainer models show 3f9a
    stream-trainer models show 20261124.162712 | jq .thresholds
    """
    from trainer.publishing.promotion import announced_now  # noqa: PLC0415 - TensorFlow

    found = [store.find(version)]
    (model,) = listed_models(store, found, announced_now(settings), (), only_stored=True)
    click.echo(json.dumps(document(model), indent=2))


@click.command(cls=SettingsCommand)
@click.argument("version")
@click.argument("folder", type=options.FOLDER)
@options.model_store()
@native_output_held_back()
@shown_stage("copying out of the store")
def fetch(version: str, folder: Path, settings: Settings, store: ModelStore) -> None:  # noqa: ARG001 - the store is enough
    """Copy VERSION, a sha256 or its beginning, or the version in a manifest, into FOLDER.

    FOLDER has to be new or empty. To judge another bundle against it, or to serve it from the
    settings.

    \b
    stream-trainer models fetch 3f9a champion
    stream-trainer gate bundles/new --champion champion --data labelled.csv
    """
    from trainer.publishing.storing import fetch_version  # noqa: PLC0415 - TensorFlow

    model = store.find(version)
    fetch_version(store, model, folder)
    tell(f"fetched: {model.kind} model {model.ref.name} {model.ref.version} into {folder}")


@click.command(cls=SettingsCommand)
@click.option(
    "--keep",
    type=click.IntRange(0),
    default=_KEPT,
    help="How many of the newest versions of each kind stay in any case.",
)
@click.option(
    "--older-than",
    type=DURATION,
    help="Remove only versions that were trained longer ago than this, such as 90d.",
)
@click.option("--kind", type=options.KIND, help="Only versions of this kind.")
@click.option("--delete", is_flag=True, help="Remove them; without, they are only listed.")
@options.workers
@options.model_store()
@shown_stage("looking at the store")
def prune(
    keep: int,
    older_than: timedelta | None,
    kind: Kind | None,
    delete: bool,
    workers: tuple[str, ...],
    prometheus: tuple[str, ...],
    settings: Settings,
    store: ModelStore,
) -> None:
    """List the versions that nobody needs; with --delete, remove them from the store.

    Versions announced to serve or as a shadow stay, as do the version that `rollback` goes back to
    and those that were rolled back, which a retraining has to recognise. With --worker or
    --prometheus, versions that these workers serve stay too; if one does not answer, nothing is
    removed.

    \b
    stream-trainer models prune
    stream-trainer models prune --keep 10 --older-than 90d --delete
    stream-trainer models prune --prometheus http://prometheus:9090 --delete
    """
    from trainer.publishing import promotion, storing  # noqa: PLC0415 - TensorFlow

    answers, faults = ask_workers(workers, prometheus)
    if faults:
        raise StreamDetectorError(f"nothing is removed: {'; '.join(faults)}")
    served = {ref.sha256 for each in answers for ref in each.models.values()}
    versions = store.versions()
    # Announcements are read after the store: a version published in between is not in the list.
    removed = storing.prunable(
        [model for model in versions if kind in {None, model.kind}],
        promotion.announced_now(settings),
        served,
        keep=keep,
        trained_before=None if older_than is None else datetime.now(UTC) - older_than,
    )
    for model in removed:
        if delete:
            store.remove(model.kind, model.ref.sha256)
        click.echo(
            printable(
                f"{'removed' if delete else 'would remove'}  {model.kind:<4}  {model.ref.short}  "
                f"{model.ref.version}  {model.ref.name}  trained {model.created_at:%Y-%m-%d %H:%M}"
            )
        )
    stay = len(versions) - len(removed)
    if delete or not removed:
        tell(f"{len(removed)} removed, {stay} stay in {store.url}")
    else:
        tell(f"{len(removed)} would be removed, {stay} stay in {store.url}: --delete does it")


@click.command("new-key")
@click.argument("file", type=options.FILE)
def new_key_command(file: Path) -> None:
    """Make an Ed25519 key in FILE, and its public half in FILE.pub.

    FILE stays with whoever publishes; FILE.pub goes to the workers.

    \b
    stream-trainer models new-key models.key
    stream-trainer models publish bundles/url --signing-key models.key
    stream-detector run --model-store /srv/models --model-public-key models.key.pub
    """
    public = new_key(file)
    tell(f"private: {file} (keep it secret); public, for the workers: {public}")
