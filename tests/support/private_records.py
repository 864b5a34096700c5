"""Log lines of all formats that hold a client, query values or user info, whole and broken."""

import json
from collections.abc import Callable, Mapping

from hypothesis import strategies as st

__all__ = [
    "BREAKS",
    "CLIENT",
    "FORMATS",
    "FRAGMENT",
    "PASSWORD",
    "QUERY_VALUE",
    "USER",
    "as_json",
    "as_json_with_slashes_escaped",
    "as_plain",
    "as_squid",
    "broken",
    "lines",
    "urls",
]

CLIENT = "198.51.100.77"
QUERY_VALUE = "qVALUEq"
FRAGMENT = "fRAGMENTf"
USER = "uSERu"
PASSWORD = "pASSWORDp"

noise = st.text("abcXYZ019=?/:;$,%'\\@!*()[]|^~é", max_size=8)
"""What may stand around a value in a query: no white space, & or #, which would end it."""


@st.composite
def urls(draw: st.DrawFn) -> str:
    """URLs without a scheme whose query and fragment hold the values above."""
    host = draw(st.sampled_from(["evil.com", "odd.com", "fine.com", "a.evil.co.uk"]))
    query = f"?name={draw(noise)}{QUERY_VALUE}{draw(noise)}&other={QUERY_VALUE}"
    return f"{host}/path{query}{draw(st.sampled_from(['', f'#{FRAGMENT}', f'#x={FRAGMENT}']))}"


def as_json(url: str) -> bytes:
    """``url`` as a record of the project's own JSON."""
    return json.dumps({"url": f"http://{url}", "client": CLIENT}).encode()


def as_json_with_slashes_escaped(url: str) -> bytes:
    """The same, as encoders write it that escape what need not be."""
    return as_json(url).replace(b"/", b"\\/").replace(b"?", b"\\u003f")


def as_plain(url: str) -> bytes:
    """``url`` alone."""
    return f"https://{url}".encode()


def as_squid(url: str) -> bytes:
    """``url`` as a line of Squid's access log."""
    return (
        f"1066036250.603    250 {CLIENT} TCP_MISS/200 1024 GET http://{url} - DIRECT/- text/html"
    ).encode()


def as_suricata(url: str) -> bytes:
    """``url`` as an event of Suricata's EVE log."""
    host, _, target = url.partition("/")
    return json.dumps(
        {
            "timestamp": "2026-11-01T10:00:00.000000+0000",
            "event_type": "http",
            "src_ip": CLIENT,
            "http": {"hostname": host, "url": f"/{target}", "http_method": "GET"},
        }
    ).encode()


def as_zeek_json(url: str) -> bytes:
    """``url`` as a line of Zeek's http.log in JSON."""
    host, _, target = url.partition("/")
    return json.dumps(
        {
            "ts": 1795165220.6,
            "uid": "C1",
            "id.orig_h": CLIENT,
            "id.resp_h": "192.0.2.1",
            "method": "GET",
            "host": host,
            "uri": f"/{target}",
        }
    ).encode()


def as_zeek_tsv(url: str) -> bytes:
    """``url`` as a line of Zeek's http.log in TSV."""
    host, _, target = url.partition("/")
    uri = f"/{target}".replace("\\", "\\x5c")
    return (f"1795165220.6\tC1\t{CLIENT}\t1\t192.0.2.1\t80\t1\tGET\t{host}\t{uri}\t-\t1.1").encode()


def as_dnsmasq(url: str) -> bytes:
    """The host of ``url`` as a query in dnsmasq's log."""
    return f"Nov 20 09:00:13 dnsmasq[811]: query[A] {url.partition('/')[0]} from {CLIENT}".encode()


FORMATS: Mapping[str, Callable[[str], bytes]] = {
    "json": as_json,
    "json_escaped": as_json_with_slashes_escaped,
    "plain": as_plain,
    "squid": as_squid,
    "suricata": as_suricata,
    "zeek_json": as_zeek_json,
    "zeek_tsv": as_zeek_tsv,
    "dnsmasq": as_dnsmasq,
}
lines = st.builds(lambda write, url: write(url), st.sampled_from(list(FORMATS.values())), urls())

BREAKS: list[Callable[[bytes, int], bytes]] = [
    lambda value, place: value[: place % len(value)],
    lambda value, place: value[: place % len(value)] + b"\xff" + value[place % len(value) :],
    lambda value, _: value + b"\0",
    lambda value, _: value.decode(errors="replace").encode("utf-16"),
    lambda value, _: b'{"url": 5, "also": ' + value + b"}",
    lambda value, _: b'{"elsewhere": ' + value,
    lambda value, _: value.replace(b"://", b":// "),
    lambda value, _: value.replace(b".com", b"..com"),
    lambda value, _: b"[" + value + b"]",
    lambda value, _: b"\n".join([value, b"no url here", value]),
]
broken = st.builds(
    lambda breaks, value, place: breaks(value, place),
    st.sampled_from(BREAKS),
    lines,
    st.integers(0, 2000),
)
