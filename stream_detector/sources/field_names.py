"""The names under which logs of all products have an event's parts, the most telling first.

For containers that tell what their values are (CEF, LEEF, W3C, key=value, CSV with a header): the
formats of single products know their own. Each name stands in its product's documentation; the
comment beside it says which.
"""

import re
from collections.abc import Collection, Iterable, Mapping

from stream_detector.events import Rejected
from stream_detector.sources.base import LineResult
from stream_detector.sources.parts import NOTHING, Parts
from stream_detector.sources.url_syntax import names_target

URL = (
    *("url", "uri", "full_url", "request_url"),  # FortiGate, Sophos, Zscaler, Splunk's CIM
    *("request", "request_client_application_url"),  # CEF, ArcSight
    *("cs-uri", "c-uri", "c-url", "cs-url"),  # W3C extended, Blue Coat
    *("eurl", "requested_url", "target_url", "dest_url", "destination_url", "http_url"),
    *("url_original", "url_full", "http_request_url", "web_url", "site_url"),  # ECS, flattened
    *("resource", "resource_name"),  # Check Point
)
HOST = (
    *("cs-host", "http_host", "request_host", "host_header"),  # W3C extended
    *("dsthost", "dst_host", "dest_host", "destination_host", "dstname", "dst_name"),  # SonicWall
    *("destination_host_name", "dest_hostname", "dst_hostname", "dhost"),  # CEF
    *("dst_domain", "dest_domain", "destination_domain", "url_domain", "target_domain"),  # ECS
    *("server_name", "sni", "tls_sni", "ssl_sni", "tls_server_name", "ssl_server_name"),
    *("tls_client_server_name", "client_hello_sni", "x-cs-certificate-sni"),
    *("web_host", "http_hostname", "url_host", "ehost"),  # Zscaler
)
HOST_OF_REQUEST = ("host", "hostname", "vhost", "authority", "domain", "site")
"""Names of the host only beside a path or a method: elsewhere they name the collector, the device
or the domain of a user."""
NAME = (
    *("qname", "query_name", "dns_query", "dns_query_name", "dns_question_name", "dns_qname"),
    *("dns_req", "dns_request", "dns_domain", "dns_name", "queried_domain", "query_domain"),
    *("question", "question_name", "rrname", "destination_dns_domain"),  # Suricata, CEF
)
PATH = (
    *("path", "url_path", "uri_path", "request_path", "request_uri", "cs-uri-path", "cs-uri-stem"),
    *("arg", "obj", "uri_stem"),  # SonicWall, WatchGuard, Juniper
)
QUERY = ("cs-uri-query", "uri_query", "url_query", "query_string", "args")
METHOD = (
    *("method", "http_method", "request_method", "cs-method", "requestmethod", "op"),
    *("http_request_method", "reqmethod", "verb"),
)
PORT = ("cs-uri-port", "url_port", "dst_port", "dest_port", "dstport", "destination_port", "dpt")
SCHEME = ("cs-uri-scheme", "url_scheme", "scheme", "uri_scheme")
CLIENT = (
    *(
        "client_ip",
        "client_address",
        "c-ip",
        "cip",
        "ip_client",
        "clt_sip",
        "client_src_ip",
    ),  # W3C, Zscaler
    *("src_ip", "source_ip", "source_address", "src_addr", "source_addr", "src"),
    *("remote_addr", "remote_address", "remote_ip", "remote_host", "ip_address", "user_ip"),
    *("orig_h", "x-client-ip", "internal_ip", "local_ip", "peer", "client", "source", "shost"),
    *("fwd", "x_forwarded_for", "initiator_ip", "requester_ip", "src_host", "srchost", "c-dns"),
)
TIME = (
    "@timestamp",
    *("eventtime", "event_time", "timestamp", "time", "datetime", "date_time", "epochtime"),
    *("rt", "dev_time", "start", "end", "log_time", "request_time_iso", "receive_time", "ts", "t"),
    *("_time", "start_time", "time_stamp"),  # Skyhigh's in brackets
)
ID = ("external_id", "event_id", "record_id", "transaction_id", "request_id", "log_uid", "uid")


def spellings(name: str) -> Iterable[str]:
    """``client_ip`` as products write it: ``client-ip``, ``clientIp``, ``ClientIP``, ..."""
    yield from {name, name.upper()}
    words = name.replace("-", "_").split("_")
    for joint in ("_", "-", ".", ""):
        joined = joint.join(words)
        yield from {joined, joined.upper(), joined.capitalize()}
        titled = joint.join(word.capitalize() for word in words)
        yield from {titled, titled[0].lower() + titled[1:]}
    initials = {"ip": "IP", "url": "URL", "uri": "URI", "dns": "DNS", "id": "ID", "http": "HTTP"}
    capitals = [initials.get(word, word.capitalize()) for word in words]
    yield from {"".join(capitals), words[0] + "".join(capitals[1:]), "_".join(capitals)}


_ROLES = {
    "url": URL,
    "host": HOST,
    "host_of_request": HOST_OF_REQUEST,
    "name": NAME,
    "path": PATH,
    "query": QUERY,
    "method": METHOD,
    "port": PORT,
    "scheme": SCHEME,
    "client": CLIENT,
    "time": TIME,
    "log_id": ID,
}
_PLACES: dict[str, tuple[str, int]] = {}
for _role, _names in _ROLES.items():
    for _place, _name in enumerate(_names):
        for _spelling in spellings(_name):
            _PLACES.setdefault(_spelling, (_role, _place))
KNOWN_NAMES = _PLACES.keys()
_is_client = re.compile(r"[\w.:%@\-\[\]\\]+").fullmatch
"""Other products use the same names for files and programs."""

_METHODS = frozenset(
    {"GET", "POST", "HEAD", "PUT", "DELETE", "CONNECT", "OPTIONS", "PATCH", "TRACE", "PROPFIND"}
    | {"PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "SEARCH", "PURGE", "QUERY"}
)
_WEAK = frozenset(
    {"request", "resource", "resource_name", "uri", "server_name", "dns_name", "dns_domain"}
    | {"question", "dns_request", "dns_req"}
)
"""Names that other programs use for other things: they count beside a client or a method."""

_OF_TARGET = frozenset({"url", "host", "name"})
TARGET_NAMES = frozenset(spelling for spelling, (role, _) in _PLACES.items() if role in _OF_TARGET)
"""Names of fields any of which may name what was asked for."""


def _chosen(fields: Mapping[str, str]) -> tuple[dict[str, str], set[str]]:
    """The value of each part, and the parts whose names say little."""
    chosen: dict[str, str] = {}
    places: dict[str, int] = {}
    weak: set[str] = set()
    for name in fields.keys() & KNOWN_NAMES:
        role, place = _PLACES[name]
        if place < places.get(role, 1000) and fields[name] not in NOTHING:
            places[role] = place
            chosen[role] = fields[name]
            weak = weak | {role} if _ROLES[role][place] in _WEAK else weak - {role}
    return chosen, weak


def named_parts(fields: Mapping[str, str]) -> Parts:
    """The parts that the fields have by name; of several names for one part the first with a
    value.
    """
    chosen, weak = _chosen(fields)
    if "request" in fields and chosen.get("url", "")[:1] == "/" and "Host:" in fields["request"]:
        chosen["url"] = fields["request"]  # F5's whole request
    method, client = chosen.get("method"), chosen.get("client")
    if method is not None and method.upper() not in _METHODS:
        del chosen["method"]
    if client is not None and not _is_client(client):
        del chosen["client"]
    if "client" not in chosen and "method" not in chosen:
        for role in weak:
            if "://" not in chosen[role]:
                del chosen[role]
    of_request = chosen.pop("host_of_request", None)
    # A path alone is more often one of a file.
    is_request = "method" in chosen or ("path" in chosen and "client" in chosen)
    if is_request or "url" in chosen:
        if of_request is not None:
            chosen.setdefault("host", of_request)
    elif "host" in chosen and not names_target(chosen["host"]):
        del chosen["host"]  # A device's name rather than one in DNS.
    if "date" in fields and fields.get("time", "")[2:3] == ":":
        zone = fields.get("tz") or fields.get("timezone")
        chosen["time"] = f"{fields['date']} {fields['time']} {zone}" if zone else ""
    elif chosen.get("time", "")[:1] == "[":
        chosen["time"] = chosen["time"].strip("[]")
    elif chosen.get("time", "")[:1].isalpha() and (zone := fields.get("timezone")):
        chosen["time"] = f"{chosen['time']} {zone}"
    return Parts(**chosen)


def named_event(
    texts: Mapping[str, str], numbers: Mapping[str, str], *, without: Collection[str]
) -> LineResult | None:
    """The event of a JSON object of no known product; None where no field of it has a usual name.

    Args:
        texts: of the object, by dotted path.
        numbers: likewise; none of them is a URL or host.
        without: names of fields that are not read, since they name the machine that sent it.
    """
    leaves = {name: text for name, text in texts.items() if name not in without}
    leaves |= {name: text for name, text in numbers.items() if name not in TARGET_NAMES}
    parts = named_parts(leaves)
    if parts.url is None and parts.host is None and parts.name is None:
        return None
    result = parts.event()
    return None if isinstance(result, Rejected) else result
