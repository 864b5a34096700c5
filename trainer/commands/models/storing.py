"""``stream-trainer models fetch`` and ``prune``: versions out of the store."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from stream_detector.commands.options import SettingsCommand
from stream_detector.errors import StreamDetectorError
from stream_detector.logs.setup import native_output_held_back
from stream_detector.terminal.durations import DURATION
from stream_detector.terminal.printable import printable
from trainer.commands.models.options import (
    KIND,
    kafka_options,
    opened_store,
    settings_with_store,
    workers_options,
)
from trainer.console import tell
from trainer.shown_progress import shown_stage

_KEPT = 5
"""Newest versions of each kind that stay by default: a retraining keeps as many challengers."""


@click.command(cls=SettingsCommand, short_help="Copy a version of the store into a folder.")
@click.argument("version")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@kafka_options
@native_output_held_back()
@shown_stage("copying out of the store")
def fetch(version: str, folder: Path, config: Path | None, **flags: object) -> None:
    """Copy VERSION, a sha256 or its beginning, or the version in a manifest, into FOLDER.

    FOLDER has to be new or empty. To judge another bundle against it, or to serve it from the
    settings.

    \b
    stream-trainer models fetch 3f9a champion
    stream-trainer gate bundles/new --champion champion --data labelled.csv
    """
    settings = settings_with_store(config, flags)
    from trainer.publishing.storing import fetch_version  # noqa: PLC0415

    store = opened_store(settings)
    model = store.find(version)
    fetch_version(store, model, folder)
    tell(f"fetched: {model.kind} model {model.ref.name} {model.ref.version} into {folder}")


@click.command(cls=SettingsCommand, short_help="Remove versions that nobody needs any more.")
@click.option(
    "--keep",
    type=click.IntRange(0),
    default=_KEPT,
    show_default=True,
    help="How many of the newest versions of each kind stay in any case.",
)
@click.option(
    "--older-than",
    type=DURATION,
    help="Remove only versions that were trained longer ago than this, such as 90d.",
)
@click.option("--kind", type=KIND, help="Only versions of this kind.")
@click.option("--delete", is_flag=True, help="Remove them; without, they are only listed.")
@workers_options
@kafka_options
@shown_stage("looking at the store")
def prune(
    keep: int,
    older_than: timedelta | None,
    kind: Any,
    delete: bool,
    workers: tuple[str, ...],
    prometheus: tuple[str, ...],
    config: Path | None,
    **flags: object,
) -> None:
    """List the versions that nobody needs any more; with --delete, remove them from the store.

    What is announced, to serve or as a shadow, stays, as do the version that `rollback` goes back
    to and those that were rolled back, which a retraining must know again. With --worker or
    --prometheus, what these workers serve stays too; if one does not answer, nothing is removed.

    \b
    stream-trainer models prune
    stream-trainer models prune --keep 10 --older-than 90d --delete
    stream-trainer models prune --prometheus http://prometheus:9090 --delete
    """
    settings = settings_with_store(config, flags)
    from trainer.publishing.promotion import announced_now  # noqa: PLC0415
    from trainer.publishing.served import ask_workers  # noqa: PLC0415
    from trainer.publishing.storing import prunable  # noqa: PLC0415

    answers, faults = ask_workers(workers, prometheus)
    if faults:
        raise StreamDetectorError(f"nothing is removed: {'; '.join(faults)}")
    served = {ref.sha256 for each in answers for ref in each.models.values()}
    store = opened_store(settings)
    versions = store.versions()
    # After the store was read: what was put there and announced meanwhile is not in the list.
    removed = prunable(
        [model for model in versions if kind in {None, model.kind}],
        announced_now(settings),
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
