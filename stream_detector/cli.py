"""``stream-detector``: the commands, their exit codes and how errors reach a person.

Exit codes: 0 done, 1 failed, 2 wrong usage or settings, 130 after Ctrl-C. An error is one line on
stderr. When the reader of the output goes (``| head``), the program ends with 1 and says nothing.
"""

import importlib
import logging
import os
import sys
from typing import NoReturn

import click

from stream_detector import __version__
from stream_detector.errors import FatalError, StreamDetectorError

__all__ = ["cli", "main"]

_PROGRAM = "stream-detector"
_INTERRUPTED = 130


_COMMANDS = {
    "run": "Read log topics and write verdicts and alerts, until SIGTERM.",
    "score": "Score URLs and host names given here, in a file or on stdin.",
    "settings": "Show every setting, its value and where it is set.",
    "topics": "Make the Kafka topics, or check that they can be used.",
    "doctor": "Check Kafka, models and machine; say what to do.",
    "demo": "Show it at work on sample logs, with a Kafka of its own.",
}
"""Help by command, in the order a newcomer needs them; each is a module of ``commands``."""


class _LazyGroup(click.Group):
    """Imports a command's module when it is asked for; help needs none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Names of the commands."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command, imported now."""
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"stream_detector.commands.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list of commands, from the table above."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Settings come from flags, STREAM_DETECTOR_... variables or a TOML file (--config): "
    "see `stream-detector settings --help`.",
)
@click.version_option(__version__, prog_name=_PROGRAM)
def cli() -> None:
    """Score URLs and host names as malicious or not, in streams of logs or by hand.

    \b
    stream-detector score example.com/login     one URL, now
    stream-detector demo                        the whole way, on this machine alone
    stream-detector doctor                      is everything there to run?
    stream-detector run                         the worker
    """
    # Libraries say what they have to through errors; `run` sets up logging of its own.
    logging.getLogger().addHandler(logging.NullHandler())


def main() -> NoReturn:
    """Run the command line and exit."""
    try:
        code = cli.main(prog_name=_PROGRAM, standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        code = error.exit_code
    except click.ClickException as error:
        hint = ""
        if isinstance(error, click.UsageError) and error.ctx is not None:
            hint = f" (see {error.ctx.command_path} --help)"
        code = _fail(error.format_message() + hint, error.exit_code)
    except StreamDetectorError as error:
        code = _fail(str(error), error.exit_code if isinstance(error, FatalError) else 1)
    except (click.Abort, KeyboardInterrupt):
        code = _INTERRUPTED
    except BrokenPipeError:
        # Python would flush into the closed pipe once more as it ends, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code or 0)


def _fail(message: str, code: int) -> int:
    click.echo(f"{_PROGRAM}: {' '.join(message.split())}", err=True)
    return code
