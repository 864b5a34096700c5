"""Files of domains, hosts, URLs and networks: allow and deny lists, and the gate's lists.

An entry that could match nothing, or everything, is refused.
"""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, ip_network
from pathlib import Path

from stream_detector.canonical import (
    canonical_host,
    canonicalise,
    is_address,
    is_public_suffix,
    kind_of,
)
from stream_detector.errors import SettingsError
from stream_detector.events import Canonical, Rejected
from stream_detector.policy.networks import Network, looks_like_network, network_of

Entry = Canonical | Network

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_COMMENT = re.compile(r"(^|\s)#.*$")
"""A ``#`` that begins a line or follows white space; inside a URL it begins a fragment."""
_SUFFIX = "suffix:"

_NETMASK = re.compile(r"([0-9.]+)/([0-9]+(?:\.[0-9]+){3})")
_ADDRESS_PATTERN = re.compile(r"((?:[0-9]{1,3}\.){1,3})\*(?:\.\*)*")
"""``10.1.*``"""
_RANGE = re.compile(r"[0-9]+(?:\.[0-9]+){3}-[0-9.]+")
_HOST_NAME = re.compile(r"[a-z0-9_\-]+(?:\.[a-z0-9_\-]+)*")
_AUTHORITY = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.\-]*:)?(?://)?(?:[^/?#\\]*@)?([^/?#\\:]*)")
_SHOWN_CHARACTERS_MAX = 80


def read_list(path: Path) -> Iterator[tuple[str, str]]:
    """The text of each entry in a UTF-8 file, and its place (file and line) for messages.

    Blank lines and ``#`` comments are skipped.

    Raises:
        SettingsError: the file can't be read, or a line is not UTF-8.
    """
    try:
        lines = path.read_bytes().removeprefix(_BYTE_ORDER_MARK).splitlines()
    except OSError as error:
        raise SettingsError(
            f"the list {path} can't be read ({error.strerror}): check the path and its rights"
        ) from error
    for number, line in enumerate(lines, start=1):
        place = f"{path}, line {number}"
        try:
            text = _COMMENT.sub("", line.decode()).strip()
        except UnicodeDecodeError as error:
            raise SettingsError(f"{place}: not UTF-8; save the list as UTF-8") from error
        if text:
            yield text, place


def entry_of(text: str, place: str) -> Entry:
    """An entry of an allow or deny list in canonical form; ``place`` is for messages.

    Raises:
        SettingsError: it is invalid, or could match nothing or everything.
    """
    try:
        return network_of(text) if looks_like_network(text) else _named(text)
    except ValueError as error:
        shown = text[:_SHOWN_CHARACTERS_MAX]
        raise SettingsError(f"{place}: {shown!r} can't be used: {error}") from None


def _named(text: str) -> Canonical:
    """A domain, host, address or URL.

    Raises:
        ValueError: the message says what to write instead.
    """
    if (network := _as_network(text)) is not None:
        raise ValueError(f"write {network} for the network")
    if _RANGE.fullmatch(text):
        raise ValueError("a range of addresses; write its networks, such as 10.0.0.0/30")
    if text[0] == "/" and not text.startswith("//"):
        raise ValueError("a path or pattern; write a domain, or a URL with its host")
    is_suffix = text.startswith(_SUFFIX)
    name = text.removeprefix(_SUFFIX)
    canonical = canonical_host(name) if is_suffix else canonicalise(kind_of(text), text)
    if isinstance(canonical, Rejected):
        raise ValueError(
            f"it is not a domain, host, URL or network ({canonical.detail}); write one a line"
        )
    _check_host(name, canonical)
    if canonical.kind == "url":
        _check_url(canonical)
    elif not is_suffix and is_public_suffix(canonical.host):
        raise ValueError(
            f"{canonical.host} is a public suffix, so that the entry would match whatever "
            f"anyone has registered under it; write {_SUFFIX}{canonical.host} if it should"
        )
    return canonical


def _as_network(text: str) -> str | None:
    """The network that ``text`` names by a netmask or ``*``."""
    if match := _ADDRESS_PATTERN.fullmatch(text):
        octets = match[1].rstrip(".").split(".")
        address = ".".join([*octets, *["0"] * (4 - len(octets))])
        return f"{address}/{8 * len(octets)}"
    if match := _NETMASK.fullmatch(text):
        try:
            return str(ip_network(f"{match[1]}/{match[2]}", strict=False))
        except ValueError:
            return None
    return None


def _check_host(text: str, canonical: Canonical) -> None:
    host = canonical.host
    if host.startswith("["):
        return
    if is_address(host):
        match = _AUTHORITY.match(text)
        if match is not None and (match[1] != host and match[1] != "" and "[" not in match[1]):
            raise ValueError(
                f"not an address in full, it would be {IPv4Address(host)}; write that, or the "
                "network, such as 10.0.0.0/8"
            )
    elif "*" in host:
        name = host.strip("*.")
        instead = f"write {name}, which has its subdomains" if "." in name else "write a domain"
        raise ValueError(f"* works only as *. at the start; {instead}")
    elif _HOST_NAME.fullmatch(host) is None:
        name = re.sub(r"^[^a-z0-9_]+|[^a-z0-9_]+$", "", host)
        instead = f"write {name}" if _HOST_NAME.fullmatch(name) else "write one domain a line"
        raise ValueError(f"{host!r} is not a host name; {instead}")


def _check_url(canonical: Canonical) -> None:
    if "wildcard" in canonical.notes:
        raise ValueError(
            f"a URL matches only its own host; write {canonical.host} for it and its subdomains, "
            f"or {canonical.text} without *."
        )
    if canonical.text.endswith("*"):
        raise ValueError(
            f"* in a path is a character; write {canonical.text.rstrip('*')}, which has all that "
            "is below it"
        )
