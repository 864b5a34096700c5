"""The group of all commands of ``stream-detector``."""

import logging

import click

from stream_detector import __version__
from stream_detector.commands.command_line import CommandGroup

PROGRAM = "stream-detector"

_COMMANDS = {
    "run": "Read log topics and write verdicts and alerts, until SIGTERM.",
    "score": "Score URLs and host names given here, in a file or on stdin.",
    "scan": "Show the worst domains in whole log files, on all cores.",
    "inspect": "Show what is read from the lines of a log, and why not.",
    "formats": "List the log formats that are read.",
    "label": "Label URLs and host names, as an analyst or a feed.",
    "settings": "Show every setting, its value and where it is set.",
    "topics": "Create, check and back up the Kafka topics; print ACLs.",
    "doctor": "Check Kafka, models and machine; report what to fix.",
    "demo": "Show it at work on sample logs, with a Kafka of its own.",
    "replay": "Feed the sample logs to your own Kafka.",
    "dead-letters": "Show records that could not be read; replay them.",
}
"""Help by command, in the order a newcomer needs them; each has a module of its name here."""


def _place(name: str) -> str:
    module = name.replace("-", "_")
    return f"stream_detector.commands.{module}:{module}"


@click.group(
    cls=CommandGroup,
    lazy={name: (text, _place(name)) for name, text in _COMMANDS.items()},
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Settings come from flags, STREAM_DETECTOR_... variables or a TOML file (--config): "
    "see `stream-detector settings --help`.",
)
@click.version_option(__version__, prog_name=PROGRAM)
def group() -> None:
    """Score URLs and host names as malicious or not, in streams of logs or by hand.

    \b
    stream-detector score example.com/login     # one URL, now
    stream-detector demo                        # all of it, on this machine
    stream-detector doctor                      # is this machine ready to run it?
    stream-detector run                         # the worker
    """
    # Libraries report faults by errors; only `run` sets up logging.
    logging.getLogger().addHandler(logging.NullHandler())
