"""JSON decoding: what is wrong with an object is told apart, and nothing raises."""

import msgspec
import pytest

from stream_detector.events import Rejected, RejectReason
from stream_detector.sources.json_record import (
    FaultyRecord,
    JsonRecord,
    PartDecoder,
    decode_json,
    decode_json_array,
    decode_part,
)

BROKEN = {
    b"{": RejectReason.MALFORMED,
    b'{"url":"http://example.com/"': RejectReason.MALFORMED,
    b'{"url":"http://example.com/"} {}': RejectReason.MALFORMED,
    b'{"url":"http://example.com/",}': RejectReason.MALFORMED,
    b"{'url':'http://example.com/'}": RejectReason.MALFORMED,
    b'{"url":"\\ud800"}': RejectReason.MALFORMED,
    b'{"url":"a\nb"}': RejectReason.MALFORMED,
    b'{"other":' * 100_000: RejectReason.MALFORMED,
    b'{"\xff":"http://example.com/"': RejectReason.NOT_UTF8,
    b'"http://example.com/"': RejectReason.WRONG_TYPE,
    b"[]": RejectReason.WRONG_TYPE,
}


@pytest.mark.parametrize(("line", "reason"), BROKEN.items(), ids=[ascii(f[:40]) for f in BROKEN])
def test_what_is_no_object_has_its_reason(line: bytes, reason: RejectReason) -> None:
    fault = decode_json(line)
    assert isinstance(fault, Rejected)
    assert fault.reason is reason
    assert 0 < len(fault.detail) < 200


DROPPED = {
    b'{"url":["http://example.com/"],"uid":"C1"}': RejectReason.WRONG_TYPE,
    b'{"url":5,"uid":"C1"}': RejectReason.WRONG_TYPE,
    b'{"host":[],"uid":"C1"}': RejectReason.WRONG_TYPE,
    b'{"time":true,"uid":"C1"}': RejectReason.WRONG_TYPE,
    b'{"time":1e999,"uid":"C1"}': RejectReason.WRONG_TYPE,
    b'{"id":' + b"9" * 5000 + b',"uid":"C1"}': RejectReason.WRONG_TYPE,
    b'{"flow_id":[1],"uid":"C1"}': RejectReason.WRONG_TYPE,
    b'{"url":"\xff","uid":"C1"}': RejectReason.NOT_UTF8,
}


@pytest.mark.parametrize(("line", "reason"), DROPPED.items(), ids=[ascii(f[:40]) for f in DROPPED])
def test_a_field_at_fault_is_dropped_and_the_others_are_kept(
    line: bytes, reason: RejectReason
) -> None:
    record = decode_json(line)
    assert isinstance(record, FaultyRecord)
    assert record.uid == "C1"
    ((name, fault),) = record.faults.items()
    assert fault.reason is reason
    assert getattr(record, name) is None
    assert f"$.{name}" in fault.detail


def test_objects_that_shippers_put_into_known_fields_are_no_fault() -> None:
    record = decode_json(b'{"host":{"name":"a"},"url":{"full":"b"},"client":{},"id":{},"uid":"C1"}')
    assert isinstance(record, JsonRecord)
    assert not isinstance(record, FaultyRecord)


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


def test_an_array_is_as_many_elements() -> None:
    assert decode_json_array(b'[{"url":"a"},\n {"host":5}, {}, "x"]') == [
        b'{"url":"a"}',
        b'{"host":5}',
        b"{}",
        b'"x"',
    ]
    assert isinstance(decode_json_array(b"[{},"), Rejected)


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


class _Part(msgspec.Struct):
    name: str | None = None
    port: int | None = None


def test_of_a_part_only_the_needed_fields_have_to_be_right() -> None:
    decoder = PartDecoder(_Part, needed=frozenset({"name"}))
    assert decoder.decode(msgspec.Raw(b'{"name":"a","port":"80"}')) == _Part("a")
    for content in (b'{"name":5,"port":80}', b'"a"', b"null"):
        fault = decoder.decode(msgspec.Raw(content))
        assert isinstance(fault, Rejected)
        assert fault.reason is RejectReason.WRONG_TYPE
