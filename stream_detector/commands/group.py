"""The group of all commands, and the exit code of each way in which one can end."""

import difflib
import importlib
import logging
import os
import sys

import click

from stream_detector import __version__
from stream_detector.errors import FatalError, StreamDetectorError

__all__ = ["run_command_line"]

_PROGRAM = "stream-detector"

_COMMANDS = {
    "run": "Read log topics and write verdicts and alerts, until SIGTERM.",
    "score": "Score URLs and host names given here, in a file or on stdin.",
    "label": "Write what an analyst or a feed says of URLs and host names.",
    "settings": "Show every setting, its value and where it is set.",
    "topics": "Make the Kafka topics, or check that they can be used.",
    "doctor": "Check Kafka, models and machine; say what to do.",
    "demo": "Show it at work on sample logs, with a Kafka of its own.",
}
"""Help by command, in the order a newcomer needs them; each is a module beside this one."""


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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that ``args`` begin with; for a name that is none, the nearest or all."""
        if args[0] not in _COMMANDS:
            near = difflib.get_close_matches(args[0], _COMMANDS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(_COMMANDS)}"
            raise click.UsageError(f"there is no command {args[0]!r}: {hint}", ctx)
        return super().resolve_command(ctx, args)

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
def _group() -> None:
    """Score URLs and host names as malicious or not, in streams of logs or by hand.

    \b
    stream-detector score example.com/login     one URL, now
    stream-detector demo                        the whole way, on this machine alone
    stream-detector doctor                      is everything there to run?
    stream-detector run                         the worker
    """
    # Libraries say what they have to through errors; `run` sets up logging of its own.
    logging.getLogger().addHandler(logging.NullHandler())


def run_command_line() -> int:
    """Do what the command line says; returns the exit code. Errors are told in a line on stderr.

    Raises:
        KeyboardInterrupt: Ctrl-C.
    """
    try:
        code = _group.main(prog_name=_PROGRAM, standalone_mode=False)
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
    except click.Abort as error:
        raise KeyboardInterrupt from error
    except BrokenPipeError:
        _drop_output()
        code = 1
    except OSError as error:
        _drop_output()
        what = error.filename or "stdin or stdout"
        reason = error.strerror or error
        code = _fail(f"can't read or write {what} ({reason}): check the disk and the rights", 1)
    return code or 0


def _fail(message: str, code: int) -> int:
    click.echo(f"{_PROGRAM}: {' '.join(message.split())}", err=True)
    return code


def _drop_output() -> None:
    """Forget what could not be written: Python would try once more as it ends, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
