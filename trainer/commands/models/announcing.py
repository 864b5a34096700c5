"""``stream-trainer models publish``, ``promote``, ``rollback`` and ``shadow``: announcements."""

from collections.abc import Mapping
from pathlib import Path

import click

from stream_detector.commands.options import SettingsCommand
from stream_detector.errors import StreamDetectorError
from stream_detector.events import Kind
from stream_detector.kafka.topics import check_topic
from stream_detector.models.announcement import Announcement
from stream_detector.models.manifest import ref_of_bundle
from stream_detector.models.store import ModelStore, PutOutcome, StoredModel
from stream_detector.settings.fields import Settings
from stream_detector.system.native_output import native_output_held_back
from trainer.commands import options
from trainer.console import shown_stage, tell

_STORED: Mapping[PutOutcome, str] = {
    "new": "stored",
    "known": "was stored before",
    "repaired": "was damaged in the store, and is replaced",
}


@click.command(cls=SettingsCommand)
@click.argument("bundle", type=options.FOLDER)
@click.option(
    "--announce/--no-announce",
    default=True,
    help="Whether workers are to switch to it now; without, `promote` does it later.",
)
@options.signing_key
@options.force
@options.model_store("url_bundle", "host_bundle")
@native_output_held_back()
@shown_stage("publishing")
def publish(
    bundle: Path,
    announce: bool,
    signing_key: Path | None,
    because: str | None,
    settings: Settings,
    store: ModelStore,
) -> None:
    """Check BUNDLE, put it into the store under its sha256, and announce it to the workers.

    BUNDLE has to have passed the gate against the model that serves: the one that is announced, or
    else the bundle of the settings, by default the one that comes with this package.
    `stream-trainer gate` writes BUNDLE-gate.json, which goes into the store too. A bundle
    that serves already needs no gate and is announced again: workers that refused it try again.

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
        raise click.UsageError("--force is for an announcement: give it to `promote`")
    from trainer.publishing import promotion, storing  # noqa: PLC0415 - TensorFlow

    try:
        if announce:  # Before anything is stored.
            check_topic(settings, settings.models_topic, "READ", "WRITE")
            decision = promotion.admitted_bundle(
                settings, bundle, because=because, signing_key=signing_key
            )
        else:
            decision = promotion.decision_beside(bundle, ref_of_bundle(bundle).sha256)
        model, outcome = storing.store_bundle(
            bundle, store, signing_key=signing_key, decision=decision
        )
    except OSError as error:
        raise StreamDetectorError(f"{bundle} cannot be read: {error.strerror}") from error
    _tell_stored(model, outcome)
    if announce:
        _tell_announced(promotion.promote(settings, model, gate=decision, signing_key=signing_key))
    click.echo(model.ref.sha256)


@click.command(cls=SettingsCommand)
@click.argument("version")
@options.signing_key
@options.force
@options.model_store("url_bundle", "host_bundle")
@native_output_held_back()
@shown_stage("checking the version")
def promote(
    version: str,
    signing_key: Path | None,
    because: str | None,
    settings: Settings,
    store: ModelStore,
) -> None:
    """Announce VERSION, a sha256 or its beginning, or the version in a manifest.

    VERSION has to have passed the gate against the model that serves, as for `publish`: publish its
    bundle again after `stream-trainer gate`, or give a reason to do without. A version that is
    announced already is announced again: workers that refused it try again.

    The exit code is 0 if it was announced, 3 if the gate did not pass it, 1 after an error, 2 for a
    wrong command line.

    \b
    stream-trainer models promote 3f9a
    stream-trainer models promote 3f9a --signing-key models.key
    stream-trainer models promote 3f9a --force "asked for by the analysts of the night shift"
    """
    from trainer.publishing import promotion  # noqa: PLC0415 - TensorFlow

    model = store.find(version)
    decision = promotion.admitted_version(
        settings, store, model, because=because, signing_key=signing_key
    )
    _tell_announced(promotion.promote(settings, model, gate=decision, signing_key=signing_key))


@click.command(cls=SettingsCommand)
@click.option(
    "--kind",
    type=options.KIND,
    help="Which model to go back with.  [default: the one that was announced last]",
)
@options.signing_key
@options.model_store()
def rollback(
    kind: Kind | None, signing_key: Path | None, settings: Settings, store: ModelStore
) -> None:
    """Announce the version that was announced before the present one; workers go back to it.

    Where models of both kinds are announced, the kind announced last goes back; the output names
    the other one, which goes on serving. The first announcement of a kind goes back to the
    model that served until then. Two rollbacks go back two versions.

    \b
    stream-trainer models rollback
    stream-trainer models rollback --kind url --signing-key models.key
    """
    from trainer.publishing import promotion  # noqa: PLC0415 - TensorFlow

    stays = ""
    if kind is None:
        announced = promotion.announced_now(settings, signing_key=signing_key).serving
        by_time = sorted(announced.values(), key=lambda one: one.announced_at)
        kind = by_time[-1].kind if by_time else "url"
        for other in by_time[:-1]:
            stays = (
                f"; the {other.kind} model, announced earlier "
                f"({other.announced_at:%Y-%m-%d %H:%M} UTC), stays: `--kind {other.kind}` rolls "
                "that one back"
            )
    _tell_announced(promotion.roll_back(settings, store, kind, signing_key=signing_key), stays)


@click.command(cls=SettingsCommand)
@click.argument("model", metavar="[VERSION|BUNDLE]", required=False)
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True),
    help="Share of the texts that it is to score too, such as 0.1.",
)
@click.option("--end", is_flag=True, help="End the comparison.")
@click.option(
    "--kind",
    type=options.KIND,
    help="With --end: which shadow; needed where both kinds have one.",
)
@options.signing_key
@options.model_store()
@native_output_held_back()
@shown_stage("checking the model")
def shadow(
    model: str | None,
    share: float | None,
    end: bool,
    kind: Kind | None,
    signing_key: Path | None,
    settings: Settings,
    store: ModelStore,
) -> None:
    """Announce a shadow: workers also score a share of the texts with it, and write to the topic
    url-shadow where its verdicts differ. It has no part in a verdict.

    VERSION is one of the store, as for `promote`; BUNDLE is a folder, which is stored first.
    `stream-trainer shadow report` sums up their comparisons.

    \b
    stream-trainer models shadow bundles/url --share 0.1
    stream-trainer shadow report
    stream-trainer models shadow --end
    stream-trainer models shadow bundles/url --share 0.1 --signing-key models.key
    """
    if end in (model is not None, share is not None):
        raise click.UsageError("give VERSION or BUNDLE, and --share; or only --end")
    from trainer.publishing import promotion, storing  # noqa: PLC0415 - TensorFlow

    if model is None or share is None:
        if kind is None:
            shadows = promotion.announced_now(settings, signing_key=signing_key).shadows
            if len(shadows) > 1:
                raise click.UsageError("both kinds have a shadow: say which by --kind")
            kind = next(iter(shadows), None)
        ended = promotion.withdraw_shadow(settings, kind or "url", signing_key=signing_key)
        tell(f"ended: the shadow {ended.kind} model {ended.name} {ended.version}")
        return
    if Path(model).is_dir():
        check_topic(settings, settings.models_topic, "READ", "WRITE")
        try:
            stored, outcome = storing.store_bundle(Path(model), store, signing_key=signing_key)
        except OSError as error:
            raise StreamDetectorError(f"{model} cannot be read: {error.strerror}") from error
        _tell_stored(stored, outcome)
    else:
        stored = store.find(model)
    promotion.announce_shadow(settings, stored, share, signing_key=signing_key)
    tell(
        f"announced as shadow: {stored.kind} model {stored.ref.name} {stored.ref.version}, on a "
        f"share of {share:g}"
    )
    click.echo(stored.ref.sha256)


def _tell_stored(model: StoredModel, outcome: PutOutcome) -> None:
    tell(f"{_STORED[outcome]}: {model.url}")


def _tell_announced(announcement: Announcement, more: str = "") -> None:
    ref = announcement.ref
    tell(f"announced: {announcement.kind} model {ref.name} {ref.version} ({ref.short}){more}")
