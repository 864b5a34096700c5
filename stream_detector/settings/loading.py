"""The values of the settings, from flags, environment and a TOML file.

Precedence, highest first: command-line flags, environment (``STREAM_DETECTOR_`` and the
field's name in capitals), the TOML file (``--config`` or ``STREAM_DETECTOR_CONFIG``), default.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal, get_origin

from pydantic import ValidationError

from stream_detector.errors import SettingsError
from stream_detector.settings.checks import faults
from stream_detector.settings.fields import SECRETS, Settings
from stream_detector.settings.sources import (
    ENVIRONMENT_PREFIX,
    Shape,
    from_environment,
    from_file,
    from_flags,
)

__all__ = ["CONFIG_VARIABLE", "Origin", "load_settings"]

CONFIG_VARIABLE = ENVIRONMENT_PREFIX + "CONFIG"
"""Names the TOML file, where ``--config`` does not."""

Origin = Literal["flag", "environment", "file", "default"]


def _shape(annotation: object) -> Shape:
    container = get_origin(annotation)
    return "list" if container is list else "table" if container is dict else "one"


_SHAPES = {name: _shape(field.annotation) for name, field in Settings.model_fields.items()}

_VALUE_SHOWN_CHARACTERS = 60


def load_settings(
    flags: Mapping[str, object], environ: Mapping[str, str], config_path: Path | None
) -> tuple[Settings, Mapping[str, Origin]]:
    """Settings from all their sources, and where the value of each came from.

    Args:
        flags: values by field name; None and the empty tuple mean that a flag was not given.
        environ: such as ``os.environ``; an empty variable counts as not set.
        config_path: the TOML file; if None, the one that ``STREAM_DETECTOR_CONFIG`` names, if any.

    Lists are strings with commas, or arrays in TOML; tables are ``name=value,name=value``, or
    tables in TOML.

    Raises:
        SettingsError: a value, name or file is wrong, or two values contradict each other.
    """
    for name in SECRETS.intersection(flags):
        raise SettingsError(
            f"{name} can't be a flag, which others on the machine can read: set "
            f"{ENVIRONMENT_PREFIX}{name.upper()} or {name}_file"
        )
    if config_path is None and environ.get(CONFIG_VARIABLE):
        config_path = Path(environ[CONFIG_VARIABLE])
    sources: dict[Origin, dict[str, object]] = {
        "file": from_file(config_path, _SHAPES) if config_path is not None else {},
        "environment": from_environment(environ, _SHAPES, others={CONFIG_VARIABLE}),
        "flag": from_flags(flags, _SHAPES),
    }
    values: dict[str, object] = {}
    origins: dict[str, Origin] = dict.fromkeys(Settings.model_fields, "default")
    for origin, found in sources.items():
        values.update(found)
        origins.update(dict.fromkeys(found, origin))

    def place(name: str) -> str:
        return {
            "flag": f"the flag --{name.replace('_', '-')}",
            "environment": f"the environment, {ENVIRONMENT_PREFIX}{name.upper()}",
            "file": f"the file {config_path}",
            "default": f"the default of {name}",
        }[origins[name]]

    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError("; ".join(_messages(error, values, place))) from None
    for name, fault in faults(settings):
        raise SettingsError(f"{fault} ({name} comes from {place(name)})")
    settings._places = {name: place(name) for name in origins if origins[name] != "default"}
    return settings, origins


def _messages(
    error: ValidationError, values: Mapping[str, object], place: Callable[[str], str]
) -> Iterator[str]:
    """One message for each value that is wrong."""
    for fault in error.errors(include_url=False, include_context=False):
        name = str(fault["loc"][0])
        message = re.sub("^(Value error,|Input|List) ", "", fault["msg"])
        shown = ""
        if name not in SECRETS and fault["type"] != "value_error":
            value = values[name]
            for key in fault["loc"][1:]:  # Of a list or table only the item that is wrong.
                value = value[key]  # type: ignore[index]
            shown = f", not {str(value)[:_VALUE_SHOWN_CHARACTERS]!r}"
        yield f"{name} {message}{shown}: correct it in {place(name)}"
