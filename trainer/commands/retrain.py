"""``stream-trainer retrain``: continue to train the served model with labels; publish a pass."""

from pathlib import Path
from typing import Any

import click

from stream_detector.commands.options import SettingsCommand
from stream_detector.errors import SettingsError
from stream_detector.events import Kind
from stream_detector.settings.fields import Settings
from stream_detector.system.native_output import native_output_held_back
from trainer.commands import options
from trainer.console import ShownProgress, command_line, show, tell
from trainer.examples.labelled import Examples
from trainer.examples.readers import read_licences
from trainer.gate.admission import REFUSED_CODE
from trainer.gate.decision import lines_of
from trainer.gate.options import GateOptions
from trainer.labels.store import filled_store

_EXIT_CODES = {"refused": REFUSED_CODE, "unchanged": 4}


@click.command(cls=SettingsCommand)
@click.option("--kind", type=options.KIND, required=True, help="Which model.")
@options.data
@options.label_store
@options.trust
@click.option(
    "--folder",
    type=options.FOLDER,
    default=options.RETRAINING_FOLDER,
    help="Where challengers and their decisions are written; one retraining at a time runs in it.",
)
@click.option(
    "--champion",
    type=options.FOLDER,
    help="Bundle to train on and to compare with.  [default: the one that is announced, or else "
    "the one that the workers' settings name]",
)
@click.option(
    "--only-ngrams",
    is_flag=True,
    help="Train only the table of n-grams: seconds instead of minutes. For single names and "
    "paths; new kinds of malice need all of the network.",
)
@click.option("--epochs", type=click.IntRange(1), help="[default: 2; 3 with --only-ngrams]")
@click.option(
    "--label-visits",
    "visits",
    type=click.FloatRange(1, 1000),
    default=16.0,
    help="How often an epoch visits the newest label; a row of --data is visited once.",
)
@click.option(
    "--half-life",
    "half_life_days",
    type=click.FloatRange(0, min_open=True),
    default=90.0,
    help="Days until the extra weight of a label over a row of --data has halved.",
)
@click.option(
    "--newest-share",
    type=click.FloatRange(0, 0.5),
    default=0.1,
    help="Share of the labels of each voice, the newest, to measure on and not to train on (from "
    "100 labels on).",
)
@click.option(
    "--voice-share",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.2,
    help="Largest share that the labels of one voice may have of an epoch, and of the weight of "
    "the newest ones; labels of a voice with more are visited less, or left out. Whoever signs "
    "(label_keys) is a voice; all analysts who do not sign are one together, and so are all such "
    "feeds.",
)
@options.sources
@options.gate_rules
@options.force
@options.signing_key
@click.option(
    "--publish/--no-publish",
    default=None,
    help="Whether to announce a bundle that passed.  [default: where a model store is set]",
)
@options.seed
@options.kafka("topic_prefix", "models_topic", "model_store")
@native_output_held_back()
def retrain(
    kind: Kind,
    examples: Examples,
    store: Path,
    trust: tuple[str, ...],
    folder: Path,
    champion: Path | None,
    only_ngrams: bool,
    epochs: int | None,
    sources: Path | None,
    rules: GateOptions,
    because: str | None,
    signing_key: Path | None,
    publish: bool | None,
    seed: int,
    settings: Settings,
    **of_labels: Any,
) -> int:
    """Continue to train the model that serves, with a base corpus and the labels collected since.

    The test part of the corpus is the hold-out. Labels of its registered domains are left out, so
    every retraining is measured on the same rows, which no model was trained on. The newest labels
    are held out by time. The others are trained on, the newer the more often. The result is judged
    against the model that serves, as `stream-trainer gate` does, and announced to the workers if it
    passes.

    The exit code is 0 if it was published (or passed, with --no-publish), 3 if the gate refused
    it, 4 if there is nothing new to learn, 1 after an error, 2 for a wrong command line. Stopped
    anywhere, the same command continues.

    \b
    stream-trainer labels collect
    stream-trainer retrain --kind url --data urls.csv --model-store /srv/models
    stream-trainer retrain --kind url --data urls.csv --only-ngrams --must-not-alert ours.txt
    """
    publish = bool(settings.model_store) if publish is None else publish
    if publish and not settings.model_store:
        raise SettingsError(
            "no model store to publish to is set: give --model-store, a folder or URL that trainer "
            "and workers both reach, or --no-publish"
        )
    filled_store(store)
    from trainer.retraining import examples as labelled  # noqa: PLC0415 - TensorFlow
    from trainer.retraining import one_run, warm_start  # noqa: PLC0415

    recipe = warm_start.TABLE if only_ngrams else warm_start.GENTLE
    plan = one_run.Plan(
        kind=kind,
        base=examples,
        labels=store,
        folder=folder,
        champion=champion,
        trust=trust,
        label_rules=labelled.LabelRules(**of_labels),
        recipe=recipe._replace(seed=seed, epochs=epochs or recipe.epochs),
        only_ngrams=only_ngrams,
        gate=rules,
        because=because,
        publish=publish,
        signing_key=signing_key,
        licences=read_licences(sources, kind) if sources else {},
        command=command_line(),
    )
    outcome = one_run.retrain(plan, settings, progress=ShownProgress())
    if outcome.checks:
        show(lines_of(outcome.checks))
    tell(f"{kind}: {outcome.ending}")
    return _EXIT_CODES.get(outcome.ending, 0)
