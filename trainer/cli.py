"""``stream-trainer``: the group of its commands, each a module of ``trainer.commands``.

Commands import heavy modules when they run, so that ``--help`` answers at once.
"""

import logging
import sys

import click

from stream_detector import __version__
from stream_detector.commands.command_line import CommandGroup, run_command_line
from stream_detector.system.termination import terminated_like_interrupted
from trainer.commands.drift import drift
from trainer.commands.evaluate import evaluate
from trainer.commands.gate import gate
from trainer.commands.generate import (
    generate_names_command,
    generate_ordinary_command,
    generate_private_command,
)
from trainer.commands.hold_out import hold_out
from trainer.commands.labels import labels
from trainer.commands.models import models
from trainer.commands.retrain import retrain
from trainer.commands.shadow import shadow
from trainer.commands.study import study
from trainer.commands.train import train
from trainer.commands.watch import watch

_PROGRAM = "stream-trainer"


@click.group(
    cls=CommandGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name=_PROGRAM)
def cli() -> None:
    """Train and measure the models that stream-detector serves.

    \b
    stream-trainer train --kind url --data labelled.csv --output bundles/url
    stream-trainer evaluate bundles/url data/models/url --data labelled.csv --report report
    stream-trainer models publish bundles/url
    """


for command in (
    train,
    evaluate,
    hold_out,
    labels,
    retrain,
    watch,
    study,
    gate,
    models,
    shadow,
    drift,
    generate_names_command,
    generate_ordinary_command,
    generate_private_command,
):
    cli.add_command(command)


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
