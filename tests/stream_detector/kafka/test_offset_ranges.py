"""Ranges of offsets as they are typed, and in files."""

import pytest

from stream_detector.errors import SettingsError
from stream_detector.kafka.offset_ranges import OffsetRange, merged_ranges, read_ranges


def test_a_range_is_read_as_it_is_written() -> None:
    written = "url-events:3:1200-1249"
    (read,) = read_ranges([written], "--from")
    assert read == OffsetRange("url-events", 3, 1200, 1249)
    assert (str(read), read.offsets) == (written, 50)


def test_a_file_may_hold_comments_empty_lines_and_single_offsets() -> None:
    lines = ["# of tonight\n", "\n", " a.b_c:0:7 \r\n", "a:1:0-0\n"]
    assert read_ranges(lines, "f") == [OffsetRange("a.b_c", 0, 7, 7), OffsetRange("a", 1, 0, 0)]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("url-events:3", "f, line 2: 'url-events:3' is no range of offsets: write TOPIC:PARTITION"),
        ("url-events:3:12-", "is no range"),
        ("url-events:-1:1-2", "is no range"),
        ("a b:1:1-2", "is no range"),
        ("url-events:3:12-11", "ends before it begins"),
    ],
)
def test_a_line_without_a_range_is_named_with_its_number(text: str, fault: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read_ranges(["", text], "f")
    assert fault in str(caught.value)


def test_ranges_that_overlap_or_touch_are_one() -> None:
    texts = ["a:0:5-9", "b:0:0-1", "a:0:0-4", "a:1:10-11", "a:0:8-20", "a:0:22-22", "a:0:6-7"]
    merged = merged_ranges(read_ranges(texts, "--from"))
    assert list(map(str, merged)) == ["a:0:0-20", "a:0:22-22", "a:1:10-11", "b:0:0-1"]
