"""``stream-trainer models publish``, ``promote`` and ``rollback``: what workers are to serve."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stream_detector.commands.options import SettingsCommand
from stream_detector.errors import StreamDetectorError
from stream_detector.logs.setup import native_output_held_back
from trainer.commands.models.options import (
    KIND,
    announcing_options,
    force_option,
    kafka_options,
    opened_store,
    settings_with_store,
    signing_key_option,
    tell_announced,
    tell_stored,
)
from trainer.shown_progress import shown_stage

if TYPE_CHECKING:
    from stream_detector.models.announcement import Announcement


@click.command(cls=SettingsCommand, short_help="Put a bundle into the store and announce it.")
@click.argument("bundle", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--announce/--no-announce",
    default=True,
    show_default=True,
    help="Whether workers are to switch to it now; without, `promote` does it later.",
)
@signing_key_option
@force_option
@announcing_options
@native_output_held_back()
@shown_stage("publishing")
def publish(
    bundle: Path,
    announce: bool,
    signing_key: Path | None,
    because: str | None,
    config: Path | None,
    **flags: object,
) -> None:
    """Check BUNDLE, put it into the store under its sha256, and announce it to the workers.

    BUNDLE has to have passed the gate against the model that serves: the one that is announced, or
    else the bundle of the settings, by default the one that comes with this package.
    `stream-trainer gate` writes BUNDLE-gate.json, which goes into the store too. What serves
    already needs no gate and is announced again: workers that refused it try once more.

    A copy in the store whose files do not match their sha256 is replaced; any other stays as it is.

    The exit code is 0 if it was announced, 3 if the gate did not pass it, 1 after an error, 2 for a
    wrong command line.

    \b
    stream-trainer gate bundles/url --champion served --data labelled.csv
    stream-trainer models publish bundles/url
    stream-trainer models publish bundles/url --no-announce
    stream-trainer models publish bundles/url --signing-key models.key
    stream-trainer models publish bundles/url --force "the served one misses all of a campaign"
    """
    if because is not None and not announce:
        raise click.UsageError("--force is for what is announced: give it to `promote`")
    settings = settings_with_store(config, flags)
    store = opened_store(settings)
    from stream_detector.kafka.topics import check_topic  # noqa: PLC0415
    from stream_detector.models.bundle import load_bundle  # noqa: PLC0415 - TensorFlow
    from trainer.publishing.promotion import admitted_bundle, decision_beside  # noqa: PLC0415
    from trainer.publishing.promotion import promote as announce_version  # noqa: PLC0415
    from trainer.publishing.storing import store_bundle  # noqa: PLC0415

    try:
        if announce:  # Before anything is stored.
            check_topic(settings, settings.models_topic, "READ", "WRITE")
            decision = admitted_bundle(settings, bundle, because=because, signing_key=signing_key)
        else:
            decision = decision_beside(bundle, load_bundle(bundle).sha256)
        model, outcome = store_bundle(bundle, store, signing_key=signing_key, decision=decision)
    except OSError as error:
        raise StreamDetectorError(f"{bundle} cannot be read: {error.strerror}") from error
    tell_stored(model, outcome)
    if announce:
        tell_announced(announce_version(settings, model, gate=decision, signing_key=signing_key))
    click.echo(model.ref.sha256)


@click.command(cls=SettingsCommand, short_help="Announce a version of the store.")
@click.argument("version")
@signing_key_option
@force_option
@announcing_options
@native_output_held_back()
@shown_stage("checking the version")
def promote(
    version: str,
    signing_key: Path | None,
    because: str | None,
    config: Path | None,
    **flags: object,
) -> None:
    """Announce VERSION, a sha256 or its beginning, or the version in a manifest.

    VERSION has to have passed the gate against the model that serves, as for `publish`: publish its
    bundle again after `stream-trainer gate`, or give a reason to do without. What is announced
    already is announced again: workers that refused it try once more.

    The exit code is 0 if it was announced, 3 if the gate did not pass it, 1 after an error, 2 for a
    wrong command line.

    \b
    stream-trainer models promote 3f9a
    stream-trainer models promote 3f9a --signing-key models.key
    stream-trainer models promote 3f9a --force "asked for by the analysts of the night shift"
    """
    settings = settings_with_store(config, flags)
    from trainer.publishing.promotion import admitted_version  # noqa: PLC0415
    from trainer.publishing.promotion import promote as announce_version  # noqa: PLC0415

    store = opened_store(settings)
    model = store.find(version)
    decision = admitted_version(settings, store, model, because=because, signing_key=signing_key)
    tell_announced(announce_version(settings, model, gate=decision, signing_key=signing_key))


@click.command(cls=SettingsCommand, short_help="Announce the version announced before.")
@click.option(
    "--kind",
    type=KIND,
    help="Which model to go back with.  [default: the one that was announced last]",
)
@signing_key_option
@kafka_options
def rollback(kind: Any, signing_key: Path | None, config: Path | None, **flags: object) -> None:
    """Announce the version that was announced before the present one; workers go back to it.

    Where models of both kinds are announced, it is the kind announced last that goes back; the
    output names the other one, which goes on serving. Before the first announcement of a kind
    stands what served until then. Twice goes back two versions.

    \b
    stream-trainer models rollback
    stream-trainer models rollback --kind url --signing-key models.key
    """
    settings = settings_with_store(config, flags)
    from trainer.publishing.promotion import announced_now, roll_back  # noqa: PLC0415

    other = None
    if kind is None:
        announced = announced_now(settings, signing_key=signing_key).serving
        by_time = sorted(announced.values(), key=lambda one: one.announced_at)
        kind = by_time[-1].kind if by_time else "url"
        other = by_time[0] if len(by_time) > 1 else None
    tell_announced(
        roll_back(settings, opened_store(settings), kind, signing_key=signing_key),
        "" if other is None else _still_serving(other),
    )


def _still_serving(other: "Announcement") -> str:
    """What to say of the model of the kind that was announced earlier."""
    return (
        f"; the {other.kind} model, announced earlier ({other.announced_at:%Y-%m-%d %H:%M} UTC), "
        f"stays: `--kind {other.kind}` rolls that one back"
    )
