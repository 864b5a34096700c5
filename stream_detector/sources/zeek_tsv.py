"""Zeek's logs as tab-separated values: header lines, columns and escapes.

Without a header, the types of a line's columns show its log. Dozens of logs (ssh, smtp, files, sip,
socks, ldap, quic, rdp...) start with a time, an id, and two addresses with ports: a number and a
word after these are not enough for a request.
"""

import re
from collections.abc import Sequence

COMMON = ("ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p")

_UNSET_NAMES = {b"#unset_field\t": "-", b"#empty_field\t": "(empty)"}
"""Header lines that name the text for a missing value, and the default texts."""
UNSET = frozenset({*_UNSET_NAMES.values(), ""})
"""Texts that stand for a missing value by default."""
_HEADER = re.compile(
    rb"#(?:separator|set_separator|empty_field|unset_field|path|open|close|fields|types)(?:\s|$)"
)
_ESCAPE = re.compile(rb"\\x([0-9A-Fa-f]{2})")
_ESCAPE_OF_NO_TEXT = re.compile(rb"\\x([89A-Fa-f][0-9A-Fa-f])")
_NOT_TEXT = re.compile("[\udc80-\udcff]")

_ADDRESS = r"(?:-|[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*)"
_CONNECTION = re.compile(
    rf"[0-9.]+\t[0-9A-Za-z]{{1,40}}(?:\t{_ADDRESS}\t(?:[0-9]{{1,5}}|-)){{2}}\t"
)
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?")
_METHOD = re.compile(r"[A-Za-z][A-Za-z_\-]*")
_OF_HTTP_ALONE = re.compile(
    "BITS_POST|BMOVE|BPROPFIND|BPROPPATCH|CCM_POST|CHECKOUT|CONNECT|COPY|DELETE|GET|HEAD|LOCK|MERGE"
    "|MKACTIVITY|MKCOL|MOVE|PATCH|POST|PROPFIND|PROPPATCH|PURGE|PUT|REPORT|RPC_IN_DATA|RPC_OUT_DATA"
    "|SEARCH|SSTP_DUPLEX_POST|TRACE|TRACK|UNLOCK|VERSION-CONTROL|X-MS-ENUMATTS"
)
"""Methods that no other protocol uses."""
_NOT_HTTP = re.compile(r"(?:sips?|tel):|[^/?]*@", re.IGNORECASE)
_TLS_VERSION = re.compile(rb"(?:D?TLSv1[0-3]|SSLv[23]|unknown-[0-9]+)")
_FAILED_HANDSHAKE = re.compile(rb"-\t[^\t]+\t[TF]\t")
"""``curve server_name resumed``."""
_URI = re.compile(r"/|\*$|[A-Za-z][A-Za-z0-9+.\-]*://")


def is_connection(line: str) -> bool:
    """Whether ``line`` starts with the columns that Zeek's logs of connections share."""
    return _CONNECTION.match(line) is not None


def is_http_request(columns: Sequence[str]) -> bool:
    """Whether ``trans_depth method host uri`` follow the ``COMMON`` columns."""
    depth, method, host, uri = columns[6:10]
    if not depth.isdigit():
        return False
    if method == "-":  # A reply whose request was not seen.
        return host == uri == "-"
    if _OF_HTTP_ALONE.fullmatch(method):
        return True
    # Also a method that SIP shares (OPTIONS, NOTIFY), or an invented one.
    return (
        _METHOD.fullmatch(method) is not None
        and _URI.match(uri) is not None
        and _NOT_HTTP.match(host) is None
    )


def is_dns_query(columns: Sequence[str]) -> bool:
    """Whether ``proto trans_id rtt query`` follow the ``COMMON`` columns."""
    proto, trans_id, rtt = columns[6:9]
    return (
        proto in {"udp", "tcp"}
        and trans_id.isdigit()
        and (rtt == "-" or _NUMBER.fullmatch(rtt) is not None)
    )


def starts_as_query(proto: bytes, trans_id: bytes) -> bool:
    """Whether these are ``proto trans_id``, which only dns.log has after ``COMMON``."""
    return proto in {b"udp", b"tcp"} and trans_id.isdigit()


def starts_as_handshake(columns: Sequence[bytes]) -> bool:
    """Whether ``version cipher`` of ssl.log follow the ``COMMON`` columns."""
    return len(columns) > 8 and (
        _TLS_VERSION.fullmatch(columns[6]) is not None
        # A handshake that failed has neither.
        or (columns[6] == columns[7] == b"-" and _FAILED_HANDSHAKE.search(columns[8]) is not None)
    )


def is_header(line: bytes) -> bool:
    """Whether it is one of Zeek's header lines, not any other comment."""
    return _HEADER.match(line) is not None


def zeek_log_path(lines: Sequence[bytes]) -> str | None:
    """The log that the header lines among ``lines`` name; None if they do not.

    Without a ``#path`` line it is ``dns``, ``ssl`` or ``http`` by the fields, or empty.
    """
    path = header_path(lines)
    if path is not None:
        return path
    for line in lines:
        if line.startswith(b"#fields\t"):
            if b"\tquery" in line:
                return "dns"
            if b"\tserver_name" in line:
                return "ssl"
            return "http" if b"\turi" in line and b"\thost" in line else ""
    return None


def header_path(lines: Sequence[bytes]) -> str | None:
    """The value of the ``#path`` line among ``lines``; None without one."""
    for line in lines:
        if line.startswith(b"#path\t"):
            return line[6:].decode(errors="replace").strip()
    return None


def unset_values(lines: Sequence[bytes]) -> frozenset[str]:
    """The texts for a missing value, by the header lines among ``lines``."""
    values = dict(_UNSET_NAMES)
    for line in lines:
        for name in values.keys() & {line[: line.find(b"\t") + 1]}:
            values[name] = line[len(name) :].decode(errors="replace")
    return frozenset({*values.values(), ""})


def without_escapes(value: str, *, of_json: bool = False) -> str:
    """``value`` without ``\\xNN``, TSV's escape of a backslash, a tab and bytes that are not UTF-8.

    JSON escapes only the last. Those come out percent-encoded, as a browser would send them.
    """
    if "\\x" not in value:
        return value
    plain = (_ESCAPE_OF_NO_TEXT if of_json else _ESCAPE).sub(
        lambda match: bytes.fromhex(match[1].decode()), value.encode("utf-8", "surrogatepass")
    )
    text = plain.decode(errors="surrogateescape")
    return _NOT_TEXT.sub(lambda match: f"%{ord(match[0]) - 0xDC00:02X}", text)
