"""``stream-detector settings``: shows every setting and where its value comes from."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click

from stream_detector.commands.options import SettingsCommand, given_settings, setting_options
from stream_detector.settings.fields import SECRETS, SETTING_GROUPS, Settings
from stream_detector.settings.loading import Origin

_MASK = "**********"


@click.command(cls=SettingsCommand)
@click.option("--json", "as_json", is_flag=True, help="One JSON object: value and origin by name.")
@click.option("--toml", "as_toml", is_flag=True, help="A commented TOML file to start from.")
@setting_options()
def settings(config: Path | None, as_json: bool, as_toml: bool, **flags: object) -> None:
    """Show every setting, its value, and whether a flag, the environment or a file set it.

    \b
    stream-detector settings
    stream-detector settings --toml > detector.toml
    stream-detector settings --config detector.toml --json | jq .group_id

    A flag (--group-id x) overrides the environment (STREAM_DETECTOR_GROUP_ID=x), which overrides
    the file of --config (group_id = "x"), which overrides the default. Write lists with commas or
    repeat the flag; write tables as name=value,name=value.

    Takes the flags of `run` and shows the settings that `run` would use. Secrets have no flag, and
    are masked.
    """
    if as_json and as_toml:
        raise click.UsageError("give either --json or --toml, not both")
    values, origins = given_settings(config, flags)
    if as_json:
        click.echo(json.dumps(_document(values, origins), indent=2, ensure_ascii=False))
    elif as_toml:
        click.echo("\n".join(_toml(values, origins)))
    else:
        for line in _table(values, origins):
            click.echo(line)


def _shown(name: str, values: Settings) -> Any:
    """A value in plain types; of a secret only whether there is one."""
    value = getattr(values, name)
    if name in SECRETS:
        return _MASK if value.get_secret_value() else ""
    if isinstance(value, Path):
        # A file name may hold any bytes, the output only UTF-8.
        return os.fsencode(value).decode(errors="backslashreplace")
    return value


def _document(values: Settings, origins: Mapping[str, Origin]) -> dict[str, dict[str, Any]]:
    return {
        name: {"value": _shown(name, values), "origin": origins[name]}
        for names in SETTING_GROUPS.values()
        for name in names
    }


def _table(values: Settings, origins: Mapping[str, Origin]) -> Iterator[str]:
    """Aligned lines by group; values that are not defaults are green."""
    width = max(map(len, origins))
    for title, names in SETTING_GROUPS.items():
        yield click.style(title, bold=True)
        for name in names:
            value = _shown(name, values)
            if isinstance(value, list):
                value = ",".join(value)
            elif isinstance(value, dict):
                value = ",".join(f"{key}={item}" for key, item in value.items())
            elif isinstance(value, bool):
                value = str(value).lower()
            text = "-" if value is None or value == "" else str(value)
            origin = origins[name]
            line = f"  {name:<{width}}  {origin:<11}  {text}"
            yield line if origin == "default" else click.style(line, fg="green")


def _toml(values: Settings, origins: Mapping[str, Origin]) -> Iterator[str]:
    """Lines of a settings file; values that nobody set are comments."""
    yield "# Settings of stream-detector. Flags and STREAM_DETECTOR_... variables go before it."
    for title, names in SETTING_GROUPS.items():
        yield f"\n# --- {title} ---"
        for name in names:
            field = Settings.model_fields[name]
            yield f"\n# {field.description}"
            if get_origin(field.annotation) is Literal:
                yield f"# One of {', '.join(get_args(field.annotation))}."
            if name in SECRETS:
                yield f'# {name} = ""'
                continue
            value = _shown(name, values)
            unset = origins[name] == "default" or value is None
            line = f"{name} = {_toml_value(name, value)}"
            yield f"# {line}" if unset else line


def _toml_value(name: str, value: Any) -> str:
    """A value as TOML, or an example if it is None. Strings are written as in JSON."""
    if value is None:
        kinds = get_args(Settings.model_fields[name].annotation)
        return '"/path/to/file"' if Path in kinds else "0.5"
    if isinstance(value, dict):
        pairs = (
            f"{_toml_value(name, key)} = {_toml_value(name, item)}" for key, item in value.items()
        )
        return "{ " + ", ".join(pairs) + " }" if value else "{}"
    # Without ASCII escapes: JSON would write an emoji as two surrogates, which TOML rejects.
    return json.dumps(value, ensure_ascii=False)
