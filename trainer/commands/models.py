"""``stream-trainer models``: publish bundles, see which one is announced, go back."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from stream_detector.commands.options import SettingsCommand, given_settings, setting_options
from stream_detector.errors import SettingsError, StreamDetectorError
from stream_detector.logs import native_output_held_back
from stream_detector.settings import SETTING_GROUPS, Settings
from trainer.console import printable, tell

if TYPE_CHECKING:
    from stream_detector.events import ModelRef
    from stream_detector.models.announcement import Announcement
    from stream_detector.models.store import ModelStore, StoredModel

__all__ = ["force_option", "models", "signing_key_option"]

Command = TypeVar("Command", bound=Callable[..., Any])


@click.group(no_args_is_help=True, short_help="Publish bundles to running workers; go back.")
def models() -> None:
    """Publish bundles, see which one is announced, promote another, go back.

    A bundle is put into the model store (--model-store: a folder, s3://bucket/models or any other
    URL of fsspec) under its sha256, then announced on the topic url-models. Workers with the same
    --model-store fetch it, check it, warm it up and switch to it, without a stop.

    \b
    export STREAM_DETECTOR_MODEL_STORE=/srv/models
    stream-detector topics create           # the topic url-models too, since a store is set
    stream-detector run                     # a worker that follows it
    stream-trainer models publish bundles/url
    stream-trainer gate bundles/new --champion bundles/url --data labelled.csv
    stream-trainer models publish bundles/new
    stream-trainer models list
    stream-trainer models rollback          # if it was no good idea
    stream-trainer models shadow bundles/next --share 0.1     # only compared, see shadow report
    """


def _kafka_options(command: Command) -> Command:
    """Options of the settings that say where Kafka and the store are."""
    others = {*SETTING_GROUPS["Topics"], *SETTING_GROUPS["Announced models"]}
    return setting_options(
        {"Kafka: how to reach it", "Topics", "Announced models"},
        without=(others - {"topic_prefix", "models_topic", "model_store"})
        | {"group_id", "labels_group_id", "cluster"},
    )(command)


def _settings(config: Path | None, flags: dict[str, object]) -> Settings:
    settings, _ = given_settings(config, flags)
    if not settings.model_store:
        raise SettingsError(
            "no model store is set: give --model-store, or STREAM_DETECTOR_MODEL_STORE, a folder "
            "or URL that trainer and workers both reach"
        )
    return settings


def _store(settings: Settings) -> "ModelStore":
    from stream_detector.models.store import ModelStore  # noqa: PLC0415 - see trainer.cli

    return ModelStore(settings.model_store)


signing_key_option = click.option(
    "--signing-key",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Ed25519 private key (PEM) to sign the bundle with; workers with its public key in "
    "model_public_key take no other. `stream-trainer models new-key` makes one.",
)


def force_option(command: Command) -> Command:
    """Give ``command`` the reason to announce what the gate did not pass, as ``because``."""
    return click.option(
        "--force",
        "because",
        metavar="REASON",
        callback=_reason,
        help="Announce it although the gate did not pass it, or did not judge it; the reason is "
        "recorded beside the bundle, in the store and in the announcement.",
    )(command)


def _reason(_: click.Context, __: click.Parameter, reason: str | None) -> str | None:
    if reason is not None and not reason.strip():
        raise click.BadParameter("give a reason: it is recorded for those who ask later")
    return reason


@models.command(cls=SettingsCommand, short_help="Put a bundle into the store and announce it.")
@click.argument("bundle", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--announce/--no-announce",
    default=True,
    show_default=True,
    help="Whether workers are to switch to it now; without, `promote` does it later.",
)
@signing_key_option
@force_option
@_kafka_options
@native_output_held_back()
def publish(
    bundle: Path,
    announce: bool,
    signing_key: Path | None,
    because: str | None,
    config: Path | None,
    **flags: object,
) -> None:
    """Check BUNDLE, put it into the store under its sha256, and announce it to the workers.

    What is in the store is never overwritten: the same bundle is put there once. Where another
    model of its kind is announced, BUNDLE has to have passed the gate against that one:
    `stream-trainer gate` writes BUNDLE-gate.json, which goes into the store too.

    \b
    stream-trainer models publish bundles/url
    stream-trainer models publish bundles/url --no-announce
    stream-trainer models publish bundles/url --signing-key models.key
    stream-trainer models publish bundles/url --force "the served one misses all of a campaign"
    """
    if because is not None and not announce:
        raise click.UsageError("--force is for what is announced: give it to `promote`")
    settings = _settings(config, flags)
    store = _store(settings)
    from stream_detector.kafka.topics import check_topic  # noqa: PLC0415
    from stream_detector.models.bundle import load_bundle  # noqa: PLC0415 - TensorFlow
    from trainer.publishing import (  # noqa: PLC0415
        admitted_bundle,
        decision_beside,
        promote,
        store_bundle,
    )

    try:
        if announce:  # Told before anything is stored.
            check_topic(settings, settings.models_topic, "READ", "WRITE")
            decision = admitted_bundle(settings, bundle, because=because)
        else:
            decision = decision_beside(bundle, load_bundle(bundle).sha256)
        model, is_new = store_bundle(bundle, store, signing_key=signing_key, decision=decision)
    except OSError as error:
        raise StreamDetectorError(f"{bundle} cannot be read: {error.strerror}") from error
    tell(f"{'stored' if is_new else 'was stored before'}: {model.url}")
    if announce:
        _tell_announced(promote(settings, model, gate=decision), model.ref)
    click.echo(model.ref.sha256)


@models.command("list", cls=SettingsCommand, short_help="The versions in the store.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@_kafka_options
def list_command(as_json: bool, config: Path | None, **flags: object) -> None:
    """List the versions in the store, oldest first; * marks those announced now, and shadows are
    named so. What is announced and not in the store comes last.

    \b
    stream-trainer models list
    stream-trainer models list --json | jq -r 'select(.announced).sha256'
    """
    settings = _settings(config, flags)
    from trainer.publishing import announced_now  # noqa: PLC0415

    stored = _store(settings).versions()
    now = announced_now(settings)
    announced = {one.sha256: one for one in now.serving.values()}
    shadows = {one.sha256: one for one in now.shadows.values()}
    there = {model.ref.sha256 for model in stored}
    listed: list[StoredModel | Announcement] = [*stored]
    listed += [one for sha256, one in (announced | shadows).items() if sha256 not in there]
    if as_json:
        for model in listed:
            sha256 = model.ref.sha256
            shadow = shadows.get(sha256)
            document = _document(model, announced.get(sha256))
            click.echo(json.dumps(document | {"shadow_share": shadow and shadow.share}))
        return
    if not stored:
        tell("the store is empty: `stream-trainer models publish BUNDLE` fills it")
    for line in _table(listed, announced, shadows):
        click.echo(line)


def _table(
    models: "Sequence[StoredModel | Announcement]",
    announced: "Mapping[str, Announcement]",
    shadows: "Mapping[str, Announcement]",
) -> Iterator[str]:
    """A line for each of ``models``; an announcement is of one that the store has not."""
    from stream_detector.models.store import StoredModel  # noqa: PLC0415 - see trainer.cli

    width = max((len(model.ref.name) for model in models), default=0)
    for model in models:
        ref, shadow = model.ref, shadows.get(model.ref.sha256)
        stored = model if isinstance(model, StoredModel) else None
        remarks = [
            "signed" if stored and stored.signed else "",
            f"shadow, share {shadow.share:g}" if shadow else "",
            "" if stored else "announced, not in the store",
        ]
        cells = [
            f"{'*' if ref.sha256 in announced else ' '} {model.kind:<4}",
            ref.short,
            f"{ref.version:<16}",
            f"{ref.name:<{width}}",
            f"{stored.created_at:%Y-%m-%d %H:%M}" if stored else " " * 16,
            *filter(None, remarks),
        ]
        yield printable("  ".join(cells).rstrip())


@models.command(cls=SettingsCommand, short_help="All about one version, as JSON.")
@click.argument("version")
@_kafka_options
def show(version: str, config: Path | None, **flags: object) -> None:
    """Show VERSION, a sha256 or its beginning, or the version in a manifest, as JSON.

    \b
    stream-trainer models show 3f9a
    stream-trainer models show 20261124.162712 | jq .thresholds
    """
    settings = _settings(config, flags)
    from trainer.publishing import announced_now  # noqa: PLC0415

    model = _store(settings).find(version)
    announced = announced_now(settings).serving.get(model.kind)
    is_current = announced is not None and announced.sha256 == model.ref.sha256
    document = _document(model, announced if is_current else None)
    click.echo(json.dumps(document, indent=2))


@models.command(cls=SettingsCommand, short_help="Copy a version of the store into a folder.")
@click.argument("version")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@_kafka_options
@native_output_held_back()
def fetch(version: str, folder: Path, config: Path | None, **flags: object) -> None:
    """Copy VERSION, a sha256 or its beginning, or the version in a manifest, into FOLDER.

    FOLDER has to be new or empty. To judge another bundle against it, or to serve it from the
    settings.

    \b
    stream-trainer models fetch 3f9a champion
    stream-trainer gate bundles/new --champion champion --data labelled.csv
    """
    settings = _settings(config, flags)
    from trainer.publishing import fetch_version  # noqa: PLC0415

    store = _store(settings)
    model = store.find(version)
    fetch_version(store, model, folder)
    tell(f"fetched: {model.kind} model {model.ref.name} {model.ref.version} into {folder}")


@models.command(cls=SettingsCommand, short_help="Announce a version of the store.")
@click.argument("version")
@force_option
@_kafka_options
def promote(version: str, because: str | None, config: Path | None, **flags: object) -> None:
    """Announce VERSION, a sha256 or its beginning, or the version in a manifest.

    Where another model of its kind is announced, VERSION has to have passed the gate against that
    one: publish its bundle again after `stream-trainer gate`, or give a reason to do without.

    \b
    stream-trainer models promote 3f9a
    stream-trainer models promote 3f9a --force "asked for by the analysts of the night shift"
    """
    settings = _settings(config, flags)
    from trainer.publishing import admitted_version  # noqa: PLC0415
    from trainer.publishing import promote as announce_version  # noqa: PLC0415

    store = _store(settings)
    model = store.find(version)
    decision = admitted_version(settings, store, model, because=because)
    _tell_announced(announce_version(settings, model, gate=decision), model.ref)


@models.command(cls=SettingsCommand, short_help="Announce the version announced before.")
@click.option(
    "--kind",
    type=click.Choice(["url", "host"]),
    help="Which model to go back with; needed where both kinds have been announced.",
)
@_kafka_options
def rollback(kind: Any, config: Path | None, **flags: object) -> None:
    """Announce the version that was announced before the present one; workers go back to it.

    Twice goes back two versions.

    \b
    stream-trainer models rollback
    stream-trainer models rollback --kind host
    """
    settings = _settings(config, flags)
    from trainer.publishing import announced_now, roll_back  # noqa: PLC0415

    if kind is None:
        announced = announced_now(settings).serving
        if len(announced) > 1:
            raise click.UsageError("models of both kinds are announced: say which by --kind")
        kind = next(iter(announced), "url")
    announcement = roll_back(settings, _store(settings), kind)
    _tell_announced(announcement, announcement.ref)


@models.command(cls=SettingsCommand, short_help="Compare a model with the one that serves.")
@click.argument("model", metavar="[VERSION|BUNDLE]", required=False)
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True),
    help="Share of the texts that it is to score too, such as 0.1.",
)
@click.option("--end", is_flag=True, help="Compare no more.")
@click.option(
    "--kind",
    type=click.Choice(["url", "host"]),
    help="With --end: which shadow; needed where both kinds have one.",
)
@signing_key_option
@_kafka_options
@native_output_held_back()
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
    """
    if end in (model is not None, share is not None):
        raise click.UsageError("give VERSION or BUNDLE, and --share; or --end alone")
    settings = _settings(config, flags)
    if end:
        _end_shadow(settings, kind)
    elif model is not None and share is not None:
        _start_shadow(settings, model, share, signing_key)


def _start_shadow(settings: Settings, model: str, share: float, signing_key: Path | None) -> None:
    from stream_detector.kafka.topics import check_topic  # noqa: PLC0415
    from trainer.publishing import announce_shadow, store_bundle  # noqa: PLC0415

    store = _store(settings)
    if Path(model).is_dir():
        check_topic(settings, settings.models_topic, "READ", "WRITE")
        try:
            stored, is_new = store_bundle(Path(model), store, signing_key=signing_key)
        except OSError as error:
            raise StreamDetectorError(f"{model} cannot be read: {error.strerror}") from error
        tell(f"{'stored' if is_new else 'was stored before'}: {stored.url}")
    else:
        stored = store.find(model)
    announce_shadow(settings, stored, share)
    tell(
        f"announced as shadow: {stored.kind} model {stored.ref.name} {stored.ref.version}, on a "
        f"share of {share:g}"
    )
    click.echo(stored.ref.sha256)


def _end_shadow(settings: Settings, kind: Any) -> None:
    from trainer.publishing import announced_now, withdraw_shadow  # noqa: PLC0415

    if kind is None:
        shadows = announced_now(settings).shadows
        if len(shadows) > 1:
            raise click.UsageError("both kinds have a shadow: say which by --kind")
        kind = next(iter(shadows), "url")
    ended = withdraw_shadow(settings, kind)
    tell(f"ended: the shadow {kind} model {ended.name} {ended.version}")


@models.command("new-key", short_help="Make a key to sign bundles with.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
def new_key_command(file: Path) -> None:
    """Make an Ed25519 key in FILE, and its public half in FILE.pub.

    FILE stays with whoever publishes; FILE.pub goes to the workers.

    \b
    stream-trainer models new-key models.key
    stream-trainer models publish bundles/url --signing-key models.key
    stream-detector run --model-store /srv/models --model-public-key models.key.pub
    """
    from stream_detector.models.signing import new_key  # noqa: PLC0415

    public = new_key(file)
    tell(f"private: {file} (keep it secret); public, for the workers: {public}")


def _tell_announced(announcement: "Announcement | None", ref: "ModelRef") -> None:
    if announcement is None:
        tell(f"{ref.short} is announced already")
    else:
        tell(f"announced: {announcement.kind} model {ref.name} {ref.version} ({ref.short})")


def _document(
    model: "StoredModel | Announcement", announced: "Announcement | None"
) -> dict[str, Any]:
    """A version as plain JSON values; an announcement is of one that the store has not."""
    from stream_detector.models.store import StoredModel  # noqa: PLC0415 - see trainer.cli

    stored = model if isinstance(model, StoredModel) else None
    return {
        "sha256": model.ref.sha256,
        "name": model.ref.name,
        "version": model.ref.version,
        "kind": model.kind,
        "stored": stored is not None,
        "created_at": stored and stored.created_at.isoformat(),
        "architecture": stored and stored.architecture,
        "thresholds": {
            "suspicious": model.thresholds.suspicious,
            "malicious": model.thresholds.malicious,
        },
        "url": model.url,
        "signed": stored and stored.signed,
        "announced": announced is not None,
        "announced_at": None if announced is None else announced.announced_at.isoformat(),
        "gate": None if announced is None else announced.gate,
    }
