"""JSON decoding: what is wrong with an object is told apart, and nothing raises."""

import msgspec
import pytest

from stream_detector.events import Rejected, RejectReason
from stream_detector.sources.json_record import (
    JsonRecord,
    decode_json,
    decode_json_array,
)

FAULTS = {
    b"{": RejectReason.MALFORMED,
    b'{"url":"http://example.com/"': RejectReason.MALFORMED,
    b'{"url":"http://example.com/"} {}': RejectReason.MALFORMED,
    b'{"url":"http://example.com/",}': RejectReason.MALFORMED,
    b"{'url':'http://example.com/'}": RejectReason.MALFORMED,
    b'{"url":"\\ud800"}': RejectReason.MALFORMED,
    b'{"url":"a\nb"}': RejectReason.MALFORMED,
    b'{"other":' * 100_000: RejectReason.MALFORMED,
    b'{"url":["http://example.com/"]}': RejectReason.WRONG_TYPE,
    b'{"url":5}': RejectReason.WRONG_TYPE,
    b'{"host":{"name":"example.com"}}': RejectReason.WRONG_TYPE,
    b'{"time":true,"url":"http://example.com/"}': RejectReason.WRONG_TYPE,
    b'{"time":1e999,"url":"http://example.com/"}': RejectReason.WRONG_TYPE,
    b'{"id":' + b"9" * 5000 + b"}": RejectReason.WRONG_TYPE,
    b'{"id.resp_p":"80"}': RejectReason.WRONG_TYPE,
    b'{"url":"\xff"}': RejectReason.NOT_UTF8,
    b'{"\xff":"http://example.com/"': RejectReason.NOT_UTF8,
}


@pytest.mark.parametrize(("line", "reason"), FAULTS.items(), ids=[ascii(f[:40]) for f in FAULTS])
def test_each_fault_has_its_reason(line: bytes, reason: RejectReason) -> None:
    in_array = decode_json_array(b"[" + line + b"]")
    for fault in (decode_json(line), in_array[0] if isinstance(in_array, list) else in_array):
        assert isinstance(fault, Rejected)
        assert fault.reason is reason
        assert 0 < len(fault.detail) < 200


def test_fields_that_no_format_reads_may_hold_anything() -> None:
    record = decode_json(b'{"url":"http://example.com/","user":{"name":["a",null]},"dns":7}')
    assert isinstance(record, JsonRecord)
    assert record.url == "http://example.com/"


def test_broken_utf8_in_a_field_that_is_not_read_costs_no_event() -> None:
    record = decode_json(b'{"user_agent":"caf\xe9","host":"example.com"}')
    assert isinstance(record, JsonRecord)
    assert record.host == "example.com"


def test_null_is_as_good_as_absent() -> None:
    record = decode_json(b'{"url":null,"host":"example.com","time":null,"id":null,"uid":null}')
    assert isinstance(record, JsonRecord)
    assert (record.url, record.host, record.time, record.id) == (None, "example.com", None, None)


def test_an_array_is_as_many_objects() -> None:
    records = decode_json_array(b'[{"url":"http://a.example/"},\n {"host":"b.example"}, {}]')
    assert isinstance(records, list)
    assert [(record.url, record.host) for record in records] == [
        ("http://a.example/", None),
        (None, "b.example"),
        (None, None),
    ]


def test_an_array_of_something_else_is_refused() -> None:
    (fault,) = decode_json_array(b'["http://example.com/"]')
    assert isinstance(fault, Rejected)
    assert fault.reason is RejectReason.WRONG_TYPE


def test_an_element_at_fault_costs_the_others_nothing() -> None:
    first, fault, last = decode_json_array(b'[{"url":"a.example/x"}, {"url":5}, {"host":"b.c"}]')
    assert (first.url, last.host) == ("a.example/x", "b.c")
    assert fault.reason is RejectReason.WRONG_TYPE


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (b"null", RejectReason.WRONG_TYPE),
        (b'{"sni":7}', RejectReason.WRONG_TYPE),
        (b'{"sni":"\xff"}', RejectReason.NOT_UTF8),
    ],
)
def test_a_part_at_fault_is_refused(part: bytes, reason: RejectReason) -> None:
    decoder = msgspec.json.Decoder(dict[str, str])
    fault = decode_part(msgspec.Raw(part), decoder)
    assert isinstance(fault, Rejected)
    assert fault.reason is reason
