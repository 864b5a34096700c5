"""Records of one line or several, whose format is set or is to be found."""

import json

import pytest

from stream_detector.errors import SettingsError
from stream_detector.events import Ignored, Rejected, RejectReason, UrlEvent
from stream_detector.sources.base import FORMAT_NAMES, EventResult
from stream_detector.sources.log_file import LogFile
from stream_detector.sources.reading import read_record
from stream_detector.sources.registry import FORMATS, SOURCES, source_named

DNSMASQ_QUERY = b"Nov 20 09:00:13 dnsmasq[811]: query[A] %s from 10.0.0.1"
LINES = {
    "suricata": b'{"event_type":"tls","tls":{"sni":"example.com"}}',
    "zeek_dns": b'{"ts":1795165220.6,"uid":"C1","query":"example.com","trans_id":7}',
    "zeek_http": b'{"ts":1795165220.6,"uid":"C1","method":"GET","host":"example.com","uri":"/"}',
    "json": b'{"url":"http://example.com/"}',
    "squid": b"1795165200.889    921 10.0.0.1 TCP_MISS/200 507 GET http://example.com/ - - -",
    "dnsmasq": DNSMASQ_QUERY % b"example.com",
    "plain": b"http://example.com/",
    "zeek_ssl": b'{"ts":1795165220.6,"uid":"C1","server_name":"example.com"}',
}
"""An example of each format that is detected."""
ZEEK_DNS_TSV = (
    b"1795165220.6\tC1\t10.0.0.1\t1\t10.0.0.2\t53\tudp\t7\t0.1\texample.com\t1\tC_INTERNET"
)
ZEEK_HTTP_TSV = b"1795165220.6\tC1\t10.0.0.1\t1\t10.0.0.2\t80\t1\tGET\texample.com\t/\t-\t1.1"
HEADER = b"#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n"


def read(
    value: bytes, source: str | None = None, *, lines_max: int = 100
) -> list[tuple[str, EventResult]]:
    return read_record(value, source=source and SOURCES[source], lines_max=lines_max)


def observed(value: bytes, source: str | None = None) -> list[str]:
    """What each event of a record saw; every result must be an event."""
    results = [result for _, result in read(value, source)]
    assert all(isinstance(result, UrlEvent) for result in results), results
    return [result.observed for result in results if isinstance(result, UrlEvent)]


def reasons(value: bytes, source: str | None = None, *, lines_max: int = 100) -> list[RejectReason]:
    """Why each line of a record was rejected; every one must have been."""
    results = [result for _, result in read(value, source, lines_max=lines_max)]
    assert all(isinstance(result, Rejected) for result in results), results
    return [result.reason for result in results if isinstance(result, Rejected)]


def test_there_is_an_example_of_each_format() -> None:
    of_text = {source.name for source in FORMATS}  # Theirs are in the folder ``formats``.
    assert set(LINES) == set(SOURCES) - {"suricata_alerts"} - of_text
    assert tuple(SOURCES) == FORMAT_NAMES
    assert all(name == source.name for name, source in SOURCES.items())


@pytest.mark.parametrize(
    ("name", "line"),
    [*LINES.items(), ("zeek_dns", ZEEK_DNS_TSV), ("zeek_http", ZEEK_HTTP_TSV)],
)
def test_a_lines_format_is_found(name: str, line: bytes) -> None:
    ((found, event),) = read(line)
    assert found == name
    assert isinstance(event, UrlEvent)
    # The same comes out where the format is set, or the line has an end.
    assert read(line, name) == read(line + b"\n") == read(line + b"\r\n", name) == [(name, event)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\n\n \n"])
def test_lines_of_several_formats_come_in_order(end: bytes) -> None:
    names = ["plain", "squid", "dnsmasq"]
    results = read(end.join(LINES[name] for name in names) + end)
    assert [name for name, _ in results] == names
    assert results == [result for name in names for result in read(LINES[name])]


def test_json_lines_may_be_of_several_formats() -> None:
    names = ["json", "suricata", "zeek_http", "zeek_dns"]
    results = read(b"\n".join(LINES[name] for name in names) + b"\n")
    assert [name for name, _ in results] == names
    assert read(b"[%s]" % b",\n".join(LINES[name] for name in names)) == results


def test_a_broken_json_line_costs_the_others_nothing() -> None:
    good = b'{"url":"http://a.example/x"}\n%s\n {"url":"http://b.example/y"}'
    for line in (b"{", b"not json", b'{"url":5}'):
        first, fault, last = (result for _, result in read(good % line))
        assert isinstance(first, UrlEvent) and isinstance(last, UrlEvent)
        assert (first.observed, last.observed) == ("http://a.example/x", "http://b.example/y")
        assert isinstance(fault, Rejected)


def test_one_object_may_take_several_lines() -> None:
    assert observed(b'{\n  "url":\r\n  "http://example.com/"\n}\n') == ["http://example.com/"]
    assert reasons(b'{\n  "url":\n  "http://example.com/"\n') == [RejectReason.MALFORMED]


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b" ", b"\r\n\t", b"\xef\xbb\xbf\n"])
def test_an_object_may_come_after_white_space_and_a_byte_order_mark(before: bytes) -> None:
    value = b'{"url": "http://a.example/"}'
    read = read_record(value, source=None, lines_max=10)
    assert isinstance(read[0][1], UrlEvent)
    assert read_record(before + value, source=None, lines_max=10) == read


def test_one_line_may_give_several_events() -> None:
    query = b'{"event_type":"dns","dns":{"type":"request","queries":[%s]}}'
    lines = query % b'{"rrname":"a.example"},{"rrname":"b.example"}' + b"\n" + LINES["json"]
    assert observed(lines) == ["a.example", "b.example", "http://example.com/"]
    assert [name for name, _ in read(lines)] == ["suricata", "suricata", "json"]


def test_a_line_at_fault_costs_the_others_nothing() -> None:
    results = [result for _, result in read(b"a.example\nwhat is this\n\xff\nb.example")]
    assert results[0] == UrlEvent("host", "a.example")
    assert results[3] == UrlEvent("host", "b.example")
    assert reasons(b"what is this\n\xff \xff") == [
        RejectReason.UNKNOWN_FORMAT,
        RejectReason.NOT_UTF8,
    ]
    lines = b'{"url":"http://a.example/"}\n{"url":5}\n{"url":\n{"host":"b.example"}'
    reasons_of_two = [r.reason for _, r in read(lines) if isinstance(r, Rejected)]
    assert reasons_of_two == [RejectReason.WRONG_TYPE, RejectReason.MALFORMED]
    assert len(read(lines)) == 4


@pytest.mark.parametrize("marks", [2, 2_000, 300_000])
@pytest.mark.parametrize("behind", [b"", b" ", b"{}", b"http://example.com/"])
def test_a_record_of_byte_order_marks_is_rejected(marks: int, behind: bytes) -> None:
    ((_, result),) = read(b"\xef\xbb\xbf" * marks + behind)
    assert isinstance(result, Rejected)


@pytest.mark.parametrize("source", [None, "json", "plain", "zeek_dns"])
@pytest.mark.parametrize("value", [b"", b" ", b"\r\n\t\n", b"\xef\xbb\xbf"])
def test_nothing_is_rejected_as_empty(value: bytes, source: str | None) -> None:
    assert reasons(value, source) == [RejectReason.EMPTY]


def test_an_array_of_nothing_is_rejected_as_empty() -> None:
    assert reasons(b"[]") == [RejectReason.EMPTY]


def test_more_lines_than_allowed_are_rejected_together() -> None:
    for value in (
        b"a.example\nb.example\n\nc.example\n",
        b'[{"host":"a"},{"host":"b"},{"host":"c"}]',
    ):
        assert reasons(value, lines_max=2) == [RejectReason.TOO_MANY]
        assert len(read(value, lines_max=3)) == 3


def test_more_names_than_allowed_in_one_line_or_in_all_are_rejected_together() -> None:
    names = b'{"event_type":"dns","dns":{"type":"request","queries":[%s]}}'
    one, two, three = (names % b",".join([b'{"rrname":"a.b"}'] * count) for count in (1, 2, 3))
    for value in (three, one + b"\n" + two, b"[" + two + b"," + one + b"]"):
        ((_, fault),) = read(value, lines_max=2)
        assert isinstance(fault, Rejected)
        assert fault.reason is RejectReason.TOO_MANY
        assert fault.detail == "3 URLs or hosts, more than 2"
        assert len(read(value, lines_max=3)) == 3


@pytest.mark.parametrize("value", [b"\0", b'{"url":"\0"}', b"[\0]", "a.example".encode("utf-16")])
def test_binary_records_are_no_text(value: bytes) -> None:
    assert reasons(value) == [RejectReason.NOT_UTF8]


@pytest.mark.parametrize("source", [None, "plain"])
def test_a_nul_byte_costs_its_own_line(source: str | None) -> None:
    first, binary, last = (
        result for _, result in read(b"a.example\nb\0.example\nc.example", source)
    )
    assert first == UrlEvent("host", "a.example")
    assert isinstance(binary, Rejected)
    assert binary.reason is RejectReason.NOT_UTF8
    assert last == UrlEvent("host", "c.example")


@pytest.mark.parametrize("source", [None, "plain"])
@pytest.mark.parametrize("first", [b"[Some List 2.0]", b"[", b"[1, 2", b'[{"url": "http://b.ex'])
def test_a_first_bracket_costs_its_own_line(first: bytes, source: str | None) -> None:
    fault, event = (result for _, result in read(first + b"\nhttp://a.example/3\n", source))
    assert isinstance(fault, Rejected)
    assert event == UrlEvent("url", "http://a.example/3")


def test_a_line_that_starts_with_a_time_in_brackets_is_no_json() -> None:
    line = b"[2026-11-20T09:00:13.123Z] listener 0 started on 192.0.2.8:80"
    assert reasons(line) == [RejectReason.UNKNOWN_FORMAT]


@pytest.mark.parametrize("name", LINES)
def test_a_byte_order_mark_costs_nothing(name: str) -> None:
    value = LINES[name] + b"\n" + LINES[name]
    assert read(b"\xef\xbb\xbf" + value) == read(value)
    assert read(b"\xef\xbb\xbf" + LINES[name], name) == read(LINES[name], name)


@pytest.mark.parametrize("value", [b"hello", b"one two", b"# a comment", b'"example.com'])
def test_what_no_format_recognises_is_rejected(value: bytes) -> None:
    ((name, fault),) = read(value)
    assert name == ""
    assert isinstance(fault, Rejected)
    assert fault.reason is RejectReason.UNKNOWN_FORMAT


@pytest.mark.parametrize("source", ["squid", "plain"])
@pytest.mark.parametrize("value", [LINES["json"], b"[%s]" % LINES["json"]])
def test_json_in_a_topic_of_text_is_rejected(source: str, value: bytes) -> None:
    assert reasons(value, source) == [RejectReason.MALFORMED]


@pytest.mark.parametrize("source", [None, "plain"])
def test_an_address_in_brackets_is_no_array(source: str | None) -> None:
    assert observed(b"[2001:db8::1]", source) == ["[2001:db8::1]"]
    lines = [b"[2001:db8::1]:8080/a", b"[::ffff:192.0.2.7]", b"example.com"]
    assert observed(b"\n".join(lines), source) == [line.decode() for line in lines]


def test_the_format_of_a_topic_is_not_guessed_at() -> None:
    assert reasons(LINES["squid"], "plain") == [RejectReason.MALFORMED]
    assert reasons(LINES["plain"], "zeek_http") == [RejectReason.MALFORMED]
    assert reasons(LINES["zeek_http"], "suricata") == [RejectReason.MALFORMED]
    assert [name for name, _ in read(LINES["suricata"], "json")] == ["json"]


@pytest.mark.parametrize("line", [*HEADER.splitlines(), b"#open\t2026-11-20-09-00-00"])
def test_zeeks_header_lines_as_records_of_their_own_are_ignored(line: bytes) -> None:
    ((name, result),) = read(line)
    assert name.startswith("zeek_")
    assert isinstance(result, Ignored)


@pytest.mark.parametrize(
    ("name", "told", "line"),
    [
        ("zeek_dns", b"#path\tdns", ZEEK_DNS_TSV),
        ("zeek_http", b"#path\thttp", ZEEK_HTTP_TSV),
        ("zeek_dns", b"#fields\tts\tquery", b"1795165220.6\texample.com"),
        ("zeek_http", b"#fields\tts\thost\turi", b"1795165220.6\texample.com\t/"),
    ],
)
def test_zeeks_header_lines_say_which_log_the_others_are_of(
    name: str, told: bytes, line: bytes
) -> None:
    results = read(HEADER + told + b"\n" + line + b"\n#close\t2026-11-20-10-00-00\n")
    assert {found for found, _ in results} == {name}
    kinds = [type(result) for _, result in results]
    assert kinds == [Ignored] * 5 + [UrlEvent, Ignored]
    assert read(HEADER + told + b"\n" + line, name) == results[:-1]


HTTP_LOG = b"#path\thttp\n#fields\tts\thost\turi\n1795165220.6\ta.example\t/b"
DNS_LOG = b"#path\tdns\n#fields\tts\tquery\n1795165220.6\tb.example"
CONN_LOG = b"#path\tconn\n#fields\tts\tuid\tservice\n1795165220.6\tC1\thttp"


@pytest.mark.parametrize("between", [b"\n", b"\n#close\t2026-11-20-10-00-00\n"])
@pytest.mark.parametrize(
    ("logs", "expected"),
    [
        ([HTTP_LOG, DNS_LOG], ["http://a.example/b", "b.example"]),
        ([DNS_LOG, HTTP_LOG], ["b.example", "http://a.example/b"]),
        ([CONN_LOG, DNS_LOG], ["b.example"]),
        ([DNS_LOG, CONN_LOG, HTTP_LOG], ["b.example", "http://a.example/b"]),
        ([LINES["plain"], DNS_LOG], ["http://example.com/", "b.example"]),
    ],
)
def test_each_of_zeeks_headers_in_a_record_counts_for_the_lines_behind_it(
    logs: list[bytes], expected: list[str], between: bytes
) -> None:
    value = between.join(logs)
    results = [result for _, result in read(value)]
    assert [r.observed for r in results if isinstance(r, UrlEvent)] == expected
    assert not any(isinstance(result, Rejected) for result in results)
    # A file is read as a record that holds all of it.
    file = LogFile(None, line_bytes_max=1000)
    assert [r for line in value.splitlines() for _, r in file.read(line)] == results


@pytest.mark.parametrize(("name", "other"), [("zeek_dns", HTTP_LOG), ("zeek_http", DNS_LOG)])
def test_where_the_format_is_set_lines_under_another_logs_header_are_passed_over(
    name: str, other: bytes
) -> None:
    own = {"zeek_dns": DNS_LOG, "zeek_http": HTTP_LOG}[name]
    for value in (other + b"\n" + own, own + b"\n" + other + b"\n" + own):
        results = [result for _, result in read(value, name)]
        assert sum(isinstance(result, UrlEvent) for result in results) == value.count(own)
        assert not any(isinstance(result, Rejected) for result in results)


def test_a_comment_among_zeeks_lines_leaves_their_header_in_force() -> None:
    assert [type(r) for _, r in read(DNS_LOG + b"\n# a comment\n1795165221.6\tc.example")] == [
        *[Ignored] * 2,
        UrlEvent,
        Ignored,
        UrlEvent,
    ]


@pytest.mark.parametrize("event_type", ["Security", "alert", 5])
def test_an_object_with_a_url_is_json_whatever_else_it_has(event_type: str | int) -> None:
    value = {"event_type": event_type, "url": "http://a.example/", "src_ip": "10.0.0.1"}
    assert read(json.dumps(value).encode()) == [
        ("json", UrlEvent("url", "http://a.example/", "10.0.0.1"))
    ]


def test_another_programs_events_are_not_passed_over_as_suricatas() -> None:
    assert observed(b'{"event_type":"Security","host":"a.example","client":"10.0.0.1"}') == [
        "a.example"
    ]
    assert reasons(b'{"event_type":"Security","domain":"a.example"}') == [RejectReason.NO_URL]


def test_events_that_carry_their_own_message_stay_what_they_are() -> None:
    for name in ("suricata", "zeek_dns", "zeek_http"):
        event = json.loads(LINES[name]) | {
            "message": "as text",
            "log": "x",
            "event": {"original": "y"},
        }
        assert read(json.dumps(event).encode()) == read(LINES[name])


@pytest.mark.parametrize(
    "line",
    [
        DNSMASQ_QUERY % b"10.1",
        LINES["zeek_dns"].replace(b"example.com", b"10.1"),
        ZEEK_DNS_TSV.replace(b"example.com", b"10.1"),
        b'{"event_type":"dns","dns":{"type":"query","rrname":"10.1"}}',
    ],
    ids=["dnsmasq", "zeek, JSON", "zeek, TSV", "suricata"],
)
def test_a_number_that_was_asked_for_becomes_no_address(line: bytes) -> None:
    ((_, result),) = read(line)
    assert isinstance(result, Ignored)


def test_a_format_is_found_by_its_name() -> None:
    for name, source in SOURCES.items():
        assert source_named(name) is source
    with pytest.raises(SettingsError, match=r"'syslog'.*dnsmasq"):
        source_named("syslog")


def test_a_broken_array_of_objects_is_broken_json() -> None:
    value = b'[{"url":"http://a.example/"},{"url":"http://b'
    ((_, fault),) = read_record(value, source=None, lines_max=9)
    assert isinstance(fault, Rejected)
    assert fault.reason is RejectReason.MALFORMED
    assert "JSON" in fault.detail or "truncated" in fault.detail
