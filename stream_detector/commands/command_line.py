"""Shared by the project's command lines: commands imported on request, typos, one-line errors."""

import difflib
import importlib
import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from stream_detector.errors import StreamDetectorError


class CommandGroup(click.Group):
    """Imports a command's module only when that command is asked for.

    So the help of the group needs none of them, and a command may import at the top of its module
    what takes a while.

    Args:
        lazy: by a command's name, its one-line help and where it is: ``module:attribute``.
    """

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Names of the commands, in the order of ``lazy``."""
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command, imported now."""
        if cmd_name not in self._lazy:
            return None
        module, _, attribute = self._lazy[cmd_name][1].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (text, _) in self._lazy.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that ``args`` begin with; the error for an unknown one suggests a name."""
        names = self.list_commands(ctx)
        if args[0] not in names:
            near = difflib.get_close_matches(args[0], names, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
            raise click.UsageError(f"there is no command {args[0]!r}: {hint}", ctx)
        return super().resolve_command(ctx, args)


def run_command_line(group: click.Group, program: str) -> int:
    """Run the command line of ``program``; returns the exit code. An error is one line on stderr.

    Raises:
        KeyboardInterrupt: Ctrl-C.
    """
    try:
        code = group.main(prog_name=program, standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        code = error.exit_code
    except click.ClickException as error:
        hint = ""
        if isinstance(error, click.UsageError) and error.ctx is not None:
            hint = f" (see {error.ctx.command_path} --help)"
        code = _fail(program, error.format_message() + hint, error.exit_code)
    except StreamDetectorError as error:
        code = _fail(program, str(error), error.exit_code)
    except click.Abort as error:
        raise KeyboardInterrupt from error
    except BrokenPipeError:
        _drop_output()
        code = 1
    except OSError as error:
        _drop_output()
        what = error.filename or "stdin or stdout"
        reason = error.strerror or error
        code = _fail(
            program, f"can't read or write {what} ({reason}): check the disk and the rights", 1
        )
    return code or 0


def _fail(program: str, message: str, code: int) -> int:
    click.echo(f"{program}: {' '.join(message.split())}", err=True)
    return code


def _drop_output() -> None:
    """Discard buffered output: Python would try to write it again at exit, and complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
