"""Settings that name files: a field's type says that it does, and whether a secret is in it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel

__all__ = ["GivenFile", "SecretFile", "files_of", "secret_files_of"]


@dataclass(frozen=True)
class _File:
    holds_secret: bool


GivenFile = Annotated[Path | None, _File(holds_secret=False)]
"""A file that has to be readable where it is given."""
SecretFile = Annotated[Path | None, _File(holds_secret=True)]
"""Such a file whose content no line of a log may hold."""


def files_of(model: type[BaseModel]) -> tuple[str, ...]:
    """Names of the fields that name a file, in their order."""
    return tuple(name for name, _ in _files(model))


def secret_files_of(model: type[BaseModel]) -> tuple[str, ...]:
    """Names of those whose file holds a secret."""
    return tuple(name for name, file in _files(model) if file.holds_secret)


def _files(model: type[BaseModel]) -> list[tuple[str, _File]]:
    return [
        (name, item)
        for name, field in model.model_fields.items()
        for item in field.metadata
        if isinstance(item, _File)
    ]
