"""Parts by the names that products give them."""

import pytest

from stream_detector.sources.field_names import TARGET_NAMES, named_parts, spellings
from stream_detector.sources.parts import Parts


@pytest.mark.parametrize(
    ("fields", "parts"),
    [
        (
            {"url": "http://a.example/", "srcip": "10.0.0.9"},
            Parts(url="http://a.example/", client="10.0.0.9"),
        ),
        ({"ClientIP": "10.0.0.9", "requestURL": "u"}, Parts(url="u", client="10.0.0.9")),
        ({"dns.question.name": "a.example", "c-ip": "1"}, Parts(name="a.example", client="1")),
        ({"request": "-", "eurl": "u"}, Parts(url="u")),
        ({"host": "proxy1", "level": "info"}, Parts()),
        ({"host": "a.example", "path": "/b"}, Parts(path="/b")),  # A machine and its file.
        (
            {"host": "a.example", "path": "/b", "src_ip": "10.0.0.9"},
            Parts(host="a.example", path="/b", client="10.0.0.9"),
        ),
        ({"dhost": "LAPTOP-7"}, Parts()),
        ({"dhost": "a.example"}, Parts(host="a.example")),
        ({"source": "/var/log/x.log", "url": "u"}, Parts(url="u")),
        ({"op": "1", "hostname": "device"}, Parts()),
        ({"url": "u", "date": "2026-01-02", "time": "03:04:05"}, Parts(url="u", time="")),
        (
            {"url": "u", "date": "2026-01-02", "time": "03:04:05", "tz": "UTC"},
            Parts(url="u", time="2026-01-02 03:04:05 UTC"),
        ),
    ],
)
def test_named_parts(fields: dict[str, str], parts: Parts) -> None:
    assert named_parts(fields) == parts


def test_spellings() -> None:
    assert {
        "client_ip",
        "client-ip",
        "client.ip",
        "clientip",
        "clientIp",
        "clientIP",
        "ClientIP",
    } < {*spellings("client_ip")}
    assert {"url", "URL", "Url"} <= TARGET_NAMES
