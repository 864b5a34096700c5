"""What formats share."""

import pytest

from stream_detector.events import Rejected, RejectReason
from stream_detector.sources.base import Source, decode_text
from stream_detector.sources.registry import SOURCES


def test_text_is_decoded_as_utf8() -> None:
    assert decode_text("b\xfccher.example\t\U0001f512".encode()) == "bücher.example\t\U0001f512"
    assert decode_text(b"") == ""


@pytest.mark.parametrize("line", [b"abc\xff", b"abc\xc3", b"abc\xed\xa0\x80", b"abc\xc0\xaf"])
def test_what_is_no_utf8_is_rejected_with_its_place(line: bytes) -> None:
    assert decode_text(line) == Rejected(RejectReason.NOT_UTF8, "byte 3 is not UTF-8")


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_a_record_without_header_lines_is_read_by_the_format_itself(source: Source) -> None:
    assert source.for_record([b"example.com", b"{}"]) is source
