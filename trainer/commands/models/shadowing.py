"""``stream-trainer models shadow``: a model that is only compared with the one that serves."""

from pathlib import Path
from typing import Any

import click

from stream_detector.commands.options import SettingsCommand
from stream_detector.errors import StreamDetectorError
from stream_detector.logs.setup import native_output_held_back
from stream_detector.settings.fields import Settings
from trainer.commands.models.options import (
    KIND,
    kafka_options,
    opened_store,
    settings_with_store,
    signing_key_option,
    tell_stored,
)
from trainer.console import tell
from trainer.shown_progress import shown_stage


@click.command(cls=SettingsCommand, short_help="Compare a model with the one that serves.")
@click.argument("model", metavar="[VERSION|BUNDLE]", required=False)
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True),
    help="Share of the texts that it is to score too, such as 0.1.",
)
@click.option("--end", is_flag=True, help="Compare no more.")
@click.option(
    "--kind",
    type=KIND,
    help="With --end: which shadow; needed where both kinds have one.",
)
@signing_key_option
@kafka_options
@native_output_held_back()
@shown_stage("checking the model")
def shadow(
    model: str | None,
    share: float | None,
    end: bool,
    kind: Any,
    signing_key: Path | None,
    config: Path | None,
    **flags: object,
) -> None:
    """Announce a shadow: workers score a share of the texts by it too, and write to the topic
    url-shadow where its verdicts are others. It has no part in a verdict.

    VERSION is one of the store, as for `promote`; BUNDLE is a folder, which is stored first.
    `stream-trainer shadow report` sums up what the workers wrote.

    \b
    stream-trainer models shadow bundles/url --share 0.1
    stream-trainer shadow report
    stream-trainer models shadow --end
    stream-trainer models shadow bundles/url --share 0.1 --signing-key models.key
    """
    if end in (model is not None, share is not None):
        raise click.UsageError("give VERSION or BUNDLE, and --share; or --end alone")
    settings = settings_with_store(config, flags)
    if end:
        _end_shadow(settings, kind, signing_key)
    elif model is not None and share is not None:
        _start_shadow(settings, model, share, signing_key)


def _start_shadow(settings: Settings, model: str, share: float, signing_key: Path | None) -> None:
    from stream_detector.kafka.topics import check_topic  # noqa: PLC0415
    from trainer.publishing.promotion import announce_shadow  # noqa: PLC0415
    from trainer.publishing.storing import store_bundle  # noqa: PLC0415

    store = opened_store(settings)
    if Path(model).is_dir():
        check_topic(settings, settings.models_topic, "READ", "WRITE")
        try:
            stored, outcome = store_bundle(Path(model), store, signing_key=signing_key)
        except OSError as error:
            raise StreamDetectorError(f"{model} cannot be read: {error.strerror}") from error
        tell_stored(stored, outcome)
    else:
        stored = store.find(model)
    announce_shadow(settings, stored, share, signing_key=signing_key)
    tell(
        f"announced as shadow: {stored.kind} model {stored.ref.name} {stored.ref.version}, on a "
        f"share of {share:g}"
    )
    click.echo(stored.ref.sha256)


def _end_shadow(settings: Settings, kind: Any, signing_key: Path | None) -> None:
    from trainer.publishing.promotion import announced_now, withdraw_shadow  # noqa: PLC0415

    if kind is None:
        shadows = announced_now(settings, signing_key=signing_key).shadows
        if len(shadows) > 1:
            raise click.UsageError("both kinds have a shadow: say which by --kind")
        kind = next(iter(shadows), "url")
    ended = withdraw_shadow(settings, kind, signing_key=signing_key)
    tell(f"ended: the shadow {kind} model {ended.name} {ended.version}")
