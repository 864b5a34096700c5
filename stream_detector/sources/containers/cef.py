"""ArcSight's Common Event Format: ``CEF:0|vendor|product|version|id|name|severity|key=value ...``.

https://www.microfocus.com/documentation/arcsight/arcsight-smartconnectors/ (Implementing CEF). In
the header a backslash escapes ``|`` and itself, in values also ``=``; ``\\n`` and ``\\r`` are line
breaks. A value ends where a space and the next key follow, so that an unescaped ``=`` in a URL does
no harm.
"""

import re

_HEADER_FIELDS = 7
_NEXT_KEY = re.compile(r"[ \t](?=[A-Za-z0-9_.\-\[\]]{1,128}=)")
_HEADER = re.compile(r"(?:(?:[^|\\]|\\.)*+\|){7}")
_FIELD = re.compile(r"((?:[^|\\]|\\.)*+)\|")
_ESCAPED = re.compile(r"\\([=|\\nr])")
_LINE_BREAKS = {"n": "\n", "r": "\r"}


class CefEvent(dict[str, str]):
    """The extension's values by key, with those of custom fields under their labels as well."""

    __slots__ = ("product", "vendor")

    vendor: str
    product: str


def read_cef(text: str) -> CefEvent | None:
    """The event; None if ``text`` does not start with CEF's header."""
    if "\\" in text:
        match = _HEADER.match(text)
        if match is None:
            return None
        header = [_unescaped(field) for field in _FIELD.findall(match[0])]
        extension = text[match.end() :]
    else:
        header = text.split("|", _HEADER_FIELDS)
        if len(header) <= _HEADER_FIELDS:
            return None
        extension = header[_HEADER_FIELDS]
    if not header[0].startswith("CEF:") or len(header) <= 3:
        return None
    event = CefEvent()
    event.vendor, event.product = header[1], header[2]
    for pair in _NEXT_KEY.split(extension.strip()):
        key, equals, value = pair.partition("=")
        if equals:
            event.setdefault(key, _unescaped(value) if "\\" in value else value.rstrip())
    _name_custom_fields(event)
    return event


def _name_custom_fields(event: CefEvent) -> None:
    """``cs1=x cs1Label=URL`` says that ``URL`` is ``x``."""
    for key in [key for key in event if key[-5:] == "Label"]:
        value = event.get(key[:-5])
        if value is not None:
            event.setdefault(event[key], value)


def _unescaped(value: str) -> str:
    return _ESCAPED.sub(lambda match: _LINE_BREAKS.get(match[1], match[1]), value).rstrip()
