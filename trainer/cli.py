"""``stream-trainer``: the group of its commands, each a module of ``trainer.commands``.

Heavy imports are inside the commands, so that ``--help`` answers at once.
"""

import difflib
import logging
import sys

import click

from stream_detector import __version__
from stream_detector.errors import FatalError, StreamDetectorError
from trainer.commands.evaluate import evaluate
from trainer.commands.generate import (
    generate_names_command,
    generate_ordinary_command,
    generate_private_command,
)
from trainer.commands.hold_out import hold_out
from trainer.commands.models import models
from trainer.commands.study import study
from trainer.commands.train import train
from trainer.console import messages

__all__ = ["main"]


class _Group(click.Group):
    """Names the nearest command for one that is none; lists them in the order they came."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Names of the commands."""
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that ``args`` begin with."""
        if args[0] not in self.commands:
            near = difflib.get_close_matches(args[0], self.commands, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(self.commands)}"
            raise click.UsageError(f"there is no command {args[0]!r}: {hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="stream-trainer")
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
    study,
    models,
    generate_names_command,
    generate_ordinary_command,
    generate_private_command,
):
    cli.add_command(command)


def main() -> None:
    """The command; an error is one line on stderr and exit code 1, or 2 for usage and settings."""
    # A step is traced once for each of a few lengths, on purpose.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    try:
        code = cli.main(prog_name="stream-trainer", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        code = error.exit_code
    except click.ClickException as error:
        hint = ""
        if isinstance(error, click.UsageError) and error.ctx is not None:
            hint = f" (see {error.ctx.command_path} --help)"
        code = _fail(error.format_message() + hint, error.exit_code)
    except click.Abort:
        code = _fail("stopped", 130)
    except StreamDetectorError as error:
        code = _fail(str(error), error.exit_code if isinstance(error, FatalError) else 1)
    sys.exit(code or 0)


def _fail(message: str, code: int) -> int:
    line = f"stream-trainer: {' '.join(message.split())}"
    messages.print(line, style="red", highlight=False, markup=False, soft_wrap=True)
    return code
