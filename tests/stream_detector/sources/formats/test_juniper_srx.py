"""Juniper SRX."""

import pytest

from stream_detector.sources.formats.juniper_srx import JuniperSrx
from support.log_lines import IGNORED, NO_URL, Read, read_line

FORMAT = JuniperSrx()
DATA = '[junos@2636.1.1.1.2.86 source-address="10.0.0.9" source-port="5353" '
WEB = DATA + 'category="x y" profile="p" url="a.example" obj="/b?c=d" username="N/A"]'
READ: Read = ("url", "http://a.example/b?c=d", "10.0.0.9", None)

SAMPLES: list[tuple[str, Read]] = [
    ("RT_UTM - WEBFILTER_URL_BLOCKED " + WEB, READ),
    ("WEBFILTER_URL_PERMITTED " + WEB, READ),
    (WEB, READ),
    (
        'RT_UTM: WEBFILTER_URL_BLOCKED: WebFilter: ACTION="URL Blocked" '
        '10.0.0.9(5353)->192.0.2.7(80) CATEGORY="x y" REASON="BY_BLACK_LIST" PROFILE="p" '
        "URL=a.example OBJ=/b?c=d USERNAME=N/A",
        READ,
    ),
    (
        "RT_SECINTEL - SECINTEL_ACTION_LOG " + DATA + 'category="secintel" http-host="a.example"]',
        ("host", "a.example", "10.0.0.9", None),
    ),
    (
        'RT_UTM - AV_VIRUS_DETECTED_MT [junos@2636.1.1.1.2.40 source-address="192.0.2.7" '
        'destination-address="10.0.0.9" filename="a.example/b.com" url="EICAR-Test-File"]',
        ("url", "a.example/b.com", "10.0.0.9", None),
    ),
    ("RT_UTM - WEBFILTER_URL_BLOCKED " + DATA + 'url="N/A" obj="/"]', NO_URL),
    ("RT_SECINTEL - SECINTEL_ACTION_LOG " + DATA + 'http-host="N/A"]', IGNORED),
    ("RT_FLOW - RT_FLOW_SESSION_CREATE " + DATA + 'service-name="junos-https"]', IGNORED),
    ("RT_UTM - ANTISPAM_SPAM_DETECTED_MT " + DATA + 'profile-name="x"]', IGNORED),
]


@pytest.mark.parametrize(("line", "read"), SAMPLES)
def test_read(line: str, read: Read) -> None:
    assert read_line(FORMAT, line) == read
