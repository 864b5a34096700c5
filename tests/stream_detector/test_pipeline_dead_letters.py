"""A record at fault becomes one dead letter, and its neighbours get their verdicts."""

import pytest

from stream_detector.errors import DeviceError, ModelError
from stream_detector.events import (
    Chunk,
    RejectReason,
    UnreadRecord,
)
from stream_detector.limits import RECORD_LINES_MAX
from stream_detector.logs.record_fields import fields_of
from stream_detector.wire.outcomes import dead_letter_headers, encode
from support.pipelines import Bench, Record, line
from support.scoring import WordScorer


class TestRecordsOfSeveralLines:
    def test_each_line_has_its_index(self) -> None:
        outcomes = Bench().process([b"a.com\nb.com\nhttp://c.com/x"])
        assert [v.sighting.id for v in outcomes.verdicts] == [
            f"lab:url-events:0:0:{n}" for n in range(3)
        ]

    def test_a_line_at_fault_gives_a_dead_letter_and_the_others_give_verdicts(self) -> None:
        value = b"a.com\nexa mple\nb.com\nhttp://\nc.com"
        outcomes = Bench().process([value])
        assert [v.decision.canonical.text for v in outcomes.verdicts] == ["a.com", "b.com", "c.com"]
        (letter,) = outcomes.dead_letters
        assert letter.value == value
        assert letter.source.index == 1

    def test_a_log_line_counts_new_dead_letters(self, caplog: pytest.LogCaptureFixture) -> None:
        bench = Bench()
        bench.process([b"exa mple"])
        bench.process([b"exa mple", b"http://"])
        assert caplog.messages == ["1 record became a dead letter", "2 records became dead letters"]

    def test_the_counts_of_a_log_line_are_one_list_whatever_the_topics_are_called(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        Bench().process([b"a.com", b"exa mple", b"", b"http://"], first=7)
        (record,) = caplog.records
        fields = fields_of(record)
        assert list(fields) == ["counts"]
        assert [(each["topic"], each["reason"], each["count"]) for each in fields["counts"]] == [
            ("url-events", "unknown_format", 1),
            ("url-events", "empty", 1),
            ("url-events", "invalid_url", 1),
        ]
        assert [(e["first_partition"], e["first_offset"]) for e in fields["counts"]] == [
            (0, 8),
            (0, 9),
            (0, 10),
        ]

    def test_a_fault_of_the_model_counts_if_it_comes_first(self) -> None:
        bench = Bench(WordScorer(raises_on=["b.com"]))
        (letter,) = bench.process([b"a.com\nb.com\nexa mple"]).dead_letters
        assert (letter.reason, letter.source.index) == (RejectReason.MODEL_ERROR, 1)

    def test_a_fault_of_the_model_does_not_hide_an_earlier_one(self) -> None:
        bench = Bench(WordScorer(raises_on=["b.com"]))
        (letter,) = bench.process([b"a.com\nexa mple\nb.com"]).dead_letters
        assert (letter.reason is RejectReason.MODEL_ERROR, letter.source.index) == (False, 1)

    def test_more_lines_than_allowed_make_a_dead_letter(self) -> None:
        (letter,) = Bench().process([b"a.com\n" * (RECORD_LINES_MAX + 1)]).dead_letters
        assert letter.reason is RejectReason.TOO_MANY


class TestDeadLetters:
    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            (None, RejectReason.EMPTY),
            (b"", RejectReason.EMPTY),
            (b" \r\n ", RejectReason.EMPTY),
            (b"\xff\xfe\xfd", RejectReason.NOT_UTF8),
            (b'{"url": "http://a.com/"', RejectReason.MALFORMED),
            (b"[" * 100_000, None),
            (b'{"url": ["http://a.com/"]}', RejectReason.WRONG_TYPE),
            (b'{"url": "http:///"}', RejectReason.NO_URL),
            (b'{"host": "a..b c"}', RejectReason.INVALID_HOST),
            (b'{"url": "http://a.com/%s"}' % (b"x" * 70_000), RejectReason.TOO_LONG),
        ],
    )
    def test_poison_becomes_a_dead_letter_and_its_neighbours_get_verdicts(
        self, value: bytes | None, reason: RejectReason | None
    ) -> None:
        bench = Bench()
        outcomes = bench.process([b"a.com", value, b"b.com"])
        assert [v.sighting.source.offset for v in outcomes.verdicts] == [0, 2]
        (letter,) = outcomes.dead_letters
        assert letter.value == value
        assert letter.key == b"key"
        assert letter.record_time == 1_700_000_000_000
        assert (letter.source.offset, letter.source.index) == (1, 0)
        assert reason is None or letter.reason is reason
        assert letter.detail
        labels = {"topic": "url-events", "reason": letter.reason.value}
        assert bench.metric("dead_letters_total", **labels) == 1

    def test_a_record_that_is_too_long_is_not_parsed(self) -> None:
        bench = Bench(record_bytes_max=100)
        longest = line("http://a.com/").ljust(100)
        outcomes = bench.process([longest, longest + b" "])
        assert [v.sighting.source.offset for v in outcomes.verdicts] == [0]
        (letter,) = outcomes.dead_letters
        assert letter.reason is RejectReason.TOO_LARGE
        assert letter.value == longest + b" "
        assert "record_bytes_max" in letter.detail

    def test_a_url_whose_canonical_form_is_too_long_for_kafka_is_refused(self) -> None:
        bench = Bench()
        outcomes = bench.process([line("http://evil.com/" + "\U0001f600" * 65_000)])
        assert [letter.reason for letter in outcomes.dead_letters] == [RejectReason.TOO_LONG]
        assert bench.scorer.calls == []

    def test_whatever_a_record_says_its_outputs_fit_into_kafka(self) -> None:
        values = [
            line("http://evil.com/" + "\\" * 60_000, client="\x01" * 100_000),
            line("http://evil.com/x?" + "a" * 65_000, client="c", id="\x01" * 150_000),
            line("\x01" * 65_000 + "evil.com", client="d"),
        ]
        encoded = encode(Bench().process(values))
        assert len(encoded.verdicts) == len(encoded.alerts) == len(values)
        for key, value, _ in encoded.verdicts + encoded.alerts:
            assert len(key or b"") < 1000
            assert len(value or b"") < 1_000_000

    def test_dead_letters_come_in_order_of_input_whoever_found_the_fault(self) -> None:
        bench = Bench(WordScorer(raises_on=["model-fault.com"]))
        outcomes = bench.process([b"model-fault.com", None, b"http://", b"a.com"])
        assert [letter.source.offset for letter in outcomes.dead_letters] == [0, 1, 2]
        assert [v.sighting.source.offset for v in outcomes.verdicts] == [3]

    def test_a_dead_letter_names_the_format_of_its_line_and_a_replayed_letter(self) -> None:
        bench = Bench()
        replayed = Record(7, b"http://", headers=(("replay-of", b"url-events-dlq:3:17"),))
        first = bench.process([b'{"neither": 1}', b"\xff", b"http://"]).dead_letters
        (second,) = bench.pipeline.process([Chunk("url-events", 0, [replayed])]).dead_letters
        assert [letter.format for letter in first] == ["json", "", "plain"]
        assert {letter.replay_of for letter in first} == {b""}
        assert (second.format, second.replay_of) == ("plain", b"url-events-dlq:3:17")


class TestFaultsOfTheModel:
    def test_the_record_at_fault_is_a_dead_letter_and_the_others_get_verdicts(self) -> None:
        bench = Bench(WordScorer(raises_on=["h33.com"]))
        outcomes = bench.process(f"h{number}.com".encode() for number in range(100))
        assert [letter.source.offset for letter in outcomes.dead_letters] == [33]
        assert outcomes.dead_letters[0].reason is RejectReason.MODEL_ERROR
        assert [v.sighting.source.offset for v in outcomes.verdicts] == [
            n for n in range(100) if n != 33
        ]

    def test_a_model_that_fails_on_all_blames_no_record(self) -> None:
        with pytest.raises(ModelError):
            Bench(WordScorer(raises_on_all=True)).process([b"a.com"])

    def test_a_failing_device_blames_no_record(self) -> None:
        scorer = WordScorer(raises_on_all=True)
        scorer.error = DeviceError("out of memory")
        with pytest.raises(DeviceError):
            Bench(scorer).process([b"a.com"])


def test_a_record_that_was_not_decompressed_is_a_letter_that_a_replay_reads_again():
    (letter,) = Bench().pipeline.process([Chunk("url-events", 0, [UnreadRecord(5)])]).dead_letters
    assert letter.reason is RejectReason.TOO_LARGE
    assert (letter.source.offset, letter.withheld) == (5, ("contents",))
    assert b"not decompressed" in dict(dead_letter_headers(letter))["detail"]


def test_unread_records_become_one_letter_that_names_their_offsets():
    chunk = Chunk("url-events", 0, [UnreadRecord(1_000_004, records=1_000_000)])
    (letter,) = Bench().pipeline.process([chunk]).dead_letters
    assert letter.source.offset == 1_000_004
    assert "offsets 5 to 1000004 not decompressed" in letter.detail
