"""What was found, in words."""

import re

import pytest

from support.compared import BEFORE, RECENT, UNKNOWN, drift_of
from support.drifting import INJECTED_TOPIC, injected, ordinary, verdict_record
from trainer.drift.rendering import interpretation, lines_of


def test_the_text_names_the_drift_and_cannot_play_with_the_terminal():
    strange = verdict_record(
        "a.example/x", "a.example", hours_ago=1, model=UNKNOWN, topic="proxy\x1b[31m"
    )
    found = drift_of(
        ordinary(2000, UNKNOWN, hours=BEFORE),
        ordinary(1200, UNKNOWN, hours=RECENT, seed=1),
        injected(300, UNKNOWN),
        [strange],
    )
    lines = list(lines_of(found))
    text = "\n".join(lines)
    assert "\x1b" not in text
    assert "proxy\\x1b[31m" in text
    (heading,) = (line for line in lines if line.startswith("  PSI "))
    assert re.split(r" {2,}", heading.strip()) == [
        *("PSI", "recent to baseline", "recent to reference", "baseline to reference"),
        "what moved most",
    ]
    (score,) = (line for line in lines if line.startswith("  score "))
    assert score.split()[2] == "moved"
    (topic,) = (line for line in lines if line.startswith(f"    {INJECTED_TOPIC} "))
    assert topic.split()[1:3] == ["300", "300"]
    assert "not your network" in text.replace("\n", " ")
    assert "Beware" not in text


def test_few_texts_come_with_a_warning():
    found = drift_of(ordinary(50, UNKNOWN, hours=RECENT))
    assert any("Beware: with few recent texts" in line for line in lines_of(found))


@pytest.mark.parametrize(
    ("psi", "word"),
    [(0, "stable"), (0.0999, "stable"), (0.1, "look"), (0.25, "look"), (0.2501, "moved")],
)
def test_an_index_is_put_into_words(psi, word):
    assert interpretation(psi) == word
