"""``key=value`` pairs: FortiGate, Sophos, SonicWall, WatchGuard, Zscaler, logfmt, and many more.

A value is a word, or quoted with ``"`` or ``'``; within double quotes a backslash escapes one
character. Where products do not escape (``path="C:\\"``), the quote that white space follows ends
the value. Check Point writes ``key:"value"; key:"value"``, or ``key=value|key=value``.
"""

import re

_PAIRS = re.compile(r'([^\s="]++)(?:=("[^"]*+"|[^\s"]*+))?+')
"""Enough for most lines: no escaped quote, no single quotes. A word that is no pair becomes a key
without a value."""
_END = r"(?=[\s,;|)\]]|$)"
_PAIRS_WITH_ESCAPES = re.compile(
    r'([^\s="]++)'
    rf'(?:=("(?:[^"\\]|\\.)*+"{_END}|"[^"]*+"{_END}|\'[^\']*+\'{_END}|[^\s"\'][^\s"]*+|(?=\s|$)))?'
)
_DELIMITED_PAIRS = {
    delimiter: re.compile(
        rf'([^\s="{delimiter}]++)(?: ?='
        rf'("(?:[^"\\]|\\.)*+"(?=\s*(?:{delimiter}|$))|[^{delimiter}]*+))?+'
    )
    for delimiter in (",", ";", r"\|", r"\t")
}
_COLON_PAIRS = re.compile(r'(?<![\w\-])([A-Za-z_][\w\-]{0,127}+):+"((?:[^"\\]|\\.)*+)"')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def pairs_of(text: str) -> dict[str, str]:
    """The pairs, the first of those with the same key.

    Values keep their quotes, since few of them are looked at: ``plain`` takes them off.
    """
    has_escapes = '\\"' in text or "='" in text
    found = (_PAIRS_WITH_ESCAPES if has_escapes else _PAIRS).findall(text)
    # The first of equal keys: those behind it may come from a value with a quote in it.
    found.reverse()
    return dict(found)


def delimited_pairs_of(text: str, delimiter: str) -> dict[str, str]:
    """The pairs of ``key=value,key="value"``, with their quotes.

    Args:
        text: the pairs.
        delimiter: a comma, semicolon, bar or tab.
    """
    pattern = _DELIMITED_PAIRS[{"|": r"\|", "\t": r"\t"}.get(delimiter, delimiter)]
    found = pattern.findall(text)
    found.reverse()
    return dict(found)


def plain(value: str | None) -> str | None:
    """A value without its quotes and escapes."""
    if value is None or len(value) < 2:
        return value
    first = value[0]
    if first == '"' and value[-1] == first:
        value = value[1:-1]
        return _ESCAPED.sub(r"\1", value) if '\\"' in value else value
    return value[1:-1] if first == "'" and value[-1] == first else value


def colon_pairs_of(text: str) -> dict[str, str]:
    """The pairs of ``key:"value"; key:"value"``, without quotes and escapes."""
    return _unescaped(_COLON_PAIRS.findall(text), text)


def _unescaped(found: list[tuple[str, str]], text: str) -> dict[str, str]:
    found.reverse()
    if "\\" not in text:
        return dict(found)
    return {key: _ESCAPED.sub(r"\1", value) for key, value in found}
