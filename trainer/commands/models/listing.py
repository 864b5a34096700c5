"""``stream-trainer models list`` and ``show``: versions, what is announced, and what serves."""

import json
from pathlib import Path

import click

from stream_detector.commands.options import SettingsCommand
from stream_detector.terminal.printable import printable
from trainer.commands.models.options import (
    kafka_options,
    opened_store,
    settings_with_store,
    workers_options,
)
from trainer.console import tell
from trainer.shown_progress import shown_stage


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
    from trainer.publishing.listing import document, lines_of, listed_models  # noqa: PLC0415
    from trainer.publishing.promotion import announced_now  # noqa: PLC0415
    from trainer.publishing.served import ask_workers  # noqa: PLC0415

    is_asked = bool(workers or prometheus)
    answers, faults = ask_workers(workers, prometheus)
    store = opened_store(settings)
    listed = list(listed_models(store, store.versions(), announced_now(settings), answers))
    if as_json:
        for model in listed:
            of_workers = {"served_by": list(model.workers) if is_asked else None}
            click.echo(json.dumps(document(model) | of_workers))
    elif listed:
        for line in lines_of(listed, answers if is_asked else None):
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
    from trainer.publishing.listing import document, listed_models  # noqa: PLC0415
    from trainer.publishing.promotion import announced_now  # noqa: PLC0415

    store = opened_store(settings)
    (model,) = listed_models(
        store, [store.find(version)], announced_now(settings), (), only_stored=True
    )
    click.echo(json.dumps(document(model), indent=2))
