"""One canonical form of a URL and of a host name, the same for training and for serving.

A model that saw ``http://www.`` on one side only learns the format, not the task. The rules
(``CANONICAL_FORM_VERSION`` changes with any of them):

- The parser follows the WHATWG URL Standard (https://url.spec.whatwg.org/), as browsers do: host in
  lower case and punycode, IPv4 in octal, hex or full width made plain, dot segments resolved,
  backslashes turned, control and non-ASCII characters percent-encoded. Input without a scheme
  counts as ``http``; a number after its first colon is a port.
- Dropped: the scheme; ports 80 and 443 with any scheme, and the scheme's own default port; a path
  ``/``; an empty query; user name and password (noted); the fragment (noted); at the host's start
  ``*.`` (noted) and ``www.`` (while a registered domain remains); at its end the root's dot.
- ``&amp;`` in path and query, left by careless extraction from HTML, becomes ``&`` (noted).
- Refused: what the parser refuses; schemes other than http, https, ftp, ws and wss; hosts longer
  than DNS allows (253, RFC 1035) or with an empty label; more than 64 KiB, before or after.
- An IPv6 address that stands for an IPv4 address becomes that address: mapped (``::ffff:0:0/96``),
  NAT64 (``64:ff9b::/96``, RFC 6052) and 6to4 (``2002::/16``, RFC 3056).
- A host name loses its port; one with a path or user name is refused. Names of letters, digits,
  ``-`` and ``_`` stay as they are, also in URLs, even where a label is invalid punycode: browsers
  refuse such names, but DNS resolves them, programs fetch from them, and logs contain them.

The form is printable ASCII and idempotent: the canonical form of a canonical text is that text.
"""

import re
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network

import can_ada
from publicsuffixlist import PublicSuffixList

from stream_detector.events import Canonical, Kind, Rejected, RejectReason

CANONICAL_FORM_VERSION = 1

TEXT_LENGTH_MAX = 65_536
"""Characters; longer input is refused unparsed."""

_HOST_LENGTH_MAX = 253
_REGISTERED_DOMAINS_REMEMBERED = 65_536
_NETWORK_SCHEMES = frozenset({"http", "https", "ftp", "ws", "wss"})
_SCHEMES_WITH_AT_SIGN = frozenset(
    {"acct", "data", "im", "javascript", "mailto", "sip", "sips", "sms", "tel", "urn", "xmpp"}
)
"""In these, what precedes the ``@`` is not a user name and password."""

_EDGES = "".join(map(chr, range(0x21))) + "\ufeff"
"""WHATWG strips C0 controls and space from both ends; this adds the byte-order mark."""

_LINE_BREAKS = str.maketrans("", "", "\t\n\r")
"""WHATWG drops these anywhere in a URL; left in, they would hide a scheme."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):(?![0-9]+(?:[/?#\\]|$))")
_AUTHORITY = re.compile(r"[^/?#\\]*")
_ESCAPED_AMPERSAND = re.compile(r"&(?:amp;)+")
_PORT = re.compile(r":[0-9]{0,5}$")
_NO_HOST_CHARACTER = re.compile(r"[\s/?#@\\\x00-\x1f\x7f]")
_URL_CHARACTER = re.compile(r"[/?#@\\:]")
_BARE_IPV6 = re.compile(r"[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*|\[[^\]]*\]")

_UP_TO_HOST_END = re.compile(
    r"([A-Za-z]+://(?:[^/?#\\]*@)?+)([A-Za-z0-9_\-.]{1,254}+)(?=[:/?#\\]|$)"
)
"""Up to the end of a host that DNS could hold, with the root's dot."""

# A last label that starts with a digit may make it an IPv4 address, which the parser decides.
_DNS_NAME = re.compile(r"(?:[a-z0-9_\-]+\.)*[a-z_][a-z0-9_\-]*")

_WITH_IPV4 = tuple(map(IPv6Network, ("::ffff:0:0/96", "64:ff9b::/96", "2002::/16")))
"""Networks whose addresses hold an IPv4 address right behind the prefix."""
_ADDRESSES_REMEMBERED = 4_096

_public_suffixes = PublicSuffixList()


def canonicalise(kind: Kind, text: str) -> Canonical | Rejected:
    """The canonical form of ``text`` read as ``kind``."""
    return canonical_url(text) if kind == "url" else canonical_host(text)


def canonical_url(text: str) -> Canonical | Rejected:
    """The canonical form of a URL; never raises, linear in the length of ``text``."""
    trimmed = _trim(text)
    if not isinstance(trimmed, str):
        return trimmed
    href = _serialised(trimmed)
    if not isinstance(href, str):
        return href
    parsed_host, port, rest, notes = _take_apart(href)
    host = _plain_host(parsed_host)
    if host is None:
        return Rejected(RejectReason.INVALID_URL, "no host name that DNS could hold")
    if _lost_wildcard(parsed_host, host):
        notes = (*notes, "wildcard")
    canonical = host if port in {"", "80", "443"} else f"{host}:{port}"
    if rest != "/":
        canonical += rest
    if len(canonical) > TEXT_LENGTH_MAX:  # Percent-encoding makes up to 12 characters of one.
        return _too_long(canonical)
    return Canonical("url", canonical, host, registered_domain(host), notes)


def canonical_host(text: str) -> Canonical | Rejected:
    """The canonical form of a host name or IP address; never raises."""
    trimmed = _trim(text)
    if not isinstance(trimmed, str):
        return trimmed
    name = trimmed.lower()
    # The parser returns such a name unchanged, or refuses it for its punycode.
    parsed_host = name if _DNS_NAME.fullmatch(name) else _parsed_host(trimmed)
    if not isinstance(parsed_host, str):
        return parsed_host
    host = _plain_host(parsed_host)
    if host is None:
        return Rejected(RejectReason.INVALID_HOST, "no host name that DNS could hold")
    notes = ("wildcard",) if _lost_wildcard(parsed_host, host) else ()
    return Canonical("host", host, host, registered_domain(host), notes)


def kind_of(text: str) -> Kind:
    """``url`` if there is a scheme, port, path, query, fragment or user name, else ``host``."""
    text = text.strip(_EDGES)
    if _URL_CHARACTER.search(text) is None or _BARE_IPV6.fullmatch(text):
        return "host"
    return "url"


def ipv4_within(network: IPv6Network) -> IPv4Network | None:
    """The IPv4 network that ``network`` stands for; None if there is none."""
    for prefix in _WITH_IPV4:
        if network.subnet_of(prefix):
            shift = 128 - 32 - prefix.prefixlen
            address = int(network.network_address) >> shift & 0xFFFF_FFFF
            # 6to4: the bits behind the IPv4 address belong to the site that has it.
            return IPv4Network((address, min(32, network.prefixlen - prefix.prefixlen)))
    return None


def registered_domain(host: str) -> str:
    """Public suffix plus one label (private suffixes count); the host itself if it has none.

    The public-suffix list (https://publicsuffix.org/) comes with the ``publicsuffixlist`` package:
    no look-up uses the network.
    """
    return _private_suffix(host) or host


def is_address(host: str) -> bool:
    """Is ``host``, in canonical form, an IP address?"""
    return host.startswith("[") or host.rpartition(".")[2].isdigit()


def is_public_suffix(name: str) -> bool:
    """Is ``name`` (lower case) on the public-suffix list? Private suffixes count."""
    suffix: str | None = _public_suffixes.publicsuffix(name, accept_unknown=False)
    return suffix == name


@lru_cache(_REGISTERED_DOMAINS_REMEMBERED)
def _private_suffix(host: str) -> str | None:
    """Public suffix plus one label; None for addresses and bare public suffixes."""
    if is_address(host):
        return None
    suffix: str | None = _public_suffixes.privatesuffix(host)
    return suffix


def _trim(text: str) -> str | Rejected:
    if len(text) > TEXT_LENGTH_MAX:
        return _too_long(text)
    return text.strip(_EDGES) or Rejected(RejectReason.EMPTY, "nothing but white space")


def _parse(text: str) -> can_ada.URL:
    """Parse; lone surrogates become U+FFFD, as in the standard's USVString.

    Raises:
        ValueError: the parser refuses ``text``.
    """
    try:
        return can_ada.parse(text)
    except TypeError:
        return can_ada.parse(
            text.encode("utf-16", "surrogatepass").decode("utf-16", errors="replace")
        )


def _serialised(text: str) -> str | Rejected:
    """The URL in the standard's serialised form."""
    with_scheme = _with_scheme(text)
    if with_scheme is None:
        return Rejected(RejectReason.INVALID_URL, "its scheme does not reach for a network host")
    try:
        href: str = _parse(with_scheme).href
    except ValueError:
        href = _serialised_but_for_punycode(with_scheme)
    return href or Rejected(RejectReason.INVALID_URL, "not a URL by the WHATWG standard")


def _serialised_but_for_punycode(text: str) -> str:
    """The serialised form of a URL whose host has a label of invalid punycode; else empty.

    The parser gets an ordinary name in its place, which it leaves unchanged.
    """
    match = _UP_TO_HOST_END.match(text)
    before, name = (match[1], match[2].lower()) if match else ("", "")
    if not name.startswith("xn--") and ".xn--" not in name:
        return ""
    instead = name.replace("xn--", "xn__")
    try:
        href: str = _parse(f"{before}{instead}{text[len(before) + len(name) :]}").href
    except ValueError:
        return ""
    host_end = href.index("/", href.index("://") + 3)
    return href[:host_end].replace(instead, name) + href[host_end:]


def _take_apart(href: str) -> tuple[str, str, str, tuple[str, ...]]:
    """Host, port, path with query, and notes, of a serialised URL.

    The standard (https://url.spec.whatwg.org/#url-serializing) serialises a URL as
    ``scheme://[user[:password]@]host[:port]/[path][?query][#fragment]`` and percent-encodes what
    looks like a delimiter. This is faster than reading each part from the parser.
    """
    authority_start = href.index("://") + 3
    authority_end = href.index("/", authority_start)
    host = href[authority_start:authority_end]
    rest = href[authority_end:]
    port = ""
    notes: tuple[str, ...] = ()
    if "@" in host:
        host = host.rpartition("@")[2]
        notes = ("userinfo",)
    if ":" in host and host[-1] != "]":
        host, _, port = host.rpartition(":")
    if "#" in rest:
        rest, _, fragment = rest.partition("#")
        if fragment:
            notes = (*notes, "fragment")
    if "&amp;" in rest:
        rest = _ESCAPED_AMPERSAND.sub("&", rest)
        notes = (*notes, "escaped_ampersand")
    if rest[-1] == "?" and rest.index("?") == len(rest) - 1:
        rest = rest[:-1]
    return host, port, rest, notes


def _parsed_host(text: str) -> str | Rejected:
    """The parser's form of a host name or address, without its port."""
    if text.count(":") > 1 and not text.startswith("["):
        text = f"[{text}]"
    elif ":" in text:
        text = _PORT.sub("", text)
    if _NO_HOST_CHARACTER.search(text):
        return Rejected(RejectReason.INVALID_HOST, "a space, path or user name in a host name")
    try:
        host: str = _parse(f"http://{text}/").hostname
    except ValueError:
        return Rejected(RejectReason.INVALID_HOST, "not a host name by the WHATWG standard")
    return host


def _with_scheme(text: str) -> str | None:
    """``text`` with a network scheme; None where it has another scheme."""
    if text.startswith(("http://", "https://")):
        return text
    text = text.translate(_LINE_BREAKS)
    match = _SCHEME.match(text)
    if match is None:
        return f"http:{text}" if text.startswith("//") else f"http://{text}"
    scheme = match[1].lower()
    if scheme in _NETWORK_SCHEMES:
        return text
    authority = _AUTHORITY.match(text, match.end())
    if authority and "@" in authority[0] and scheme not in _SCHEMES_WITH_AT_SIGN:
        return f"http://{text}"  # user:password@host
    return None


def _plain_host(host: str) -> str | None:
    """The host without leading ``*.`` or ``www.`` and the root's dot; None if DNS can't hold it."""
    if host.startswith(("[::ffff:", "[64:ff9b::", "[2002:")):
        return _ipv4_of(host)
    host = host.removesuffix(".")
    if not 0 < len(host) <= _HOST_LENGTH_MAX or ".." in host or "." in {host[0], host[-1]}:
        return None
    while host.startswith(("www.", "*.")):
        rest = host.partition(".")[2]
        if host[0] == "w" and _private_suffix(rest) is None:
            break
        host = rest
    return host


@lru_cache(_ADDRESSES_REMEMBERED)
def _ipv4_of(host: str) -> str:
    """The IPv4 address that ``host``, an IPv6 address in brackets, stands for; else ``host``."""
    network = ipv4_within(IPv6Network(host[1:-1]))
    return host if network is None else str(network.network_address)


def _lost_wildcard(parsed_host: str, host: str) -> bool:
    return "*" in parsed_host and parsed_host.count("*") > host.count("*")


def _too_long(text: str) -> Rejected:
    return Rejected(RejectReason.TOO_LONG, f"{len(text)} characters, more than {TEXT_LENGTH_MAX}")
