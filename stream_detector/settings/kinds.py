"""The kinds of values that settings take, and what all groups of settings share."""

import re
from enum import Enum
from pathlib import Path
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)

VALUE_SHOWN_CHARACTERS = 60
"""Error messages quote this much of a wrong value."""

_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.%\w]+\]|[^\s:/@\[\]]+):[0-9]{1,5}")
_PORT_MAX = 65_535


def _address(value: str) -> str:
    if _ADDRESS.fullmatch(value) and 0 < int(value.rpartition(":")[2]) <= _PORT_MAX:
        return value
    shown = repr(value[:VALUE_SHOWN_CHARACTERS])
    if value.count(":") > 1 and re.fullmatch(r"[0-9A-Fa-f:.]+", value):
        host, _, port = value.rpartition(":")
        raise ValueError(f"{shown}: write an IPv6 address in brackets, such as [{host}]:{port}")
    if "@" in value:  # It may hold a password.
        shown = "one with an @"
    raise ValueError(
        f"entries should be host:port, such as kafka-1.example.com:9092, and not {shown}"
    )


class FileOf(Enum):
    """Marks a setting that names a file; each such file has to be readable."""

    PUBLIC = "public"
    SECRET = "secret"  # noqa: S105 - no log line may hold the content of such a file


Positive = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0)]
Probability = Annotated[float, Field(ge=0, le=1)]
Address = Annotated[str, AfterValidator(_address)]
GivenFile = Annotated[Path | None, FileOf.PUBLIC]
SecretFile = Annotated[Path | None, FileOf.SECRET]


class SettingsGroup(BaseModel):
    """Settings that belong together; the first line of a subclass's docstring is its title."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_default=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )

    @classmethod
    def __pydantic_init_subclass__(cls, **_: object) -> None:
        # Docstrings have line breaks; help pages and TOML comments wrap by their own width.
        for field in cls.model_fields.values():
            field.description = " ".join((field.description or "").split())

    @field_validator("*", mode="before")
    @classmethod
    def _not_blank(cls, value: object, info: ValidationInfo) -> object:
        """Refuse blank text and empty lists, unless that is the field's own default.

        A blank path would be the current folder, and Faust refuses a blank group late.
        """
        default = cls.model_fields[info.field_name or ""].get_default(call_default_factory=True)
        unset = default.get_secret_value() if isinstance(default, SecretStr) else default
        is_blank = value == [] or (isinstance(value, str) and not value.strip())
        if is_blank and value != unset:
            raise ValueError("should not be empty")
        return value
