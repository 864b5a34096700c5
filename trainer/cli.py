"""``stream-trainer``: the group of its commands, each in a module of ``trainer.commands``.

A command's module is imported when the command is asked for. TensorFlow and scikit-learn take
seconds: a command imports them once its data is known to be good.
"""

import logging
import sys

import click

from stream_detector import __version__
from stream_detector.commands.command_line import CommandGroup, run_command_line
from stream_detector.system.termination import terminated_like_interrupted

_PROGRAM = "stream-trainer"

_COMMANDS = {
    "train": ("Train a network on labelled examples; save a bundle.", "train:train"),
    "evaluate": ("Measure bundles and model families side by side.", "evaluate:evaluate"),
    "hold-out": ("Measure families on sources that they never saw.", "hold_out:hold_out"),
    "labels": ("Collect labels, show them, write them for training.", "labels:labels"),
    "retrain": ("Retrain the served model with labels; publish a pass.", "retrain:retrain"),
    "watch": ("Collect labels; retrain whenever it is due.", "watch:watch"),
    "study": ("Repeat the study: all its models on one list, one table.", "study:study"),
    "gate": ("Judge whether a bundle may replace the served one.", "gate:gate"),
    "models": ("Publish bundles to running workers; go back.", "models:models"),
    "shadow": ("Show where shadow models and serving models disagree.", "shadow:shadow"),
    "drift": ("Show how verdicts moved, and which topics and domains moved them.", "drift:drift"),
    "generate-names": ("Write names like those that malware generates.", "generate:names"),
    "generate-ordinary": ("Write URLs that every network requests.", "generate:ordinary"),
    "generate-private": ("Write URLs or names of private networks.", "generate:private"),
}
"""Help and place of each command, in the order a newcomer needs them."""


@click.group(
    cls=CommandGroup,
    lazy={name: (text, f"trainer.commands.{at}") for name, (text, at) in _COMMANDS.items()},
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "show_default": True,
    },
)
@click.version_option(__version__, prog_name=_PROGRAM)
def cli() -> None:
    """Train and measure the models that stream-detector serves.

    \b
    stream-trainer train --kind url --data labelled.csv --output bundles/url
    stream-trainer evaluate bundles/url data/models/url --data labelled.csv --report report
    stream-trainer models publish bundles/url
    """


def main() -> None:
    """Run the command; exit with 0, 1 after an error, 2 for a wrong command line.

    3 means that ``gate`` refused a bundle; 130 that Ctrl-C or SIGTERM ended the command.
    """
    # Errors that matter reach the user as exceptions; logging would print warnings on top.
    for library in ("aiokafka", "kafka"):
        logging.getLogger(library).addHandler(logging.NullHandler())
    # TensorFlow warns of repeated tracing; here a step is traced once for each of a few lengths.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    try:
        with terminated_like_interrupted():
            code = run_command_line(cli, _PROGRAM)
        sys.exit(code)
    except KeyboardInterrupt:
        sys.exit(130)
