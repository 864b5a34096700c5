"""The W3C's extended log file format: columns that the line ``#Fields:`` names.

https://www.w3.org/TR/WD-logfile: values are separated by white space; one with a space is quoted,
and a quote in it doubled; ``-`` stands for no value.
"""

import re
from collections.abc import Sequence

FIELDS = b"#Fields:"

_VALUES = re.compile(r'"((?:[^"]|"")*+)"(?=\s|$)|(\S+)')


def field_names(header: Sequence[bytes]) -> tuple[str, ...] | None:
    """The names of the last line ``#Fields:`` of a header; None without one."""
    for line in reversed(header):
        if line[:8].lower() == FIELDS.lower():
            return tuple(line[8:].decode(errors="replace").split()) or None
    return None


def values_of(text: str) -> list[str]:
    """The values of a line, without quotes."""
    if "\t" in text and " " in text:
        return [_unquoted(value) for value in text.split("\t")]
    if '"' not in text:
        return text.split()
    return [quoted.replace('""', '"') if quoted else word for quoted, word in _VALUES.findall(text)]


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] == '"':
        return value[1:-1].replace('""', '"')
    return value
