"""All log formats by name, in the order in which they are asked to recognise a line."""

from collections.abc import Mapping, Sequence

from stream_detector.errors import SettingsError
from stream_detector.sources.base import Source
from stream_detector.sources.dnsmasq import Dnsmasq
from stream_detector.sources.formats.access_log import AccessLog
from stream_detector.sources.formats.aws_load_balancer import AwsLoadBalancer
from stream_detector.sources.formats.bind import Bind
from stream_detector.sources.formats.cef_event import Cef
from stream_detector.sources.formats.check_point import CheckPoint
from stream_detector.sources.formats.cisco_firewall import CiscoFirewall
from stream_detector.sources.formats.dns_servers import CoreDns, KnotResolver, PowerDns
from stream_detector.sources.formats.envoy import Envoy
from stream_detector.sources.formats.fortigate import FortiGate
from stream_detector.sources.formats.haproxy import HaProxy
from stream_detector.sources.formats.huawei_usg import HuaweiUsg
from stream_detector.sources.formats.juniper_srx import JuniperSrx
from stream_detector.sources.formats.key_value_log import KeyValue
from stream_detector.sources.formats.leef_event import Leef
from stream_detector.sources.formats.line_format import LineFormat
from stream_detector.sources.formats.meraki import Meraki
from stream_detector.sources.formats.netscaler import NetScaler
from stream_detector.sources.formats.palo_alto import PaloAlto
from stream_detector.sources.formats.skyhigh import Skyhigh
from stream_detector.sources.formats.sonicwall import SonicWall
from stream_detector.sources.formats.sophos import Sophos
from stream_detector.sources.formats.sysmon_xml import SysmonXml
from stream_detector.sources.formats.umbrella import Umbrella
from stream_detector.sources.formats.unbound import Unbound
from stream_detector.sources.formats.w3c_log import W3c
from stream_detector.sources.formats.watchguard import WatchGuard
from stream_detector.sources.formats.windows_dns import WindowsDns
from stream_detector.sources.json_objects import JSON_SOURCES
from stream_detector.sources.plain import Plain
from stream_detector.sources.squid import Squid
from stream_detector.sources.suricata import SuricataAlerts
from stream_detector.sources.zeek_tsv import zeek_log_path

_OF_PAIRS: tuple[LineFormat, ...] = (
    FortiGate(),
    Cef(),
    Leef(),
    Sophos(),
    CiscoFirewall(),
    CheckPoint(),
    SonicWall(),
    Meraki(),
    JuniperSrx(),
    WatchGuard(),
)
"""Products that write pairs of names and values, each in a way of its own."""

FORMATS: tuple[LineFormat, ...] = (
    *_OF_PAIRS,
    PaloAlto(),
    AccessLog(),
    Bind(),
    Unbound(),
    HuaweiUsg(),
    NetScaler(),
    WindowsDns(),
    PowerDns(),
    CoreDns(),
    KnotResolver(),
    W3c(),
    Umbrella(),
    Skyhigh(),
    SysmonXml(),
    AwsLoadBalancer(),
    Envoy(),
    HaProxy(),
    KeyValue(source.starts for source in _OF_PAIRS),
)
"""Text formats in the order in which they are asked; no line is of two of them."""


SOURCES: Mapping[str, Source] = {
    source.name: source
    for source in (
        *JSON_SOURCES,
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
