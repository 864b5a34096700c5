"""Options that several of the commands on models share."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from stream_detector.commands.options import given_settings, setting_options
from stream_detector.errors import SettingsError
from stream_detector.name_rules import name_fault
from stream_detector.settings.fields import SETTING_GROUPS, Settings
from trainer.console import tell

if TYPE_CHECKING:
    from stream_detector.models.announcement import Announcement
    from stream_detector.models.store import ModelStore, PutOutcome, StoredModel

Command = TypeVar("Command", bound=Callable[..., Any])

KIND = click.Choice(["url", "host"])

_TITLES = ("Kafka: how to reach it", "Topics", "Model", "Announced models")
_KAFKA = set(SETTING_GROUPS[_TITLES[0]]) - {"group_id", "labels_group_id", "cluster"}
_NEEDED = _KAFKA | {"topic_prefix", "models_topic", "model_store"}
_ALL = {name for title in _TITLES for name in SETTING_GROUPS[title]}


def kafka_options(command: Command) -> Command:
    """Give ``command`` the settings that say where Kafka and the store are."""
    return setting_options(_TITLES, without=_ALL - _NEEDED)(command)


def announcing_options(command: Command) -> Command:
    """``kafka_options``, and the bundles that serve while nothing is announced."""
    return setting_options(_TITLES, without=_ALL - _NEEDED - {"url_bundle", "host_bundle"})(command)


def settings_with_store(config: Path | None, flags: dict[str, object]) -> Settings:
    """The settings, which name a model store.

    Raises:
        SettingsError: they name none, or as ``given_settings``.
    """
    settings, _ = given_settings(config, flags)
    if not settings.model_store:
        raise SettingsError(
            "no model store is set: give --model-store, or STREAM_DETECTOR_MODEL_STORE, a folder "
            "or URL that trainer and workers both reach"
        )
    return settings


def opened_store(settings: Settings) -> "ModelStore":
    """The store that the settings name.

    Raises:
        SettingsError: no driver for it is installed.
    """
    from stream_detector.models.store import ModelStore  # noqa: PLC0415 - see trainer.cli

    return ModelStore(settings.model_store)


signing_key_option = click.option(
    "--signing-key",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Ed25519 private key (PEM) to sign bundle and announcement with; workers with its public "
    "key in model_public_key take no others. `stream-trainer models new-key` makes one.",
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
    if reason is None:
        return None
    reason = " ".join(reason.split())
    if not reason:
        raise click.BadParameter("give a reason: it is recorded for those who ask later")
    if fault := name_fault(reason):
        raise click.BadParameter(f"the reason {fault}: say it in short")
    return reason


def workers_options(command: Command) -> Command:
    """Give ``command`` addresses to ask what serves, as ``workers`` and ``prometheus``."""
    of_prometheus = click.option(
        "--prometheus",
        multiple=True,
        metavar="URL",
        help="Prometheus that scrapes the workers, to ask for all of them at once, such as "
        "http://prometheus:9090.",
    )
    of_workers = click.option(
        "--worker",
        "workers",
        multiple=True,
        metavar="URL",
        help="Worker to ask which models it serves, by its --http-host and --http-port, such as "
        "http://detector-1:9464. May be given several times.",
    )
    return of_workers(of_prometheus(command))


_STORED: "Mapping[PutOutcome, str]" = {
    "new": "stored",
    "known": "was stored before",
    "repaired": "was damaged in the store, and is replaced",
}


def tell_stored(model: "StoredModel", outcome: "PutOutcome") -> None:
    """Say what became of a bundle that was put into the store."""
    tell(f"{_STORED[outcome]}: {model.url}")


def tell_announced(announcement: "Announcement", more: str = "") -> None:
    """Say what is announced now, and ``more`` on the same line."""
    ref = announcement.ref
    tell(f"announced: {announcement.kind} model {ref.name} {ref.version} ({ref.short}){more}")
