"""The limits hold together: what one allows, the others can take."""

from stream_detector import limits
from stream_detector.events import DeadLetter, RejectReason, SourcePosition
from stream_detector.privacy.letter_bytes import letter_without_credentials
from stream_detector.settings.fields import Settings
from stream_detector.wire.outcomes import dead_letter_headers

HEADERS_BYTES_MAX = 4_096


def test_every_limit_is_a_whole_number_with_its_unit_in_its_name():
    names = [name for name in vars(limits) if name.isupper()]
    for name in names:
        assert isinstance(getattr(limits, name), int)
        units = {"BYTES", "CHARACTERS", "EVENTS", "HEADERS", "LINES", "MILLISECONDS", "RECORDS"}
        assert units & set(name.split("_")), name


def test_the_default_of_a_setting_is_that_of_the_table():
    assert Settings().record_bytes_max == limits.RECORD_BYTES_MAX


def test_the_largest_dead_letter_fits_a_message_of_kafka_s_default():
    letter = letter_without_credentials(
        DeadLetter(
            b":@\n" * limits.RECORD_BYTES_MAX,
            b":@\n" * limits.RECORD_BYTES_MAX,
            RejectReason.UNKNOWN_FORMAT,
            "no log format recognises the line",
            SourcePosition("t" * 249, 2**31, 2**62, 10_000),
            2**62,
            replay_of=b"r" * limits.REPLAY_OF_BYTES_MAX,
        )
    )
    parts = [letter.key, letter.value, *(v for _, v in dead_letter_headers(letter))]
    assert sum(len(part or b"") for part in parts) + HEADERS_BYTES_MAX < limits.MESSAGE_BYTES_MAX


def test_each_step_yields_less_at_once_than_the_next_one_holds():
    assert limits.RECORD_BYTES_MAX <= limits.CHUNK_BYTES_MAX <= limits.BATCH_BYTES_MAX
    assert limits.BATCH_BYTES_MAX < limits.BUFFERED_BYTES_MAX
    assert 2 * limits.RECORD_BYTES_MAX <= limits.DECOMPRESSED_BYTES_MAX
    assert limits.LONE_MESSAGE_BYTES < limits.IN_FLIGHT_BYTES_MAX
    assert limits.LETTER_SHORT_BYTES_MAX <= limits.LETTER_VALUE_BYTES_MAX
