"""Allow and deny lists: domains, hosts, URLs and networks whose verdict needs no model."""

from collections.abc import Iterable
from pathlib import Path

from stream_detector.canonical import is_address
from stream_detector.events import Canonical
from stream_detector.policy.list_entries import Entry, entry_of, read_list
from stream_detector.policy.networks import Networks

_URL = 1_000
"""Specificity of a URL, whose length is added to it: more than that of any host or network."""
_ADDRESS = 200
"""Specificity of one address: more than the bits of a network's prefix."""


class HostList:
    """Domains, hosts, URLs and networks, held in canonical form.

    - A domain or host, with or without a leading ``*.``, matches itself and all its subdomains,
      also in URLs. A public suffix does so where it is written ``suffix:``.
    - A URL matches itself and everything below its path, with any query, on the same host; a URL
      with a query matches only itself.
    - A network matches the addresses in it.

    Of several matching entries the most specific counts: a URL before a host, a longer path or
    host before a shorter one, an address before a network, a smaller network before a larger one.
    """

    def __init__(self, entries: Iterable[Entry]) -> None:
        entries = list(entries)
        named = [entry for entry in entries if isinstance(entry, Canonical)]
        urls = [entry.text for entry in named if entry.kind == "url"]
        self._exact_urls = frozenset(url for url in urls if "?" in url)
        self._paths = frozenset(url.rstrip("/") for url in urls if "?" not in url)
        self._sites = frozenset(path.partition("/")[0] for path in self._paths)
        self._segments_max = max((path.count("/") for path in self._paths), default=0)
        self._hosts = frozenset(entry.host for entry in named if entry.kind == "host")
        self._networks = Networks(entry for entry in entries if not isinstance(entry, Canonical))

    def __len__(self) -> int:
        names = len(self._exact_urls) + len(self._paths) + len(self._hosts)
        return names + len(self._networks)

    @classmethod
    def load(cls, path: Path) -> "HostList":
        """Read a UTF-8 file: one entry a line; blank lines and ``#`` comments are skipped.

        Raises:
            SettingsError: the file can't be read, or a line is not a valid entry.
        """
        return cls(entry_of(text, place) for text, place in read_list(path))

    def specificity(self, canonical: Canonical) -> int:
        """How specific the entry is that matches ``canonical``: 0 for none, more is closer."""
        if canonical.kind == "url" and (self._paths or self._exact_urls):
            length = self._length_of_url(canonical.text)
            if length:
                return _URL + length
        host = canonical.host
        if is_address(host):
            if host in self._hosts:
                return _ADDRESS
            prefix = self._networks.longest_prefix(host) if self._networks else None
            return 0 if prefix is None else 1 + prefix
        labels = host.split(".")
        for dropped in range(len(labels)):
            if ".".join(labels[dropped:]) in self._hosts:
                return len(labels) - dropped
        return 0

    def _length_of_url(self, text: str) -> int:
        """Characters of the longest URL that matches ``text``; 0 for none."""
        if text in self._exact_urls:
            return len(text)
        path, _, _ = text.partition("?")
        if path.partition("/")[0] not in self._sites:
            return 0
        # Only as deep as the deepest entry: a path may have thousands of segments.
        segments = path.rstrip("/").split("/", self._segments_max + 1)
        path = "/".join(segments[: self._segments_max + 1])
        while path not in self._paths:
            path, slash, _ = path.rpartition("/")
            if not slash:
                return 0
        return len(path)
