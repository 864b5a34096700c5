"""What a shadow adds to the outcomes."""

from typing import Any

import numpy as np

from stream_detector.events import (
    Counts,
    Disagreement,
    ModelRef,
    SourcePosition,
    Thresholds,
    VerdictPair,
)
from stream_detector.models.announcement import Announcement
from stream_detector.models.base import ServedModel
from stream_detector.wire.outcomes import encode
from support.pipelines import START, Bench, line


class TestShadow:
    """What a shadow adds to the outcomes."""

    REF = ModelRef("shadow", "2", "1" * 64)
    THRESHOLDS = Thresholds(0.5, 0.9)

    def served(self) -> ServedModel:
        return ServedModel(self.REF, self.THRESHOLDS)

    def with_shadow(self) -> Bench:
        """A bench whose shadow finds everything suspicious."""

        class Suspicious:
            served = self.served()

            def score(self, texts: Any) -> Any:
                return np.full(len(texts), 0.75, np.float32)

        bench = Bench()
        announcement = Announcement(
            self.REF.name,
            "url",
            self.REF.version,
            self.REF.sha256,
            "",
            self.THRESHOLDS,
            START,
            role="shadow",
            share=1.0,
        )
        bench.shadows.start(announcement, Suspicious())
        return bench

    VALUES = (
        b"not a url, nor a host",
        line("http://odd.com/x"),
        line("http://a.com/x") + b"\n" + line("http://www.evil.com/x"),
        line("https://evil.com/x"),
    )

    def test_disagreements_name_the_first_event_with_their_text(self) -> None:
        outcomes = self.with_shadow().process(self.VALUES, first=7)

        counts, *disagreements = outcomes.comparisons
        assert isinstance(counts, Counts)
        assert (counts.id, counts.texts, counts.share) == ("lab:url-events:0:7:url", 3, 1.0)
        assert counts.verdicts == (
            VerdictPair("benign", "suspicious", 1),
            VerdictPair("malicious", "suspicious", 1),
            VerdictPair("suspicious", "suspicious", 1),
        )
        assert [(each.canonical, each.id) for each in disagreements] == [
            ("a.com/x", "lab:url-events:0:9:0"),
            ("evil.com/x", "lab:url-events:0:9:1"),
        ]
        evil = disagreements[1]
        assert isinstance(evil, Disagreement)
        assert evil.source == SourcePosition("url-events", 0, 9, 1)
        assert (evil.host, evil.registered_domain, evil.compared_at) == ("evil.com",) * 2 + (START,)
        assert (evil.served.verdict, evil.shadow.verdict) == ("malicious", "suspicious")
        assert evil.shadow.model == self.REF

    def test_everything_else_is_unchanged(self) -> None:
        outcomes, without = self.with_shadow().process(self.VALUES), Bench().process(self.VALUES)

        assert outcomes[:3] == without[:3]
        assert (without.comparisons, len(outcomes.comparisons)) == ([], 3)

    def test_the_counts_of_a_record_in_several_parts_do_not_take_each_other_s_place(self) -> None:
        urls = b"\n".join(b"http://h%d.example/" % number for number in range(2_000))
        outcomes = self.with_shadow().process([urls])
        counts = [each for each in outcomes.comparisons if isinstance(each, Counts)]
        assert [each.id for each in counts] == [
            "lab:url-events:0:0:url",
            "lab:url-events:0:0:1024:url",
        ]
        assert sum(each.texts for each in counts) == 2_000

    def test_a_replay_gives_the_same_records_and_a_repetition_none(self) -> None:
        bench = self.with_shadow()
        first = encode(bench.process(self.VALUES, first=3)).comparisons

        assert bench.process(self.VALUES, first=10).comparisons == []
        replayed = encode(self.with_shadow().process(self.VALUES, first=3)).comparisons
        assert replayed == first
        assert [key for key, _, _ in first] == [b"counts/url", b"a.com", b"evil.com"]
