"""Options that commands share: one per setting, made from its field and grouped in ``--help``."""

import functools
import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar, cast, get_args, get_origin

import click
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from stream_detector.settings.fields import DATA_FOLDER, SECRETS, SETTING_GROUPS, Settings
from stream_detector.settings.loading import Origin, load_settings

Command = TypeVar("Command", bound=Callable[..., Any])


class SettingsCommand(click.Command):
    """A command whose ``--help`` lists its own options first, then the settings by group."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options in sections."""
        sections: dict[str, list[tuple[str, str]]] = {"Options": []}
        titles = {name: title for title, names in SETTING_GROUPS.items() for name in names}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                title = titles.get(parameter.name or "", "Options")
                sections.setdefault(title, []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


REACHING_KAFKA = frozenset(SETTING_GROUPS["Kafka: how to reach it"]) - {
    *("group_id", "labels_group_id", "cluster")
}
"""The settings with which any client reaches Kafka."""


def settings_of(*titles: str) -> frozenset[str]:
    """The names of the settings in these groups of ``SETTING_GROUPS``."""
    return frozenset(name for title in titles for name in SETTING_GROUPS[title])


def with_settings(names: Collection[str] | None = None) -> Callable[[Command], Command]:
    """``setting_options``, whose values the command gets as ``settings``.

    They are loaded before the command runs: a wrong setting is an error at once.
    """
    # A command may have an option of its own with the name of a setting that it does not use.
    used = Settings.model_fields.keys() if names is None else names

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def loaded(config: Path | None, **given: Any) -> Any:
            flags = {name: given.pop(name) for name in used if name in given}
            settings, _ = given_settings(config, flags)
            return command(settings=settings, **given)

        return setting_options(names)(cast("Command", loaded))

    return decorate


def setting_options(
    names: Collection[str] | None = None, *, defaults: Mapping[str, object] | None = None
) -> Callable[[Command], Command]:
    """Add ``--config`` and an option for each setting of ``names`` (all by default).

    The values reach the command as keyword arguments, for ``given_settings``. Secrets have no
    option: other users of the machine could read them in the list of processes. ``defaults``, by
    name, replace the defaults in ``--help`` where the command has its own.
    """
    own = defaults or {}
    ordered = [name for group in SETTING_GROUPS.values() for name in group if name not in SECRETS]

    def decorate(command: Command) -> Command:
        for name in reversed(ordered):
            if names is None or name in names:
                default = str(own[name]) if name in own else default_text(name)
                command = _option(name, Settings.model_fields[name], default)(command)
        config = click.option(
            "--config",
            metavar="FILE",
            type=click.Path(path_type=Path),
            help="TOML file with settings; also STREAM_DETECTOR_CONFIG.",
        )
        return config(command)

    return decorate


def pace_options(*, records: int, rate: float, what: str) -> Callable[[Command], Command]:
    """Options ``--records`` and ``--rate`` with these defaults; ``what`` is a verb for records."""
    count = click.option(
        "--records",
        type=click.IntRange(min=1),
        default=records,
        show_default=True,
        help=f"How many records to {what}.",
    )
    pace = click.option(
        "--rate",
        type=click.FloatRange(min=1),
        default=rate,
        show_default=True,
        help="How many a second.",
    )
    return lambda command: count(pace(command))


def given_settings(
    config: Path | None, flags: Mapping[str, object]
) -> tuple[Settings, Mapping[str, Origin]]:
    """Settings and their origins from the options of ``setting_options``.

    Raises:
        SettingsError: as ``load_settings``.
    """
    return load_settings(flags, os.environ, config)


def is_given(option: str) -> bool:
    """Whether the command line holds this option of the running command."""
    source = click.get_current_context().get_parameter_source(option)
    return source is not click.core.ParameterSource.DEFAULT


def default_text(name: str) -> str:
    """The default of a setting as a user would type it; empty without one."""
    default = Settings.model_fields[name].get_default(call_default_factory=True)
    if default is None or default is PydanticUndefined or isinstance(default, (SecretStr, dict)):
        return ""
    if isinstance(default, list):
        return ",".join(default)
    if isinstance(default, bool):
        return "on" if default else "off"
    if isinstance(default, float):
        return f"{default:g}"
    if isinstance(default, Path) and default.is_relative_to(DATA_FOLDER):
        return f"{default.name} model that comes with this package"
    return str(default)


def _option(name: str, field: FieldInfo, default: str) -> Callable[[Command], Command]:
    flag = f"--{name.replace('_', '-')}"
    text = (field.description or "") + (f"  [default: {default}]" if default else "")
    if field.annotation is bool:
        return click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=text)
    several = get_origin(field.annotation) in {list, dict}
    return click.option(flag, name, multiple=several, metavar=_metavar(field), help=text)


def _metavar(field: FieldInfo) -> str:
    """What a value looks like, in capitals or as its choices."""
    annotation = field.annotation
    if get_origin(annotation) is Literal:
        return "[" + "|".join(get_args(annotation)) + "]"
    if get_origin(annotation) is list:
        return "A,B"
    if get_origin(annotation) is dict:
        return "NAME=VALUE"
    # Such as ``Annotated[float, ...] | None``, whose parts have parts.
    kinds = [annotation, *get_args(annotation)]
    kinds += [part for kind in kinds for part in get_args(kind)]
    if int in kinds or float in kinds:
        return "NUMBER"
    return "PATH" if Path in kinds else "TEXT"
