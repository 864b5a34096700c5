"""Where the values of settings come from, each source read into plain values by field name.

Nothing here knows which settings there are: the names and shapes of the fields are passed in.
Messages name a value's place, and never the value of a field that holds a secret.
"""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from stream_detector.errors import SettingsError

__all__ = ["ENVIRONMENT_PREFIX", "Shape", "from_environment", "from_file", "from_flags"]

ENVIRONMENT_PREFIX = "STREAM_DETECTOR_"

Shape = Literal["one", "list", "table"]
"""Whether a field holds one value, a list of strings, or strings by name."""

# Kubernetes puts these into every container for each Service of the namespace, and a Service
# called stream-detector... has our prefix: https://kubernetes.io/docs/concepts/services-networking/
_KUBERNETES_NAME = re.compile(
    r"_SERVICE_HOST$|_SERVICE_PORT(_\w+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$"
)
_KUBERNETES_PORT = re.compile(r"(tcp|udp|sctp)://")

# A comma belongs to a table's value unless another `name=` follows it.
_NEXT_PAIR = re.compile(r",(?=[^,=]+=)")


def from_flags(flags: Mapping[str, object], shapes: Mapping[str, Shape]) -> dict[str, object]:
    """Values by field; a flag that is None or an empty tuple was not given.

    Raises:
        SettingsError: a flag is no setting.
    """
    values: dict[str, object] = {}
    for name, value in flags.items():
        if value is None or value == ():
            continue
        place = f"the flag --{name.replace('_', '-')}"
        if name not in shapes:
            raise _unknown(place, name, shapes)
        values[name] = _shaped(name, value, shapes[name], place)
    return values


def from_environment(
    environ: Mapping[str, str], shapes: Mapping[str, Shape], *, others: Iterable[str] = ()
) -> dict[str, object]:
    """Values by field of the variables with the prefix; an empty one counts as not set.

    Args:
        environ: such as ``os.environ``.
        shapes: the fields.
        others: variables with the prefix that are no settings, in full.

    Raises:
        SettingsError: a variable with the prefix is no setting.
    """
    values: dict[str, object] = {}
    for variable, value in environ.items():
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable in others:
            continue
        name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
        place = f"the environment, {variable}"
        if name not in shapes or variable != variable.upper():
            if _is_from_kubernetes(variable, value):
                continue
            raise _unknown(place, name, shapes, prefix=ENVIRONMENT_PREFIX)
        if value.strip():
            values[name] = _shaped(name, value, shapes[name], place)
    return values


def from_file(path: Path, shapes: Mapping[str, Shape]) -> dict[str, object]:
    """Values by field of a TOML file.

    Raises:
        SettingsError: the file can't be read, is no TOML, or has a key that is no setting.
    """
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
    values: dict[str, object] = {}
    for name, value in document.items():
        place = f"the file {path}"
        if name not in shapes:
            raise _unknown(place, name, shapes)
        values[name] = _shaped(name, value, shapes[name], place)
    return values


def _is_from_kubernetes(variable: str, value: str) -> bool:
    if _KUBERNETES_NAME.search(variable):
        return True
    return variable.endswith("_PORT") and bool(_KUBERNETES_PORT.match(value))


def _shaped(name: str, value: object, shape: Shape, place: str) -> object:
    """``value`` in the form that the field wants; single values are left to its validation."""
    if shape == "list":
        return _as_list(name, value, place)
    if shape == "table":
        return _as_table(name, value, place)
    if isinstance(value, (list, tuple, Mapping)):
        raise SettingsError(f"{name} takes one value, not several: correct it in {place}")
    return value


def _as_list(name: str, value: object, place: str) -> list[str]:
    parts = value if isinstance(value, (list, tuple)) else [value]
    items: list[str] = []
    for part in parts:
        if not isinstance(part, str):
            raise SettingsError(
                f"{name} takes strings, not {type(part).__name__}: correct it in {place}"
            )
        items.extend(item.strip() for item in part.split(",") if item.strip())
    return items


def _as_table(name: str, value: object, place: str) -> dict[str, str]:
    if isinstance(value, Mapping):
        return {str(key): _as_text(f"{name}.{key}", item, place) for key, item in value.items()}
    parts = value if isinstance(value, (list, tuple)) else [value]
    table: dict[str, str] = {}
    for part in parts:
        pairs = _NEXT_PAIR.split(part) if isinstance(part, str) else []
        for pair in pairs or [""]:
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


def _unknown(
    place: str, name: str, shapes: Mapping[str, Shape], *, prefix: str = ""
) -> SettingsError:
    """The error for a name that is no setting, with the nearest one that is."""
    near = difflib.get_close_matches(name.lower().replace("-", "_"), shapes, n=1, cutoff=0.5)
    suggestion = (prefix + near[0]).upper() if prefix and near else "".join(near)
    hint = f"did you mean {suggestion}?" if near else "`stream-detector settings` lists them all"
    return SettingsError(f"{name!r} in {place} is no setting: {hint}")
