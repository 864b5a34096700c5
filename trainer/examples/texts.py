"""A canonical text taken apart: host, port, path and query."""

from typing import NamedTuple


class TextParts(NamedTuple):
    """Parts of a canonical URL or host name; a missing part is empty."""

    text: str
    host: str
    """IPv6 addresses in brackets."""
    port: str
    """Without its colon."""
    path: str
    """With its first slash."""
    query: str
    """Without its question mark."""

    @property
    def labels(self) -> list[str]:
        """Of the host, from left to right."""
        return self.host.split(".")


def split_authority(text: str) -> tuple[str, str]:
    """Host with port, and the rest."""
    rest_at = min((place for mark in "/?" if (place := text.find(mark)) >= 0), default=len(text))
    return text[:rest_at], text[rest_at:]


def take_apart(text: str) -> TextParts:
    """Take a canonical text apart; a host name has a host alone."""
    authority, rest = split_authority(text)
    host, port = authority, ""
    if not authority.endswith("]"):
        before, colon, after = authority.rpartition(":")
        if colon:
            host, port = before, after
    path, _, query = rest.partition("?")
    return TextParts(text, host, port, path, query)
