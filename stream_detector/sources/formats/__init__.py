"""Formats of gateways, firewalls, DNS and web servers in text, one module a product or family.

``FORMATS`` lists them in the order in which they are asked: no line is of two of them.
"""

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
from stream_detector.sources.formats.sonicwall import SonicWall
from stream_detector.sources.formats.sophos import Sophos
from stream_detector.sources.formats.unbound import Unbound
from stream_detector.sources.formats.w3c_log import W3c
from stream_detector.sources.formats.watchguard import WatchGuard
from stream_detector.sources.formats.windows_dns import WindowsDns

FORMATS: tuple[LineFormat, ...] = (
    FortiGate(),
    PaloAlto(),
    Cef(),
    Leef(),
    AccessLog(),
    Bind(),
    Unbound(),
    Sophos(),
    CiscoFirewall(),
    CheckPoint(),
    SonicWall(),
    Meraki(),
    JuniperSrx(),
    WatchGuard(),
    HuaweiUsg(),
    NetScaler(),
    WindowsDns(),
    PowerDns(),
    CoreDns(),
    KnotResolver(),
    W3c(),
    AwsLoadBalancer(),
    Envoy(),
    HaProxy(),
    KeyValue(),
)
