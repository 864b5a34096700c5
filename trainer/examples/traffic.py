"""Types of ordinary traffic: front page, asset, tracker, update, private address...

The rules read the canonical text alone, and are short enough to be printed with the figures that
they group. They sort the benign rows of a report; no model sees them.
"""

import re
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from stream_detector.canonical import registered_domain
from stream_detector.events import Kind
from trainer.examples.private_hosts import is_private
from trainer.examples.texts import TextParts, take_apart

_LONG_QUERY_CHARACTERS = 80

_FEED_WORDS = frozenset({"feed", "feeds", "rss", "atom"})
_UPDATE_WORDS = frozenset(
    {"download", "downloads", "dl", "update", "updates", "windowsupdate", "mirror", "mirrors"}
    | {"archive", "releases", "repo", "packages", "registry"}
)
_ASSET_WORDS = frozenset(
    {"cdn", "static", "assets", "asset", "img", "image", "images", "media", "fonts", "js", "css"}
    | {"cloudfront", "akamaized", "akamai", "edgecastcdn", "fastly", "gstatic", "cdnjs", "jsdelivr"}
    | {"fbcdn", "twimg", "ytimg", "azureedge", "bootstrapcdn", "unpkg", "thumbs", "video"}
)
_TRACKER_WORDS = frozenset(
    {"ad", "ads", "adserver", "adservice", "adx", "rtb", "bid", "prebid", "sync", "usersync"}
    | {"track", "tracker", "tracking", "pixel", "beacon", "collect", "collector", "impression"}
    | {"analytics", "metrics", "telemetry", "stats", "tag", "tags", "pagead", "doubleclick"}
    | {"googlesyndication", "googletagmanager", "google-analytics", "scorecardresearch", "adnxs"}
    | {"adform", "criteo", "taboola", "outbrain", "rubiconproject", "pubmatic", "hotjar"}
)
_LOGIN_WORDS = frozenset(
    {"login", "logon", "signin", "sign-in", "log-in", "signup", "sign-up", "register", "account"}
    | {"accounts", "myaccount", "auth", "oauth", "oauth2", "sso", "saml", "password", "session"}
    | {"forgot-password", "reset-password"}
)
_LOGIN_HOST_WORDS = _LOGIN_WORDS | {"my", "id", "secure"}
"""In a path the added words are as often a language or a title."""
_API_WORDS = frozenset({"api", "apis", "graphql", "rest", "rpc", "oembed", "gateway", "endpoint"})
_MAIL_WORDS = frozenset({"mail", "smtp", "imap", "pop", "pop3", "mx", "webmail", "autodiscover"})

_FEED_ENDINGS = frozenset({"rss", "atom", "rdf"})
_API_ENDINGS = frozenset({"json", "xml", "pb", "asmx", "svc"})
_ASSET_ENDINGS = frozenset(
    {"js", "mjs", "css", "map", "woff", "woff2", "ttf", "otf", "eot", "ico", "svg", "png", "jpg"}
    | {"jpeg", "gif", "webp", "avif", "bmp", "mp3", "mp4", "m4a", "webm", "m3u8", "ts", "mpd"}
    | {"swf", "vtt", "wasm"}
)
_UPDATE_ENDINGS = frozenset(
    {"exe", "msi", "msix", "msu", "cab", "zip", "7z", "rar", "gz", "tgz", "xz", "bz2", "zst"}
    | {"deb", "rpm", "apk", "dmg", "pkg", "iso", "img", "jar", "whl", "nupkg", "crx", "xpi", "bin"}
    | {"appimage", "psf", "esd"}
)

_VERSION = re.compile(r"v[0-9]{1,2}")
_TOKEN = re.compile(
    r"(?<![0-9A-Za-z])(?:"
    r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"  # a UUID
    r"|(?=[0-9A-Fa-f]*[0-9])[0-9A-Fa-f]{16,}"
    r"|(?=[0-9]*[A-Za-z])(?=[A-Za-z]*[0-9])[0-9A-Za-z]{20,}"
    r")(?![0-9A-Za-z])"
)
_ADDRESS = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}|\[.*\]")
_MACHINE = re.compile(r"[0-9]{1,3}(?:[.\-][0-9]{1,3}){3}")


class TrafficType(NamedTuple):
    """One type of traffic."""

    name: str
    rule: str
    """The rule in words, for a reader of figures."""
    matches: Callable[[TextParts], bool]


def _host_has(parts: TextParts, words: Collection[str]) -> bool:
    """Whether one of ``words`` is a label of the host, or a part of one between hyphens."""
    return any(
        label in words or any(word.rstrip("0123456789") in words for word in label.split("-"))
        for label in parts.labels[:-1]
    )


def _path_has(parts: TextParts, words: Collection[str]) -> bool:
    """Whether one of ``words`` is a segment of the path, with or without its extension."""
    segments = parts.path.lower().split("/")
    return any(segment.partition(".")[0] in words for segment in segments)


def _ends_in(parts: TextParts, endings: Collection[str]) -> bool:
    name, dot, ending = parts.path.lower().rpartition("/")[2].rpartition(".")
    return bool(name and dot) and ending in endings


def _has_version(parts: TextParts) -> bool:
    return any(_VERSION.fullmatch(segment) for segment in parts.path.lower().split("/"))


def _is_address(parts: TextParts) -> bool:
    return _ADDRESS.fullmatch(parts.host) is not None


OTHER = {"url": "other page", "host": "other name"}
"""The type of a text that no rule matches."""

_URL_TYPES: Sequence[TrafficType] = (
    TrafficType(
        "private address or name",
        "an address that no public host has, a single label, .local, .lan, .internal, .corp...",
        lambda parts: is_private(parts.host),
    ),
    TrafficType(
        "front page",
        "a host alone, without path and query",
        lambda parts: not parts.path and not parts.query,
    ),
    TrafficType(
        "feed",
        "feed, rss or atom as a segment, or as the path's extension",
        lambda parts: _path_has(parts, _FEED_WORDS) or _ends_in(parts, _FEED_ENDINGS),
    ),
    TrafficType(
        "download or update",
        "the extension of a program, package or archive; download, update, mirror... in the host "
        "or as a segment",
        lambda parts: (
            _ends_in(parts, _UPDATE_ENDINGS)
            or _host_has(parts, _UPDATE_WORDS)
            or _path_has(parts, _UPDATE_WORDS)
        ),
    ),
    TrafficType(
        "tracker or advertising",
        "ad, track, pixel, collect, analytics, sync... in the host or as a segment",
        lambda parts: _host_has(parts, _TRACKER_WORDS) or _path_has(parts, _TRACKER_WORDS),
    ),
    TrafficType(
        "static asset or CDN",
        "the extension of a script, style, font, picture or medium; cdn, static, img... in the "
        "host",
        lambda parts: _ends_in(parts, _ASSET_ENDINGS) or _host_has(parts, _ASSET_WORDS),
    ),
    TrafficType(
        "login or account",
        "login, account, password, oauth... in the host or as a segment",
        lambda parts: _host_has(parts, _LOGIN_HOST_WORDS) or _path_has(parts, _LOGIN_WORDS),
    ),
    TrafficType(
        "API",
        "api, graphql, rest... in the host or as a segment, v1 to v99 as a segment, .json, .xml",
        lambda parts: (
            _host_has(parts, _API_WORDS)
            or _path_has(parts, _API_WORDS)
            or _has_version(parts)
            or _ends_in(parts, _API_ENDINGS)
        ),
    ),
    TrafficType(
        "token or identifier",
        "a UUID, 16 hexadecimal digits or 20 mixed letters and digits in path or query",
        lambda parts: _TOKEN.search(f"{parts.path}?{parts.query}") is not None,
    ),
    TrafficType(
        "long query",
        f"a query of {_LONG_QUERY_CHARACTERS} characters or more",
        lambda parts: len(parts.query) >= _LONG_QUERY_CHARACTERS,
    ),
    TrafficType("public address", "an IP address as host", _is_address),
)

_HOST_TYPES: Sequence[TrafficType] = (
    _URL_TYPES[0],
    TrafficType("public address", "an IP address", _is_address),
    TrafficType(
        "registered domain",
        "a registered domain itself (canonical form has no www.)",
        lambda parts: registered_domain(parts.host) == parts.host,
    ),
    TrafficType(
        "machine by its address",
        "four numbers of an IPv4 address in the name",
        lambda parts: _MACHINE.search(parts.host) is not None,
    ),
    TrafficType(
        "tracker or advertising",
        "ad, track, pixel, collect, analytics, sync... in a label",
        lambda parts: _host_has(parts, _TRACKER_WORDS),
    ),
    TrafficType(
        "download or update",
        "download, update, mirror, repo... in a label",
        lambda parts: _host_has(parts, _UPDATE_WORDS),
    ),
    TrafficType(
        "static asset or CDN",
        "cdn, static, img... in a label",
        lambda parts: _host_has(parts, _ASSET_WORDS),
    ),
    TrafficType("API", "api, rest, gateway... in a label", lambda p: _host_has(p, _API_WORDS)),
    TrafficType(
        "mail", "mail, smtp, autodiscover... in a label", lambda p: _host_has(p, _MAIL_WORDS)
    ),
    TrafficType(
        "login or account",
        "login, account, auth, my... in a label",
        lambda parts: _host_has(parts, _LOGIN_HOST_WORDS),
    ),
    TrafficType(
        "token or identifier",
        "a UUID, 16 hexadecimal digits or 20 mixed letters and digits in a label",
        lambda parts: _TOKEN.search(parts.host) is not None,
    ),
)

TRAFFIC_TYPES: dict[Kind, Sequence[TrafficType]] = {"url": _URL_TYPES, "host": _HOST_TYPES}
"""By kind, in the order in which they are tried."""


def traffic_type(text: str, kind: Kind) -> str:
    """The name of the first of ``TRAFFIC_TYPES[kind]`` that matches, or ``OTHER``."""
    parts = take_apart(text)
    return next((one.name for one in TRAFFIC_TYPES[kind] if one.matches(parts)), OTHER[kind])
