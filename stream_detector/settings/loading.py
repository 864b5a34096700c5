"""The values of the settings, from flags, environment and a TOML file.

Precedence, highest first: command-line flags, environment (``STREAM_DETECTOR_`` and the
field's name in capitals), the TOML file (``--config`` or ``STREAM_DETECTOR_CONFIG``), default.

Messages name the place of a wrong value, and never the value of a field that holds a secret.
"""

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple, get_origin

from pydantic import ValidationError

from stream_detector.errors import SettingsError
from stream_detector.settings.checks import faults
from stream_detector.settings.fields import (
    ENVIRONMENT_PREFIX,
    SECRETS,
    Settings,
)
from stream_detector.settings.kinds import VALUE_SHOWN_CHARACTERS

CONFIG_VARIABLE = ENVIRONMENT_PREFIX + "CONFIG"
"""Names the TOML file, where ``--config`` does not."""

Origin = Literal["flag", "environment", "file", "default"]

# Kubernetes puts these into every container for each Service of the namespace, and a Service
# called stream-detector... has our prefix: https://kubernetes.io/docs/concepts/services-networking/
_KUBERNETES_NAME = re.compile(
    r"_SERVICE_HOST$|_SERVICE_PORT(_\w+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$"
)
_KUBERNETES_PORT = re.compile(r"(tcp|udp|sctp)://")

# A comma belongs to a table's value unless another `name=` follows it.
_NEXT_PAIR = re.compile(r",(?=[^,=]+=)")


class _Given(NamedTuple):
    """The value of a setting from one source."""

    value: object
    origin: Origin
    place: str
    """Where the user finds the value, for messages."""


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
    given: dict[str, _Given] = {}
    if config_path is not None:
        given.update(_from_file(config_path))
    given.update(_from_environment(environ))
    given.update(_from_flags(flags))

    places = {name: each.place for name, each in given.items()}
    values = {name: each.value for name, each in given.items()}
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        raise SettingsError("; ".join(_messages(error, values, places))) from None
    for fault in faults(settings):
        name = fault.partition(" ")[0]
        raise SettingsError(f"{fault} ({name} comes from {_place(name, places)})")
    settings._places = places
    origins: dict[str, Origin] = dict.fromkeys(Settings.model_fields, "default")
    return settings, origins | {name: each.origin for name, each in given.items()}


def _from_flags(flags: Mapping[str, object]) -> Iterator[tuple[str, _Given]]:
    for name, value in flags.items():
        if value is not None and value != ():
            place = f"the flag --{name.replace('_', '-')}"
            yield name, _Given(_shaped(name, value, place), "flag", place)


def _from_environment(environ: Mapping[str, str]) -> Iterator[tuple[str, _Given]]:
    for variable, value in environ.items():
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable == CONFIG_VARIABLE:
            continue
        name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
        place = f"the environment, {variable}"
        if name not in Settings.model_fields or variable != variable.upper():
            if _is_from_kubernetes(variable, value):
                continue
            raise _unknown(name, place, prefix=ENVIRONMENT_PREFIX)
        if value.strip():
            yield name, _Given(_shaped(name, value, place), "environment", place)


def _from_file(path: Path) -> Iterator[tuple[str, _Given]]:
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except OSError as error:
        raise SettingsError(
            f"the settings file {path} can't be read ({error.strerror}): "
            "correct --config or STREAM_DETECTOR_CONFIG"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"the settings file {path} is not TOML ({error}): "
            "`stream-detector settings --toml` prints one to start from"
        ) from error
    place = f"the file {path}"
    for name, value in document.items():
        yield name, _Given(_shaped(name, value, place), "file", place)


def _is_from_kubernetes(variable: str, value: str) -> bool:
    if _KUBERNETES_NAME.search(variable):
        return True
    return variable.endswith("_PORT") and bool(_KUBERNETES_PORT.match(value))


def _shaped(name: str, value: object, place: str) -> object:
    """``value`` as the list, table or single value that the field takes, not validated."""
    if name not in Settings.model_fields:
        raise _unknown(name, place)
    container = get_origin(Settings.model_fields[name].annotation)
    if container is list:
        return _as_list(name, value, place)
    if container is dict:
        return _as_table(name, value, place)
    if isinstance(value, (list, tuple, Mapping)):
        raise SettingsError(f"{name} takes one value, not several: correct it in {place}")
    return value


def _as_list(name: str, value: object, place: str) -> list[str]:
    items: list[str] = []
    for part in value if isinstance(value, (list, tuple)) else [value]:
        if not isinstance(part, str):
            raise SettingsError(
                f"{name} takes strings, not {type(part).__name__}: correct it in {place}"
            )
        items.extend(item.strip() for item in part.split(",") if item.strip())
    return items


def _as_table(name: str, value: object, place: str) -> dict[str, str]:
    if isinstance(value, Mapping):
        return {str(key): _as_text(f"{name}.{key}", item, place) for key, item in value.items()}
    table: dict[str, str] = {}
    for part in value if isinstance(value, (list, tuple)) else [value]:
        for pair in _NEXT_PAIR.split(part) if isinstance(part, str) else [""]:
            key, equals, item = pair.partition("=")
            if not equals or not key.strip():
                raise SettingsError(f"{name} takes name=value,name=value: correct it in {place}")
            table[key.strip()] = item.strip()
    return table


def _as_text(name: str, value: object, place: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, (str, int, float)):
        raise SettingsError(
            f"{name} takes text or a number, not {type(value).__name__}: correct it in {place}"
        )
    return str(value)


_REMOVED = frozenset(
    {"alert_keys_max", "fetch_bytes_max", "linger_ms", "chunk_records", "commit_interval"}
    | {"buffered_bytes_max", "record_lines_max", "revoke_timeout", "stall_timeout"}
)
"""Settings of earlier versions, of which no other name is the new one."""


def _unknown(name: str, place: str, *, prefix: str = "") -> SettingsError:
    """The error for an unknown name, with the nearest setting."""
    words = name.lower().replace("-", "_")
    if words in _REMOVED:
        return SettingsError(f"{name!r} in {place} is not a setting any longer: leave it out")
    near = difflib.get_close_matches(words, Settings.model_fields, n=1, cutoff=0.65)
    suggestion = (prefix + near[0]).upper() if prefix and near else "".join(near)
    hint = f"did you mean {suggestion}?" if near else "`stream-detector settings` lists them all"
    return SettingsError(f"{name!r} in {place} is not a setting: {hint}")


def _place(name: str, places: Mapping[str, str]) -> str:
    return places.get(name, f"the default of {name}")


def _messages(
    error: ValidationError, values: Mapping[str, object], places: Mapping[str, str]
) -> Iterator[str]:
    """One message for each wrong value."""
    for fault in error.errors(include_url=False, include_context=False):
        name = str(fault["loc"][0])
        message = re.sub("^(Value error,|Input|List) ", "", fault["msg"])
        shown = ""
        if name not in SECRETS and fault["type"] != "value_error":
            value = values[name]
            for key in fault["loc"][1:]:  # Of a list or table only the item that is wrong.
                value = value[key]  # type: ignore[index]
            shown = f", not {str(value)[:VALUE_SHOWN_CHARACTERS]!r}"
        yield f"{name} {message}{shown}: correct it in {_place(name, places)}"
