"""Real bundles on the same rows: the decision says which check refused, and is kept."""

import msgspec
import numpy as np
import pytest

from stream_detector.errors import BundleError
from stream_detector.models.calibration import Platt
from stream_detector.terminal.progress import Progress
from support.bundles import save_small_bundle
from support.gated import named, save_challenger, save_champion, save_ignorant
from trainer.gate.admission import Reigning, force
from trainer.gate.decision import GateError, decision_path, read_decision, write_decision
from trainer.gate.judging import judge
from trainer.gate.options import GateOptions

pytestmark = pytest.mark.slow

HOLD_OUT = named(2400, 11)
NEWEST = named(60, 12)
OPTIONS = GateOptions(resamples=200)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("gate")


@pytest.fixture(scope="module")
def champion(folder):
    return save_champion(folder / "champion")


def decide(folder, name, *, champion="champion", hold_out=HOLD_OUT, options=OPTIONS):
    return judge(
        folder / name,
        None if champion is None else folder / champion,
        hold_out=hold_out,
        newest=NEWEST,
        options=options,
        progress=Progress(),
    )


def failed(decision):
    return {check.name for check in decision.checks if not check.passed}


def test_one_that_is_no_worse_passes_and_the_decision_is_kept_whole(folder, champion):
    same = save_challenger(folder / "same", champion)
    decision = decide(folder, "same")

    assert decision.passed, failed(decision)
    assert (decision.challenger, decision.champion) == (same.ref, champion.ref)
    assert (decision.kind, decision.rows.rows, decision.rows.malicious) == ("host", 2400, 1200)
    assert [check.name for check in decision.checks] == [
        "loads and scores",
        "detection at 1%",
        "detection at 0.1%",
        "calibration",
        "suspicious threshold",
        "malicious threshold",
        "newest labels",
        "must not alert",
        "must not alert, suspicious",
        "must alert",
    ]
    path = write_decision(folder / "same", decision)
    assert path == decision_path(folder / "same") == folder / "same-gate.json"
    assert read_decision(path) == decision
    assert {one.name for one in folder.iterdir() if one.name.startswith(".")} == set()
    assert len(msgspec.json.encode(decision.announced())) < 5000


def test_one_that_knows_nothing_is_refused_by_detection(folder, champion):
    save_ignorant(folder / "ignorant", champion)
    decision = decide(folder, "ignorant")
    assert not decision.passed
    assert {"detection at 1%", "newest labels"} <= failed(decision)


def test_one_that_calls_too_much_malicious_is_refused_by_thresholds_and_list(folder, champion):
    save_challenger(folder / "loud", champion, thresholds=(0.0, 0.0))
    refused = failed(decide(folder, "loud"))
    assert refused == {
        "suspicious threshold",
        "malicious threshold",
        "newest labels",
        "must not alert",
    }


def test_one_that_calls_nothing_malicious_is_refused_by_its_list(folder, champion, tmp_path):
    save_challenger(folder / "silent", champion, thresholds=(1.0, 1.0))
    own = tmp_path / "must-alert.txt"
    own.write_text(HOLD_OUT.texts[1])  # With digits, as malicious ones are.
    decision = decide(folder, "silent", options=OPTIONS._replace(must_alert=(own,)))
    assert "must alert" in failed(decision)
    (check,) = [check for check in decision.checks if check.name == "must alert"]
    assert HOLD_OUT.texts[1] in check.figures["missed"]
    assert [one.name for one in decision.rules.must_alert] == ["must-alert.txt", "must-alert.txt"]


def test_one_whose_probabilities_are_off_is_refused_by_calibration(folder, champion):
    calibration = champion.manifest.calibration
    off = Platt(calibration.slope / 8, calibration.intercept / 8)
    save_challenger(folder / "vague", champion, calibration=off)
    decision = decide(folder, "vague")
    assert "calibration" in failed(decision)
    assert "detection at 1%" not in failed(decision)  # It ranks as before.


def test_one_that_gives_no_probability_is_refused_as_a_worker_refuses_it(folder, champion):
    # Finite weights, whose products are not.
    rng = np.random.default_rng(0)
    weights = {
        name: rng.choice([-3e38, 3e38], value.shape).astype(np.float32)
        for name, value in champion.weights.items()
    }
    broken = msgspec.structs.replace(champion, weights=weights)
    save_challenger(folder / "broken", broken)
    decision = decide(folder, "broken")
    (check,) = decision.checks
    assert (check.name, check.passed) == ("loads and scores", False)
    assert "does not score as a worker scores" in check.message


def test_without_a_champion_nothing_is_compared_and_it_says_so(folder, champion):
    decision = decide(folder, "champion", champion=None)
    assert decision.champion is None
    told = {check.name: check.message for check in decision.checks}
    for name in ("detection at 1%", "calibration", "newest labels"):
        assert "no champion" in told[name]
    assert not failed(decision) - {"must not alert", "must alert"}


def test_a_folder_without_a_bundle_or_of_another_kind_is_an_error(folder, champion):
    save_small_bundle(folder / "url", "url")
    with pytest.raises(BundleError, match="for kind host, not for url"):
        decide(folder, "url")
    with pytest.raises(BundleError, match="is no model bundle"):
        decide(folder, "nothing")


def test_a_missing_or_damaged_decision_is_an_error(tmp_path):
    path = tmp_path / "x-gate.json"
    with pytest.raises(GateError, match="`stream-trainer gate` writes it"):
        read_decision(path)
    path.write_bytes(b'{"passed": "yes"}')
    with pytest.raises(GateError, match=r"x-gate\.json is no decision"):
        read_decision(path)


def test_a_decision_that_cannot_be_written_is_an_error(champion, tmp_path):
    decision = force(
        champion.ref, Reigning("host", champion.ref, is_announced=True), None, "a reason"
    )
    with pytest.raises(GateError, match=r"bundle-gate\.json cannot be written"):
        write_decision(tmp_path / "nosuch" / "bundle", decision)
