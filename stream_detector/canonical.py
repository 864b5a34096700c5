"""One canonical form of a URL and of a host name, the same for training and for serving.

A model that saw ``http://www.`` on one side only learns the format, not the task. The rules
(``CANONICAL_FORM_VERSION`` changes with any of them):

- Parsed as browsers do, by the WHATWG URL Standard (https://url.spec.whatwg.org/): host in
  lower case and punycode, IPv4 in octal, hex or full width made plain, dot segments resolved,
  backslashes turned, control and non-ASCII characters percent-encoded. Input without a scheme
  is read as ``http``.
- Dropped: the scheme, leading ``www.`` labels (while a registered domain remains), ports 80 and
  443 whatever the scheme and the scheme's own default port, a path that is ``/`` alone, an empty
  query, user name and password (noted), the fragment (noted), dots at the host's end.
- ``&amp;`` in path and query, left by careless extraction from HTML, becomes ``&`` (noted).
- Refused: what the parser refuses, schemes other than http, https, ftp, ws and wss, hosts longer
  than DNS allows (253, RFC 1035) or with an empty label, input longer than 64 KiB.
- A host name may come with a port or a leading ``*.``, both dropped; anything more is refused.

The form is ASCII and idempotent: the canonical form of a canonical text is that text.
"""

import re
from functools import lru_cache

import can_ada
from publicsuffixlist import PublicSuffixList

from stream_detector.events import Canonical, Kind, Rejected, RejectReason

__all__ = [
    "CANONICAL_FORM_VERSION",
    "canonical_host",
    "canonical_url",
    "canonicalise",
    "kind_of",
    "registered_domain",
]

CANONICAL_FORM_VERSION = 1

TEXT_LENGTH_MAX = 65_536
"""Characters; longer input is refused before it is looked at."""

_HOST_LENGTH_MAX = 253
_REGISTERED_DOMAINS_REMEMBERED = 65_536
_NETWORK_SCHEMES = frozenset({"http", "https", "ftp", "ws", "wss"})
_OTHER_SCHEMES = frozenset(
    {"about", "blob", "data", "file", "javascript", "mailto", "sms", "tel", "urn", "view-source"}
)

# What WHATWG strips from both ends: C0 controls and space.
_EDGES = "".join(map(chr, range(0x21)))
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):(?![0-9]+(?:[/?#\\]|$))")
_ESCAPED_AMPERSAND = re.compile(r"&(?:amp;)+")
_PORT = re.compile(r":[0-9]{0,5}$")
_NO_HOST_CHARACTER = re.compile(r"[\s/?#@\\\x00-\x1f\x7f]")
_URL_CHARACTER = re.compile(r"[/?#@\\]|:[0-9]*$")

_public_suffixes = PublicSuffixList()


def canonicalise(kind: Kind, text: str) -> Canonical | Rejected:
    """The canonical form of ``text`` read as ``kind``."""
    return canonical_url(text) if kind == "url" else canonical_host(text)


def canonical_url(text: str) -> Canonical | Rejected:
    """The canonical form of a URL; never raises, linear in the length of ``text``."""
    if len(text) > TEXT_LENGTH_MAX:
        return _too_long(text)
    text = text.strip(_EDGES)
    if not text:
        return Rejected(RejectReason.EMPTY, "no URL")
    with_scheme = _with_scheme(text)
    if isinstance(with_scheme, Rejected):
        return with_scheme
    try:
        url = _parse(with_scheme)
    except ValueError:
        return Rejected(RejectReason.INVALID_URL, "not a URL by the WHATWG standard")
    host = _plain_host(url.hostname)
    if host is None:
        return Rejected(RejectReason.INVALID_URL, "no host name that DNS could hold")
    port = url.port
    path = url.pathname
    query = url.search
    notes: tuple[str, ...] = ()
    if "&amp;" in path or "&amp;" in query:
        path = _ESCAPED_AMPERSAND.sub("&", path)
        query = _ESCAPED_AMPERSAND.sub("&", query)
        notes = ("escaped_ampersand",)
    if url.has_credentials():
        notes = (*notes, "userinfo")
    if url.hash:
        notes = (*notes, "fragment")
    rest = query if path == "/" and not query else path + query
    authority = host if port in {"", "80", "443"} else f"{host}:{port}"
    return Canonical("url", authority + rest, host, registered_domain(host), notes)


def canonical_host(text: str) -> Canonical | Rejected:
    """The canonical form of a host name or IP address; never raises."""
    if len(text) > TEXT_LENGTH_MAX:
        return _too_long(text)
    text = text.strip(_EDGES)
    if not text:
        return Rejected(RejectReason.EMPTY, "no host name")
    notes: tuple[str, ...] = ()
    if text.startswith("*."):
        text = text[2:]
        notes = ("wildcard",)
    if text.count(":") > 1 and not text.startswith("["):
        text = f"[{text}]"
    elif ":" in text:
        text = _PORT.sub("", text)
    if _NO_HOST_CHARACTER.search(text):
        return Rejected(RejectReason.INVALID_HOST, "a host name has no space, path or user name")
    try:
        url = _parse(f"http://{text}/")
    except ValueError:
        return Rejected(RejectReason.INVALID_HOST, "not a host name by the WHATWG standard")
    host = _plain_host(url.hostname)
    if host is None or url.port:
        return Rejected(RejectReason.INVALID_HOST, "no host name that DNS could hold")
    return Canonical("host", host, host, registered_domain(host), notes)


def kind_of(text: str) -> Kind:
    """``url`` if there is a scheme, port, path, query, fragment or user name, else ``host``."""
    text = text.strip(_EDGES)
    if not _URL_CHARACTER.search(text):
        return "host"
    is_bare_ipv6 = text.count(":") > 1 and not re.search(r"[^0-9A-Fa-f:.\[\]]", text)
    return "host" if is_bare_ipv6 and "]:" not in text else "url"


@lru_cache(_REGISTERED_DOMAINS_REMEMBERED)
def registered_domain(host: str) -> str:
    """Public suffix plus one label (private suffixes count); the host itself if it has none.

    From the public-suffix list (https://publicsuffix.org/) that is installed with the
    ``publicsuffixlist`` package: the network is never asked.
    """
    if host.startswith("[") or host[-1:].isdigit():
        return host
    domain: str | None = _public_suffixes.privatesuffix(host)
    return domain or host


def _parse(text: str) -> can_ada.URL:
    """Parse; lone surrogates become U+FFFD, as the standard's USVString has it."""
    try:
        return can_ada.parse(text)
    except TypeError:
        return can_ada.parse(
            text.encode("utf-16", "surrogatepass").decode("utf-16", errors="replace")
        )


def _with_scheme(text: str) -> str | Rejected:
    """``text`` with a scheme that the parser knows; a number after the colon is a port."""
    if text.startswith(("http://", "https://")):
        return text
    match = _SCHEME.match(text)
    if match is None:
        return f"http:{text}" if text.startswith("//") else f"http://{text}"
    scheme = match[1].lower()
    if scheme in _NETWORK_SCHEMES:
        return text
    if scheme in _OTHER_SCHEMES or text.startswith("//", match.end()):
        return Rejected(RejectReason.INVALID_URL, "its scheme does not reach for a network host")
    return f"http://{text}"  # user:password@host


def _plain_host(host: str) -> str | None:
    """The parsed host without ``www.`` and trailing dots; None if DNS could not hold it."""
    if host.endswith("."):
        host = host.rstrip(".")
    if not host or len(host) > _HOST_LENGTH_MAX or ".." in host or host.startswith("."):
        return None
    while host.startswith("www."):
        rest = host[4:]
        if "." not in rest or registered_domain(rest) != registered_domain(host):
            break
        host = rest
    return host


def _too_long(text: str) -> Rejected:
    return Rejected(RejectReason.TOO_LONG, f"{len(text)} characters, more than {TEXT_LENGTH_MAX}")
