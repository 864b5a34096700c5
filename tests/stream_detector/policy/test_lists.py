from pathlib import Path

import pytest

from stream_detector.canonical import canonicalise
from stream_detector.errors import SettingsError
from stream_detector.events import Canonical, Kind
from stream_detector.policy.lists import HostList


def load(tmp_path: Path, text: str | bytes) -> HostList:
    path = tmp_path / "list.txt"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return HostList.load(path)


def form(kind: Kind, text: str) -> Canonical:
    canonical = canonicalise(kind, text)
    assert isinstance(canonical, Canonical)
    return canonical


@pytest.mark.parametrize(
    ("kind", "text", "matches"),
    [
        ("host", "evil.com", True),
        ("host", "EVIL.com.", True),
        ("host", "a.b.evil.com", True),
        ("url", "https://www.evil.com/path?q=1", True),
        ("url", "http://a.evil.com:8080/", True),
        ("host", "notevil.com", False),
        ("host", "evil.com.example.org", False),
        ("url", "http://example.org/evil.com", False),
        ("host", "com", False),
    ],
)
def test_a_domain_matches_itself_and_its_subdomains(
    tmp_path: Path, kind: Kind, text: str, matches: bool
) -> None:
    assert bool(load(tmp_path, "evil.com\n").specificity(form(kind, text))) is matches


def test_a_host_matches_its_own_subdomains_and_not_its_siblings(tmp_path: Path) -> None:
    hosts = load(tmp_path, "bad.hosting.com")
    assert hosts.specificity(form("host", "x.bad.hosting.com"))
    assert not hosts.specificity(form("host", "good.hosting.com"))
    assert not hosts.specificity(form("host", "hosting.com"))


def test_a_url_matches_that_canonical_url_only(tmp_path: Path) -> None:
    urls = load(tmp_path, "http://www.example.com/bad%20page?x=1\n")
    assert urls.specificity(form("url", "https://EXAMPLE.com/bad%20page?x=1#part"))
    assert not urls.specificity(form("url", "http://example.com/bad%20page?x=2"))
    assert not urls.specificity(form("url", "http://example.com/"))
    assert not urls.specificity(form("host", "example.com"))


def test_addresses_match_whole(tmp_path: Path) -> None:
    addresses = load(tmp_path, "192.0.2.7\n[2001:db8::1]\n")
    assert addresses.specificity(form("host", "192.0.2.7"))
    assert addresses.specificity(form("url", "http://[2001:DB8:0::1]/x"))
    assert not addresses.specificity(form("host", "192.0.2.70"))
    assert not addresses.specificity(form("host", "1.192.0.2"))


def test_a_closer_entry_is_more_specific(tmp_path: Path) -> None:
    entries = load(tmp_path, "com\nevil.com\na.evil.com\nhttp://a.evil.com/x")
    found = [
        entries.specificity(form(kind, text))
        for kind, text in (
            ("host", "org"),
            ("host", "other.com"),
            ("host", "b.evil.com"),
            ("host", "b.a.evil.com"),
            ("url", "http://a.evil.com/x"),
        )
    ]
    assert found == sorted(set(found))
    assert found[0] == 0


def test_comments_blank_lines_windows_line_ends_and_a_byte_order_mark_are_skipped(
    tmp_path: Path,
) -> None:
    entries = load(
        tmp_path,
        b"\xef\xbb\xbf# our own\r\n\r\nevil.com  # seen in May\r\n  \r\nhttp://a.com/x#part\r\n",
    )
    assert len(entries) == 2
    assert entries.specificity(form("host", "evil.com"))
    assert entries.specificity(form("url", "http://a.com/x"))


def test_international_names_match_in_either_spelling(tmp_path: Path) -> None:
    entries = load(tmp_path, "bücher.example\n")
    assert entries.specificity(form("host", "xn--bcher-kva.example"))
    assert entries.specificity(form("host", "BÜCHER.example"))


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"0.0.0.0 evil.com", "no domain, host or URL"),
        (b"http://", "no domain, host or URL"),
        (b"\xff\xfe", "not UTF-8"),
        (b".evil.com", "no domain, host or URL"),
    ],
)
def test_a_bad_line_is_refused_with_file_and_line_number(
    tmp_path: Path, line: bytes, says: str
) -> None:
    with pytest.raises(SettingsError, match=says) as caught:
        load(tmp_path, b"good.com\n# fine\n" + line + b"\n")
    assert str(tmp_path / "list.txt") + ", line 3" in str(caught.value)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.txt can't be read"):
        HostList.load(tmp_path / "absent.txt")


def test_an_empty_list_matches_nothing(tmp_path: Path) -> None:
    assert load(tmp_path, "# none yet\n").specificity(form("host", "evil.com")) == 0


def test_a_leading_wildcard_changes_nothing(tmp_path: Path) -> None:
    entries = load(tmp_path, "*.evil.com\n")
    assert entries.specificity(form("host", "a.evil.com"))
    assert entries.specificity(form("host", "evil.com"))
