"""Help of ``stream-trainer`` that offers what its commands use, with the defaults they have."""

from collections.abc import Iterator

import click
from click.testing import CliRunner

from trainer.cli import cli


def commands_of(group: click.Group, *names: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        if isinstance(command, click.Group):
            yield from commands_of(command, *names, name)
        else:
            yield " ".join([*names, name]), command


def test_only_commands_that_collect_labels_have_an_option_for_their_group() -> None:
    offering = {
        name
        for name, command in commands_of(cli)
        if any(parameter.name == "labels_group_id" for parameter in command.params)
    }
    assert offering == {"labels collect", "watch"}


def test_watch_shows_its_own_default_port() -> None:
    page = " ".join(CliRunner().invoke(cli, ["watch", "--help"]).output.split())
    assert "on port 9465 unless --http-port says" in page
    (text,) = (
        parameter.help
        for parameter in dict(commands_of(cli))["watch"].params
        if isinstance(parameter, click.Option) and parameter.name == "http_port"
    )
    assert text is not None
    assert text.endswith("[default: 9465]")
