"""Who may be announced: on a decision for this very pair, or for a reason that is recorded."""

from datetime import UTC, datetime

import msgspec
import pytest

from stream_detector.events import ModelRef
from stream_detector.models.store import ModelStore
from support.bundles import save_small_bundle
from trainer.gate.admission import NotAdmittedError, Reigning, check_admitted, force
from trainer.gate.decision import Check, GateDecision, GateError
from trainer.publishing.storing import store_bundle

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CHALLENGER, CHAMPION, OTHER = (ModelRef("m", version, version * 64) for version in "abc")
ANNOUNCED = Reigning("url", CHAMPION, is_announced=True)
PASSED = GateDecision(
    challenger=CHALLENGER,
    champion=CHAMPION,
    kind="url",
    passed=True,
    decided_at=NOW,
    rules=None,
    rows=None,
    checks=(Check("calibration", True, "it holds"),),
)
REFUSED = msgspec.structs.replace(
    PASSED,
    passed=False,
    checks=(*PASSED.checks, Check("must alert", False, "x.example is missed")),
)


def test_a_decision_that_passed_on_this_pair_admits():
    check_admitted(CHALLENGER, ANNOUNCED, PASSED)


@pytest.mark.parametrize("is_announced", [True, False])
def test_the_model_that_serves_already_needs_none(is_announced):
    check_admitted(CHAMPION, ANNOUNCED._replace(is_announced=is_announced), None)


def test_the_first_of_a_kind_needs_one_against_what_serves_unannounced():
    unannounced = ANNOUNCED._replace(is_announced=False)
    with pytest.raises(NotAdmittedError, match="the url model that serves while none is announced"):
        check_admitted(CHALLENGER, unannounced, None)
    check_admitted(CHALLENGER, unannounced, PASSED)


@pytest.mark.parametrize(
    ("decision", "message"),
    [
        (None, "has not been compared with the url model announced now"),
        (REFUSED, "the gate refused m a .*: must alert: x.example is missed"),
        (msgspec.structs.replace(PASSED, challenger=OTHER), "is on another bundle"),
        (msgspec.structs.replace(PASSED, champion=OTHER), "was compared with another"),
        (msgspec.structs.replace(PASSED, champion=None), "was compared with no other"),
    ],
)
def test_any_other_decision_does_not_admit_and_the_error_says_how_to_get_one(decision, message):
    with pytest.raises(NotAdmittedError, match=message) as caught:
        check_admitted(CHALLENGER, ANNOUNCED, decision)
    assert '--force "REASON"' in str(caught.value)
    if decision is not REFUSED:
        assert "stream-trainer gate BUNDLE --champion served" in str(caught.value)


def test_a_reason_admits_and_keeps_the_findings():
    forced = force(CHALLENGER, ANNOUNCED, REFUSED, "  a\ndrill ")
    check_admitted(CHALLENGER, ANNOUNCED, forced)
    assert forced == msgspec.structs.replace(REFUSED, forced_because="a drill")
    assert forced.announced()["forced_because"] == "a drill"
    assert forced.announced()["champion"] == CHAMPION.sha256
    assert [check["passed"] for check in forced.announced()["checks"]] == [True, False]


@pytest.mark.parametrize("decision", [None, msgspec.structs.replace(PASSED, champion=OTHER)])
def test_a_reason_without_a_decision_on_this_pair_says_that_nothing_was_judged(decision):
    forced = force(CHALLENGER, ANNOUNCED, decision, "a drill")
    check_admitted(CHALLENGER, ANNOUNCED, forced)
    assert (forced.passed, forced.checks, forced.champion) == (False, (), CHAMPION)


def test_a_reason_is_good_for_only_one_pair():
    forced = force(CHALLENGER, ANNOUNCED, None, "a drill")
    later = ANNOUNCED._replace(ref=OTHER)
    with pytest.raises(NotAdmittedError, match="was compared with another"):
        check_admitted(CHALLENGER, later, forced)


@pytest.mark.parametrize("reason", ["", " \n"])
def test_an_empty_reason_is_none(reason):
    with pytest.raises(GateError, match="needs a reason"):
        force(CHALLENGER, ANNOUNCED, PASSED, reason)


def test_an_announced_decision_stays_small():
    long = tuple(Check(f"check {n}", False, "x" * 10_000) for n in range(9))
    told = msgspec.structs.replace(REFUSED, checks=long).announced()
    assert len(msgspec.json.encode(told)) < 6000


def test_the_store_keeps_no_decision_on_another_bundle(tmp_path):
    save_small_bundle(tmp_path / "bundle")
    with pytest.raises(GateError, match="is on another bundle"):
        store_bundle(tmp_path / "bundle", ModelStore(str(tmp_path / "store")), decision=PASSED)
    assert not (tmp_path / "store").exists()
