"""``stream-trainer watch``: collect labels, and retrain whenever it is due."""

import logging
import os
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import cast

import click

from stream_detector.commands.options import (
    REACHING_KAFKA,
    SettingsCommand,
    given_settings,
    setting_options,
)
from stream_detector.events import Kind
from stream_detector.logs.setup import configure_logging
from stream_detector.settings.fields import ENVIRONMENT_PREFIX, Settings
from stream_detector.terminal.durations import DURATION
from trainer.commands import options
from trainer.watching.schedule import Schedule

_DATA = click.Path(path_type=Path, dir_okay=False, exists=True)
_LABELS = "labels"
"""Name of the label store in the watch's folder."""
_HTTP_PORT = 9465
"""One up from a worker's, so that both run on one machine."""
_SETTINGS = {
    *REACHING_KAFKA,
    *("labels_group_id", "topic_prefix", "labels_topic", "feed_labels_topic", "label_feeds"),
    *("label_keys", "labels_dead_letters_topic", "models_topic", "model_store"),
    *("http_host", "http_port", "http_web_config", "log_level", "log_format", "log_queries"),
}


@click.command(cls=SettingsCommand)
@click.option(
    "--url-data",
    type=_DATA,
    multiple=True,
    help="Base corpus of the URL model, as --data of `retrain`; without one it is not retrained.",
)
@click.option("--host-data", type=_DATA, multiple=True, help="The same of the host model.")
@click.option(
    "--folder",
    type=options.FOLDER,
    default=options.RETRAINING_FOLDER,
    help="Label store, challengers with their decisions, state and lock; one watch at a time.",
)
@click.option(
    "--every",
    type=DURATION,
    default="24h",
    help="Retrain so long after the last time, if there is any new label.",
)
@click.option(
    "--new-labels",
    type=click.IntRange(0),
    default=200,
    help="Retrain at once when there are so many new ones of a kind; 0: only by --every.",
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[-- RETRAIN OPTIONS]")
@setting_options(_SETTINGS, defaults={"http_port": _HTTP_PORT})
def watch(
    url_data: tuple[Path, ...],
    host_data: tuple[Path, ...],
    folder: Path,
    every: timedelta,
    new_labels: int,
    words: tuple[str, ...],
    config: Path | None,
    **flags: object,
) -> None:
    """Collect labels from Kafka all the time, and retrain when enough are new or it is time.

    Each retraining is a separate process: `stream-trainer retrain` with this command's settings
    and the options after --. The gate judges the result, which is published to the workers if it
    passes. Runs until SIGTERM or Ctrl-C; killed at any point and started again it continues.
    Metrics, /healthz and /readyz are on port 9465 unless --http-port says otherwise. A second watch
    in a folder ends at once; one in another folder with the same --labels-group-id replaces the
    first one, which ends within seconds, and its training with it.

    \b
    stream-trainer watch --url-data urls.csv --model-store /srv/models
    stream-trainer watch --url-data urls.csv --every 7d --new-labels 50 -- --only-ngrams
    """
    settings, origins = given_settings(config, flags)
    data: Mapping[Kind, tuple[Path, ...]] = {"url": url_data, "host": host_data}
    retrainings: Mapping[Kind, list[str]] = {
        kind: [
            *("--kind", kind),
            *(word for file in files for word in ("--data", str(file))),
            *("--store", str(folder / _LABELS), "--folder", str(folder)),
            *words,
        ]
        for kind, files in data.items()
        if files
    }
    root = click.get_current_context().find_root()
    retrain = cast(click.Command, cast(click.Group, root.command).get_command(root, "retrain"))
    for kind, given_words in retrainings.items():
        # Refuses wrong options now, and not after a day.
        given = retrain.make_context("watch ... --", list(given_words)).params
        own = {"kind": kind, "data": data[kind], "store": folder / _LABELS, "folder": folder}
        for name, value in own.items():
            if given[name] != value:
                raise click.UsageError(f"--{name} does not belong after --: watch gives it itself")
    port = _HTTP_PORT if origins["http_port"] == "default" else settings.http_port
    configure_logging(settings)
    # kafka-python's errors are in ours.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    from trainer.watching.watcher import WatchPlan, serve_watch  # noqa: PLC0415 - Kafka

    plan = WatchPlan(
        folder=folder,
        labels=folder / _LABELS,
        commands={
            kind: [sys.executable, "-m", "trainer", "retrain", *given]
            for kind, given in retrainings.items()
        },
        environment=_environment(config, flags),
        schedule=Schedule(every, new_labels),
    )
    logger = logging.getLogger(__name__)
    if not plan.commands:
        logger.warning("no --url-data and no --host-data: labels are collected, nothing retrained")
    elif not settings.model_store or "--no-publish" in words:
        logger.warning("no model store is set: a bundle that passes the gate is not published")
    serve_watch(plan, settings, port=port)
    logger.info("stopped")


def _environment(config: Path | None, flags: Mapping[str, object]) -> dict[str, str]:
    """This process's variables, and its flags as variables: for its children."""
    given = {} if config is None else {"config": str(config)}
    for name in Settings.model_fields:
        value = flags.get(name)
        if value is not None and value != ():
            given[name] = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    named = {ENVIRONMENT_PREFIX + name.upper(): value for name, value in given.items()}
    return {**os.environ, **named}
