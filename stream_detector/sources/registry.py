"""All log formats by name, in the order in which they are asked to recognise a line."""

from collections.abc import Mapping, Sequence

from stream_detector.errors import SettingsError
from stream_detector.sources.base import Source
from stream_detector.sources.dnsmasq import Dnsmasq
from stream_detector.sources.formats import FORMATS
from stream_detector.sources.plain import Plain
from stream_detector.sources.plain_json import PlainJson
from stream_detector.sources.squid import Squid
from stream_detector.sources.suricata import Suricata, SuricataAlerts
from stream_detector.sources.zeek import ZeekDns, ZeekHttp, ZeekSsl
from stream_detector.sources.zeek_tsv import zeek_log_path

SOURCES: Mapping[str, Source] = {
    source.name: source
    for source in (
        Suricata(),
        ZeekDns(),
        ZeekSsl(),
        ZeekHttp(),
        PlainJson(),
        Squid(),
        Dnsmasq(),
        *FORMATS,
        Plain(),
        SuricataAlerts(),
    )
}
"""Formats by name, in the order in which they are asked to recognise a line; the last only reads
topics for which the settings name it."""


def source_named(name: str) -> Source:
    """The format called ``name``.

    Raises:
        SettingsError: it is unknown; the message lists the formats.
    """
    try:
        return SOURCES[name]
    except KeyError:
        raise SettingsError(f"no log format {name!r}; there are {', '.join(SOURCES)}") from None


def with_header(
    source: Source | None, header: Sequence[bytes], current: Source | None
) -> Source | None:
    """The format of header lines and of the lines after them.

    Args:
        source: the topic's format; None to detect it.
        header: consecutive lines that start with ``#``.
        current: the format of the lines before, which stays if ``header`` is only a comment.
    """
    if source is None and any(line.lower().startswith(b"#fields:") for line in header):
        source = SOURCES["w3c"]
    if source is not None and source.name == "w3c":
        return source.for_record(header)
    path = zeek_log_path(header)
    if path is None:
        return current
    if source is None:
        log = {"dns": "zeek_dns", "ssl": "zeek_ssl", "qui": "zeek_ssl"}.get(path[:3], "zeek_http")
        source = SOURCES[log]
    return source.for_record(header)
