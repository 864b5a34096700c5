"""Batches whose records name many hosts or take long: the parts, and where each ends."""

import pytest

from stream_detector import batch_reading
from support.pipelines import Bench, chunk


class TestParts:
    """Batches whose records name many hosts."""

    LINES = b"\n".join(b"h%d.example" % number for number in range(600))
    MANY_LINES = b"\n".join(b"h%d.example" % number for number in range(9_999))

    @pytest.fixture(autouse=True)
    def _slow_machine(self, monkeypatch):
        monkeypatch.setattr(batch_reading, "PART_MILLISECONDS", 60_000)

    def parts(self, chunks):
        return list(Bench().pipeline.parts(chunks))

    def test_a_usual_batch_is_one_part(self):
        chunks = [chunk([b"a.com"] * 2000), chunk([b"b.com"] * 2000, partition=1)]
        ((outcomes, ended),) = self.parts(chunks)
        assert (len(outcomes.verdicts), ended) == (4000, 2)

    def test_a_part_ends_within_the_record_that_fills_it(self):
        chunks = [chunk([self.LINES] * 2), chunk([self.LINES, None, b"last.com"], partition=1)]
        parts = self.parts(chunks)
        assert [len(outcomes.verdicts) for outcomes, _ in parts] == [1_025, 776]
        assert [ended for _, ended in parts] == [0, 2]
        assert [len(outcomes.dead_letters) for outcomes, _ in parts] == [0, 1]
        assert parts[1][0].dead_letters[0].source.offset == 1

    def test_the_events_of_one_record_are_parts_with_the_same_ids_in_order(self):
        parts = self.parts([chunk([self.MANY_LINES])])
        assert [len(outcomes.verdicts) for outcomes, _ in parts] == [1_024] * 9 + [783]
        assert [ended for _, ended in parts] == [0] * 9 + [1]
        ids = [verdict.sighting.id for outcomes, _ in parts for verdict in outcomes.verdicts]
        assert ids == [f"lab:url-events:0:0:{number}" for number in range(9_999)]

    @pytest.mark.parametrize("fault", [b"what is this", b"http://[/"])
    def test_a_record_in_several_parts_is_one_letter_that_names_its_first_fault(self, fault):
        lines = self.MANY_LINES.splitlines()
        lines[10] = lines[20] = lines[9_000] = fault
        bench = Bench()
        parts = list(bench.pipeline.parts([chunk([b"\n".join(lines), b"a.com", None])]))
        assert sum(len(outcomes.verdicts) for outcomes, _ in parts) == 9_999 - 3 + 1
        letters = [outcomes.dead_letters for outcomes, _ in parts]
        assert not any(letters[:-1])
        assert [(each.source.offset, each.source.index) for each in letters[-1]] == [
            (0, 10),
            (2, 0),
        ]
        assert bench.metric("records_total", topic="url-events") == 3

    def test_a_record_whose_last_event_fills_a_part_ends_with_it(self):
        lines = b"\n".join(self.MANY_LINES.splitlines()[:1_024])
        parts = self.parts([chunk([lines]), chunk([b"a.com"], partition=1)])
        assert [(len(outcomes.verdicts), ended) for outcomes, ended in parts] == [
            (1_024, 1),
            (1, 2),
        ]

    def test_a_part_ends_with_the_record_that_takes_too_long_to_read(self, monkeypatch):
        monkeypatch.setattr(batch_reading, "PART_MILLISECONDS", 0)
        parts = self.parts([chunk([b"a.com"] * 3), chunk([b"b.com"], partition=1)])
        assert [len(outcomes.verdicts) for outcomes, _ in parts] == [1, 1, 1, 1]
        assert [ended for _, ended in parts] == [0, 0, 1, 2]

    def test_a_part_ends_with_the_text_that_fills_it_also_within_a_record(self):
        lines = b"\n".join(b"http://a.com/%d" % number + b":@/" * 20_000 for number in range(12))
        parts = self.parts([chunk([lines] * 2), chunk([b"b.com"], partition=1)])
        assert [len(outcomes.verdicts) for outcomes, _ in parts] == [9, 9, 7]
        assert [ended for _, ended in parts] == [0, 0, 2]
        ids = [verdict.sighting.id for outcomes, _ in parts for verdict in outcomes.verdicts]
        assert len(set(ids)) == 25

    def test_a_part_ends_with_dead_letters_that_take_long_to_mask(self):
        large = b"a.b\n" * 200_000
        parts = self.parts([chunk([large] * 3), chunk([b"what is this"] * 50, partition=1)])
        assert [len(outcomes.dead_letters) for outcomes, _ in parts] == [1, 1, 1, 50]
        assert [ended for _, ended in parts] == [0, 0, 1, 2]

    def test_all_parts_together_are_the_outcomes_of_the_batch(self):
        chunks = [chunk([self.LINES] * 4 + [None])]
        whole = Bench().pipeline.process(chunks)
        assert (len(whole.verdicts), len(whole.dead_letters)) == (2_400, 1)
