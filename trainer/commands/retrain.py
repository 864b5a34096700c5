"""``stream-trainer retrain``: train the served model on with labels; publish it past the gate."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stream_detector.commands.options import SettingsCommand, given_settings, setting_options
from stream_detector.errors import SettingsError
from stream_detector.logs.setup import native_output_held_back
from stream_detector.settings.fields import SETTING_GROUPS
from trainer.commands.example_options import data_of, data_options, gate_options, rules_of
from trainer.commands.label_options import FOLDER, labels_option, trust_option, trusted
from trainer.commands.models.options import force_option, signing_key_option
from trainer.console import command_line, tell
from trainer.gate.admission import REFUSED_CODE
from trainer.shown_progress import ShownProgress

if TYPE_CHECKING:
    from stream_detector.events import Kind

__all__ = ["retrain"]

_EXIT_CODES = {"refused": REFUSED_CODE, "unchanged": 4}

_NOT_NEEDED = {*SETTING_GROUPS["Topics"], *SETTING_GROUPS["Announced models"]} - {
    "topic_prefix",
    "models_topic",
    "model_store",
}


@click.command(
    cls=SettingsCommand, short_help="Train the served model on with labels; publish what passes."
)
@click.option("--kind", type=click.Choice(["url", "host"]), required=True, help="Which model.")
@data_options
@labels_option
@trust_option
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=FOLDER,
    show_default=True,
    help="Where challengers and their decisions are written; one retraining at a time runs in it.",
)
@click.option(
    "--champion",
    type=click.Path(path_type=Path, file_okay=False),
    help="Bundle to train on and to compare with.  [default: the one that is announced, or else "
    "the one that workers are set to]",
)
@click.option(
    "--only-ngrams",
    is_flag=True,
    help="Train the table of n-grams alone: seconds instead of minutes. For single names and "
    "paths; what is new in kind needs all of the network.",
)
@click.option("--epochs", type=click.IntRange(1), help="[default: 2; 3 with --only-ngrams]")
@click.option(
    "--label-visits",
    type=click.FloatRange(1, 1000),
    default=16.0,
    show_default=True,
    help="How often an epoch visits the newest label; a row of --data is visited once.",
)
@click.option(
    "--half-life",
    type=click.FloatRange(0, min_open=True),
    default=90.0,
    show_default=True,
    help="Days until a label weighs half as much more than a row of --data.",
)
@click.option(
    "--newest-share",
    type=click.FloatRange(0, 0.5),
    default=0.1,
    show_default=True,
    help="Share of the labels of each voice, the newest, to measure on and not to train on (from "
    "100 labels on).",
)
@click.option(
    "--voice-share",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.2,
    show_default=True,
    help="Most of an epoch that the labels of one voice may have, and of the weight of the newest "
    "ones; labels of one with more are visited less, or left out. Who signs (label_keys) is a "
    "voice; all analysts who do not are one together, and so are all such feeds.",
)
@click.option(
    "--sources",
    type=click.Path(path_type=Path),
    help="CSV with columns source and licence, for the manifest.",
)
@gate_options
@force_option
@signing_key_option
@click.option(
    "--publish/--no-publish",
    default=None,
    help="Whether to announce what passed.  [default: where a model store is set]",
)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
@setting_options(
    {"Kafka: how to reach it", "Topics", "Announced models"},
    without=_NOT_NEEDED | {"group_id", "labels_group_id", "cluster"},
)
@native_output_held_back()
def retrain(
    kind: "Kind",
    store: Path,
    trust: str,
    folder: Path,
    champion: Path | None,
    only_ngrams: bool,
    epochs: int | None,
    label_visits: float,
    half_life: float,
    newest_share: float,
    voice_share: float,
    sources: Path | None,
    because: str | None,
    signing_key: Path | None,
    publish: bool | None,
    seed: int,
    config: Path | None,
    **options: Any,
) -> int:
    """Train the model that serves on, with a base corpus and the labels collected since.

    The corpus' test part is the hold-out: labels of its registered domains are left out, so it
    stays the same and untold. The newest labels are held out by time. The others are trained on,
    the newer the more often. What comes out is judged against the model that serves, as
    `stream-trainer gate` does, and announced to the workers if it passes.

    The exit code is 0 if it was published (or passed, with --no-publish), 3 if the gate refused
    it, 4 if there is nothing new to learn, 1 after an error, 2 for a wrong command line. Stopped
    anywhere, the same command goes on.

    \b
    stream-trainer labels collect
    stream-trainer retrain --kind url --data urls.csv --model-store /srv/models
    stream-trainer retrain --kind url --data urls.csv --only-ngrams --must-not-alert ours.txt
    """
    examples, options = data_of(**options)
    rules, flags = rules_of(**options)
    settings, _ = given_settings(config, flags)
    publish = bool(settings.model_store) if publish is None else publish
    if publish and not settings.model_store:
        raise SettingsError(
            "no model store to publish to is set: give --model-store, a folder or URL that trainer "
            "and workers both reach, or --no-publish"
        )
    from trainer.labels.store import filled_store  # noqa: PLC0415 - imports much

    filled_store(store)
    from trainer.examples.licences import read_licences  # noqa: PLC0415
    from trainer.gate.decision import lines_of  # noqa: PLC0415
    from trainer.retraining.examples import LabelRules  # noqa: PLC0415
    from trainer.retraining.one_run import Plan  # noqa: PLC0415
    from trainer.retraining.one_run import retrain as run_retraining  # noqa: PLC0415
    from trainer.retraining.warm_start import GENTLE, TABLE  # noqa: PLC0415

    recipe = TABLE if only_ngrams else GENTLE
    plan = Plan(
        kind=kind,
        base=examples,
        labels=store,
        folder=folder,
        champion=champion,
        trust=trusted(trust),
        label_rules=LabelRules(label_visits, half_life, newest_share, voice_share=voice_share),
        recipe=recipe._replace(seed=seed, epochs=epochs or recipe.epochs),
        only_ngrams=only_ngrams,
        gate=rules,
        because=because,
        publish=publish,
        signing_key=signing_key,
        licences=read_licences(sources, kind) if sources else {},
        command=command_line(),
    )
    outcome = run_retraining(plan, settings, progress=ShownProgress())
    if outcome.checks:
        for line in lines_of(outcome.checks):
            click.echo(line)
    tell(f"{kind}: {outcome.ending}")
    return _EXIT_CODES.get(outcome.ending, 0)
