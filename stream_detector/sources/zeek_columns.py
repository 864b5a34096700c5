"""Which of Zeek's logs a tab-separated line without a header is of: its columns' types say so.

All logs of connections start with a time, an id, and two addresses with their ports, and there are
dozens (ssh, smtp, files, sip, socks, ldap, quic, rdp...): a number and a word behind these make
no request.
"""

import re
from collections.abc import Sequence

__all__ = ["COMMON", "is_connection", "is_dns_query", "is_http_request"]

COMMON = ("ts", "uid", "id.orig_h", "id.orig_p", "id.resp_h", "id.resp_p")

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
"""Methods that no other protocol has."""
_NOT_HTTP = re.compile(r"(?:sips?|tel):|[^/?]*@", re.IGNORECASE)
_URI = re.compile(r"/|\*$|[A-Za-z][A-Za-z0-9+.\-]*://")


def is_connection(line: str) -> bool:
    """Does ``line`` start with the columns that Zeek's logs of connections share?"""
    return _CONNECTION.match(line) is not None


def is_http_request(columns: Sequence[str]) -> bool:
    """Are the columns behind ``COMMON`` ``trans_depth method host uri``?"""
    depth, method, host, uri = columns[6:10]
    if not depth.isdigit():
        return False
    if method == "-":  # A reply whose request was not seen.
        return host == uri == "-"
    if _OF_HTTP_ALONE.fullmatch(method):
        return True
    # Also one that SIP, too, has (OPTIONS, NOTIFY), or that someone made up.
    return (
        _METHOD.fullmatch(method) is not None
        and _URI.match(uri) is not None
        and _NOT_HTTP.match(host) is None
    )


def is_dns_query(columns: Sequence[str]) -> bool:
    """Are the columns behind ``COMMON`` ``proto trans_id rtt query``?"""
    proto, trans_id, rtt = columns[6:9]
    return (
        proto in {"udp", "tcp"}
        and trans_id.isdigit()
        and (rtt == "-" or _NUMBER.fullmatch(rtt) is not None)
    )
