"""Which metrics an expression of PromQL asks for."""

import re

__all__ = ["metric_names", "selectors"]

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_WORDS = {"and", "or", "unless", "bool", "offset", "group_left", "group_right", "inf", "nan"}
_GROUPING = re.compile(
    r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", re.IGNORECASE
)
_LABELS = re.compile(r"\{[^{}]*\}")
_RANGE = re.compile(r"\[[^\]]*\]")
_OFFSET = re.compile(r"\boffset\s+\w+")
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"' + r"|'(?:[^'\\]|\\.)*'")
_NUMBER = re.compile(r"(?<![\w:])\d[\w.]*(?:[eE][-+]?\d+)?")


def metric_names(expression: str) -> set[str]:
    """Names in ``expression`` that are neither functions nor words of the language.

    >>> sorted(metric_names('sum by (topic) (rate(a_total{b="c"}[5m])) / on (topic) d:e > 1e3'))
    ['a_total', 'd:e']
    """
    bare = _TEXT.sub("", expression)
    for part in (_LABELS, _RANGE, _GROUPING, _OFFSET, _NUMBER):
        bare = part.sub(" ", bare)
    # An aggregation may have had its labels between its name and its parenthesis.
    names = re.findall(rf"{_NAME}(?!\s*\(|[\w:])", bare)
    return {name for name in names if name.lower() not in _WORDS}


def selectors(expression: str) -> set[str]:
    """The metrics of ``expression`` as it selects them, with labels and without range.

    >>> sorted(selectors('rate(a_total{b="c"}[5m]) > d'))
    ['a_total{b="c"}', 'd']
    """
    names = metric_names(expression)
    found = re.findall(rf"(?<![\w:])({_NAME})(\{{[^{{}}]*\}})?", expression)
    return {name + labels for name, labels in found if name in names}
