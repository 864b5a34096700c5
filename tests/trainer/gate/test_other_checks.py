"""Calibration, thresholds and the newest labels: each passes and fails."""

import msgspec
import numpy as np
import pytest

from stream_detector.models.manifest import OperatingPoint, OperatingPoints
from support.bundles import small_manifest
from trainer.gate.calibration import check_calibration, check_thresholds
from trainer.gate.labels import VoicesOfRows, check_newest
from trainer.gate.options import GateOptions

OPTIONS = GateOptions()


def test_calibration_may_be_worse_by_at_most_the_margin():
    rng = np.random.default_rng(0)
    true = rng.random(20_000).astype(np.float32)
    labels = (rng.random(20_000) < true).astype(np.int8)
    slightly, much = np.clip(true + 0.005, 0, 1), np.clip(true + 0.05, 0, 1)

    assert check_calibration(slightly, true, labels, OPTIONS).passed
    refused = check_calibration(much, true, labels, OPTIONS)
    assert not refused.passed
    assert refused.figures["challenger"] > refused.figures["champion"] + 0.01
    assert "above it by more than 0.01" in refused.message
    assert check_calibration(true, much, labels, OPTIONS).passed
    assert "no champion" in check_calibration(much, None, labels, OPTIONS).message


@pytest.mark.parametrize(
    ("flagged", "rows", "passed"),
    [
        (100, 10_000, True),
        (190, 10_000, True),
        (215, 10_000, True),  # 2.15%, which chance gives where it is 2%.
        (260, 10_000, False),
        (4, 100, True),  # 4%, of so few that it says nothing.
    ],
)
def test_a_threshold_may_flag_twice_what_it_was_set_for_but_for_chance(flagged, rows, passed):
    point = OperatingPoint(threshold=0.5, false_positive_rate=0.01)
    rare = OperatingPoint(threshold=0.9, false_positive_rate=0.001)
    points = OperatingPoints(suspicious=point, malicious=rare)
    manifest = msgspec.structs.replace(small_manifest(), thresholds=points)
    scores = np.zeros(rows + 50, np.float32)
    scores[:flagged] = 0.6
    scores[rows:] = 1.0  # Malicious rows, which do not count.
    labels = np.repeat([0, 1], [rows, 50]).astype(np.int8)

    suspicious, malicious = check_thresholds(manifest, scores, labels)

    assert (suspicious.name, suspicious.passed) == ("suspicious threshold", passed)
    assert suspicious.figures["flagged"] == flagged / rows
    assert (malicious.passed, malicious.figures["flagged"]) == (True, 0.0)


def newest(gained, lost, both=100):
    labels = np.ones(gained + lost + both, np.int8)
    challenger = np.ones(len(labels), np.bool_)
    champion = challenger.copy()
    champion[:gained] = False
    challenger[gained : gained + lost] = False
    return check_newest(challenger, champion, labels, OPTIONS)


@pytest.mark.parametrize(
    ("gained", "lost", "passed"),
    [(0, 0, True), (0, 5, True), (0, 6, False), (10, 25, False), (10, 20, True), (30, 5, True)],
)
def test_the_newest_labels_refuse_a_model_that_is_worse_beyond_chance(gained, lost, passed):
    # Two-sided, of 6 discordant rows all lost: 2 / 2**6 = 0.031; of 5: 0.0625.
    check = newest(gained, lost)
    assert check.passed is passed
    assert (check.figures["gained"], check.figures["lost"]) == (gained, lost)


def of_voices(gained, lost):
    """The check on 100 labels of each honest voice, and 900 of a hostile one.

    ``gained`` and ``lost`` say which share of each voice's labels the challenger alone, or the
    champion alone, is right on.
    """
    voices = [voice for voice, count in VOICES.items() for _ in range(count)]
    labels = np.ones(len(voices), np.int8)
    place = np.concatenate([np.arange(count) / count for count in VOICES.values()])
    challenger = place >= np.array([lost.get(voice, 0) for voice in voices])
    champion = place < 1 - np.array([gained.get(voice, 0) for voice in voices])
    return check_newest(challenger, champion, labels, OPTIONS, VoicesOfRows(voices, 0.2))


VOICES = {"analyst mallory": 900} | {f"analyst honest{number}": 100 for number in range(5)}


def test_one_voice_hides_nothing_from_the_newest_labels_by_how_much_it_writes():
    honest = {voice: 0.3 for voice in VOICES if voice != "analyst mallory"}
    check = of_voices(gained={"analyst mallory": 1.0}, lost=honest)
    # 150 labels of five voices against 900 of one, which count as 125: a fifth of all.
    assert (check.figures["gained"], check.figures["lost"]) == (125, 150)
    assert check.figures["weight"] == pytest.approx(625)
    assert check.message.endswith(
        "; no voice has more than 20% of the weight: the 900 labels of analyst mallory count as 125"
    )
    honest = dict.fromkeys(honest, 0.4)
    assert not of_voices(gained={"analyst mallory": 1.0}, lost=honest).passed


def test_one_voice_refuses_nothing_by_how_much_it_writes():
    contrary = {"analyst mallory": 0.2}
    honest = {voice: 0.05 for voice in VOICES if voice != "analyst mallory"}
    assert of_voices(gained=honest, lost=contrary).passed
    voices, found = ["mallory"] * 900 + ["kim"] * 20, np.repeat([False, True], [900, 20])
    check = check_newest(found, ~found, np.ones(920, np.int8), OPTIONS, VoicesOfRows(voices, 0.2))
    assert check.passed, "of two voices each has half"
    assert "no voice has more than 50%" in check.message
    alone = check_newest(
        found[:900], ~found[:900], np.ones(900, np.int8), OPTIONS, VoicesOfRows(voices[:900], 0.2)
    )
    assert (alone.passed, alone.figures["lost"]) == (False, 900), "one alone is all there is"


def test_benign_labels_called_malicious_are_wrong():
    labels = np.zeros(20, np.int8)
    check = check_newest(np.ones(20, np.bool_), np.zeros(20, np.bool_), labels, OPTIONS)
    assert not check.passed
    assert (check.figures["challenger"], check.figures["champion"]) == (0.0, 1.0)


def test_no_newest_labels_and_no_champion_refuse_nothing():
    none = np.empty(0, np.bool_)
    assert check_newest(none, none, np.empty(0, np.int8), OPTIONS).passed
    alone = check_newest(np.zeros(3, np.bool_), None, np.ones(3, np.int8), OPTIONS)
    assert alone.passed
    assert alone.figures == {"rows": 3, "weight": 3.0, "challenger": 0.0}
