"""Allow and deny lists: domains, hosts and URLs whose verdict needs no model."""

import re
from collections.abc import Iterable
from pathlib import Path

from stream_detector.canonical import canonicalise, kind_of
from stream_detector.errors import SettingsError
from stream_detector.events import Canonical, Rejected

__all__ = ["HostList"]

_EXACT_URL = 1_000
"""Specificity of an exact URL: more than the labels that DNS allows a host name."""

_COMMENT = re.compile(r"(^|\s)#.*$")
"""A ``#`` that begins a line or follows white space; inside a URL it begins a fragment."""


class HostList:
    """Domains, hosts and URLs, held in canonical form.

    A domain or host, with or without a leading ``*.``, matches itself and all its subdomains, be
    it seen alone or in a URL. A URL matches the same canonical URL only. Of several matching
    entries the most specific counts: a URL before a host, a longer host before a shorter one.
    """

    def __init__(self, entries: Iterable[Canonical]) -> None:
        entries = list(entries)
        self._urls = frozenset(entry.text for entry in entries if entry.kind == "url")
        self._hosts = frozenset(entry.host for entry in entries if entry.kind == "host")

    def __len__(self) -> int:
        return len(self._urls) + len(self._hosts)

    @classmethod
    def load(cls, path: Path) -> "HostList":
        """Read a UTF-8 file: one entry a line; blank lines and ``#`` comments are skipped.

        Raises:
            SettingsError: the file can't be read, or a line is no domain, host or URL.
        """
        try:
            lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").splitlines()
        except OSError as error:
            raise SettingsError(
                f"the list {path} can't be read ({error.strerror}): check the path and its rights"
            ) from error
        entries = (_entry(line, f"{path}, line {n}") for n, line in enumerate(lines, start=1))
        return cls(entry for entry in entries if entry is not None)

    def specificity(self, canonical: Canonical) -> int:
        """How specific the entry is that matches ``canonical``: 0 for none, more is closer."""
        if canonical.kind == "url" and canonical.text in self._urls:
            return _EXACT_URL
        labels = canonical.host.split(".")
        for dropped in range(len(labels)):
            if ".".join(labels[dropped:]) in self._hosts:
                return len(labels) - dropped
        return 0


def _entry(line: bytes, place: str) -> Canonical | None:
    """The canonical form of one line; None where it holds no entry."""
    try:
        text = _COMMENT.sub("", line.decode()).strip()
    except UnicodeDecodeError as error:
        raise SettingsError(f"{place}: not UTF-8; save the list as UTF-8") from error
    if not text:
        return None
    canonical = canonicalise(kind_of(text), text)
    if isinstance(canonical, Rejected):
        raise SettingsError(
            f"{place}: {text[:80]!r} is no domain, host or URL ({canonical.detail}); "
            "write one a line"
        )
    return canonical
