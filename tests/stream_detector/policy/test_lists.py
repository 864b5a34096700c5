import time
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


def test_a_url_with_a_query_matches_that_canonical_url_only(tmp_path: Path) -> None:
    urls = load(tmp_path, "http://www.example.com/bad%20page?x=1\n")
    assert urls.specificity(form("url", "https://EXAMPLE.com/bad%20page?x=1#part"))
    assert not urls.specificity(form("url", "http://example.com/bad%20page?x=2"))
    assert not urls.specificity(form("url", "http://example.com/bad%20page?x=1/a"))
    assert not urls.specificity(form("url", "http://example.com/"))
    assert not urls.specificity(form("host", "example.com"))


@pytest.mark.parametrize("entry", ["example.com/bad", "https://www.example.com/bad/"])
def test_a_url_matches_what_lies_below_its_path(tmp_path: Path, entry: str) -> None:
    urls = load(tmp_path, entry)
    for path in ("/bad", "/bad/", "/bad/deeper", "/bad/deeper/x.exe?a=b", "/bad?a=b/c"):
        assert urls.specificity(form("url", f"http://example.com{path}")), path
    for path in ("/badly", "/", "/other/bad", "/?/bad"):
        assert not urls.specificity(form("url", f"http://example.com{path}")), path
    assert not urls.specificity(form("url", "http://a.example.com/bad"))
    assert not urls.specificity(form("url", "http://example.com:8080/bad"))
    assert not urls.specificity(form("host", "example.com"))


def test_a_url_without_a_path_matches_all_of_that_host_and_port(tmp_path: Path) -> None:
    urls = load(tmp_path, "http://example.com/\nexample.com:8080\n")
    assert urls.specificity(form("url", "http://example.com/a/b"))
    assert urls.specificity(form("url", "http://example.com:8080/a?b"))
    assert not urls.specificity(form("url", "http://example.com:8081/a"))
    assert not urls.specificity(form("url", "http://a.example.com/a"))


def test_addresses_match_whole(tmp_path: Path) -> None:
    addresses = load(tmp_path, "192.0.2.7\n[2001:db8::1]\n")
    assert addresses.specificity(form("host", "192.0.2.7"))
    assert addresses.specificity(form("url", "http://[2001:DB8:0::1]/x"))
    assert not addresses.specificity(form("host", "192.0.2.70"))
    assert not addresses.specificity(form("host", "1.192.0.2"))


def test_a_network_matches_the_addresses_in_it(tmp_path: Path) -> None:
    networks = load(tmp_path, "10.0.0.0/8\n198.51.100.4/30\n2001:db8::/32\n[2001:db9::]/64\n")
    assert len(networks) == 4
    for text in ("10.1.2.3", "198.51.100.7", "2001:db8:1::7", "2001:db9::1", "::ffff:10.1.2.3"):
        assert networks.specificity(form("host", text)), text
    assert networks.specificity(form("url", "http://10.255.0.1:8080/a"))
    assert networks.specificity(form("url", "http://[2001:DB8::1]/a"))
    for text in ("11.0.0.1", "198.51.100.8", "2001:dba::1", "2001:db9:0:1::1", "10.example.com"):
        assert not networks.specificity(form("host", text)), text
    assert not networks.specificity(form("url", "http://example.com/8"))


@pytest.mark.parametrize(
    "network", ["::ffff:198.51.100.0/120", "64:ff9b::c633:6400/120", "2002:c633:6400::/40"]
)
def test_a_network_that_stands_for_one_of_ipv4_is_that_one(tmp_path: Path, network: str) -> None:
    networks = load(tmp_path, network)
    for text in ("198.51.100.9", "::ffff:198.51.100.9", "64:ff9b::198.51.100.9"):
        assert networks.specificity(form("host", text)), text
    assert not networks.specificity(form("host", "198.51.101.9"))


def test_a_smaller_network_and_an_address_are_more_specific(tmp_path: Path) -> None:
    entries = load(tmp_path, "128.0.0.0/1\n10.0.0.0/8\n10.1.0.0/16\n10.1.2.3\n10.1.2.3/a\n")
    found = [
        entries.specificity(form(kind, text))
        for kind, text in (
            ("host", "2001:db8::1"),
            ("host", "192.0.2.1"),
            ("host", "10.2.0.1"),
            ("url", "http://10.1.0.1/a"),
            ("url", "http://10.1.2.3/b"),
            ("url", "http://10.1.2.3/a"),
        )
    ]
    assert found == sorted(set(found))
    assert found[0] == 0


def test_an_address_in_an_ipv6_spelling_of_its_own_matches(tmp_path: Path) -> None:
    for entry in ("45.83.12.9", "::ffff:45.83.12.9"):
        addresses = load(tmp_path, entry)
        for url in ("http://45.83.12.9/x", "http://[::ffff:45.83.12.9]/x", "http://0x2d530c09/x"):
            assert addresses.specificity(form("url", url))


@pytest.mark.parametrize("suffix", ["co.uk", "com", "*.co.uk", "github.io", "xn--p1ai"])
def test_a_public_suffix_is_refused_without_its_prefix(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(SettingsError, match=r"line 1: .* public suffix.*suffix:"):
        load(tmp_path, suffix)
    entries = load(tmp_path, f"suffix:{suffix}")
    host = f"some.name.{suffix.removeprefix('*.')}"
    assert entries.specificity(form("host", host))
    assert entries.specificity(form("url", f"http://{host}/a"))


@pytest.mark.parametrize("name", ["localhost", "intranet", "corp", "evil.co.uk"])
def test_a_name_that_is_not_a_public_suffix_needs_no_prefix(tmp_path: Path, name: str) -> None:
    assert load(tmp_path, name).specificity(form("host", f"a.{name}"))


def test_a_closer_entry_is_more_specific(tmp_path: Path) -> None:
    entries = load(tmp_path, "suffix:com\nevil.com\na.evil.com\nhttp://a.evil.com/x")
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
        (b"0.0.0.0 evil.com", "not a domain, host, URL or network"),
        (b"http://", "not a domain, host, URL or network"),
        (b"\xff\xfe", "not UTF-8"),
        (b".evil.com", "not a domain, host, URL or network"),
        (b"10.1.2.3/8", "bits of a host; the network is 10.0.0.0/8"),
        (b"2001:db8::1/32", "bits of a host; the network is 2001:db8::/32"),
        (b"10.0.0.0/33", "0 to 32 bits"),
        (b"::/129", "0 to 128"),
        (b"10.0.0/8", "not a network"),
        (b"suffix:10.0.0.0/8", "not a domain, host, URL or network"),
        (b"suffix:", "not a domain, host, URL or network"),
        (b"10.0.0.0/255.0.0.0", "write 10.0.0.0/8 "),
        (b"10.1.2.3/255.255.0.0", "write 10.1.0.0/16 "),
        (b"10.1.*", "write 10.1.0.0/16 "),
        (b"10.1.*.*", "write 10.1.0.0/16 "),
        (b"10.*", "write 10.0.0.0/8 "),
        (b"10.0.0.1-9", "a range"),
        (b"*evil.com", "write evil.com,"),
        (b"evil.*", "write a domain"),
        (b"a.*.evil.com", r"\* works only as \*\. at the start"),
        (b"*", r"\* works only"),
        (b"=evil.com", "write evil.com$"),
        (b"~evil.com", "write evil.com$"),
        (b"evil.com,good.com", "one domain a line"),
        (b"10.0.0", "10.0.0.0; write that"),
        (b"10.", "0.0.0.10; write that"),
        (b"010.0.0.5", "8.0.0.5; write that"),
        (b"http://10.1/a", "10.0.0.1; write that"),
        (b"/evil/", "a path or pattern"),
        (b"evil.com/*", "write evil.com/,"),
        (b"*.evil.com/bad", "write evil.com for it and its subdomains, or evil.com/bad"),
        (b"64:ff9b::/96", "every address of IPv4; write 0.0.0.0/1 and 128.0.0.0/1"),
        (b"::ffff:0:0/96", "every address of IPv4"),
        (b"2002::/16", "every address of IPv4"),
        (b"0.0.0.0/0", "every address of IPv4"),
        (b"::/0", "every address of IPv6; write ::/1 and 8000::/1"),
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


def test_a_long_path_on_a_listed_site_costs_no_more_than_its_length(tmp_path: Path) -> None:
    urls = load(tmp_path, "evil.com/a/b\nevil.com:8080\n")
    texts = [f"http://evil.com{start}{'/x' * 30_000}?q" for start in ("/a/b", "/b")]
    listed, other = (form("url", text) for text in texts)
    start = time.process_time()
    for _ in range(20):
        assert urls.specificity(listed)
        assert not urls.specificity(other)
    assert time.process_time() - start < 0.2
