"""How a retraining ended, in a file that the watch reads."""

import pytest

from stream_detector.errors import StreamDetectorError
from stream_detector.events import ModelRef
from support.labels import NOON
from trainer.gate.decision import Check
from trainer.retraining.outcome import Outcome, read_outcome, remove_outcome, write_outcome

REFUSED = Outcome(
    "url",
    "refused",
    NOON,
    "detection at 1%: it finds less",
    "url-20261124.120000",
    ModelRef("m", "20261124.120000", "a" * 64),
    (Check("detection at 1%", False, "it finds less"), Check("calibration", True, "it holds")),
)


def test_each_kind_has_the_outcome_of_its_last_retraining(tmp_path):
    assert read_outcome(tmp_path, "url") is None
    write_outcome(tmp_path, Outcome("url", "published", NOON))
    write_outcome(tmp_path, REFUSED)
    write_outcome(tmp_path, Outcome("host", "failed", NOON, "the disk is full"))
    assert read_outcome(tmp_path, "url") == REFUSED
    assert read_outcome(tmp_path, "host") == Outcome("host", "failed", NOON, "the disk is full")
    assert {path.name for path in tmp_path.iterdir()} == {"url-outcome.json", "host-outcome.json"}


def test_one_that_begins_removes_the_outcome_before(tmp_path):
    write_outcome(tmp_path, REFUSED)
    remove_outcome(tmp_path, "url")
    remove_outcome(tmp_path, "host")
    assert read_outcome(tmp_path, "url") is None


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"kind": "url"}'])
def test_a_damaged_outcome_is_an_error_with_its_path(tmp_path, content):
    (tmp_path / "url-outcome.json").write_bytes(content)
    with pytest.raises(StreamDetectorError, match=r"url-outcome\.json can't be read"):
        read_outcome(tmp_path, "url")
