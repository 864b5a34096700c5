"""``stream-trainer retrain`` on a small real network, without Kafka: nothing is published."""

import io
import sys

import pytest

from stream_detector.errors import StreamDetectorError
from stream_detector.models.bundle import load_bundle
from support.commands import run_trainer
from support.examples import rule
from support.retraining import corpus, fill_store, save_wide_champion, write_corpus
from trainer import console
from trainer.cli import cli
from trainer.examples.datasets import sha256_of
from trainer.files import exclusive
from trainer.gate.decision import read_decision
from trainer.retraining import one_run as run
from trainer.retraining.outcome import read_outcome
from trainer.training.building import digests

ASKED = {"http://x7x7x7.org/p": "benign"}
"""Against the rule."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A corpus, and a champion that knows its rule."""
    folder = tmp_path_factory.mktemp("retrain")
    data = corpus(write_corpus(folder / "urls.csv"))
    return folder, save_wide_champion(folder / "champion", data)


@pytest.fixture
def retrain(made, tmp_path, monkeypatch, capsys):
    """Runs the command in this process; gives its exit code and what it printed."""
    folder, _ = made

    def retrain(*options, champion=folder / "champion"):
        words = ["retrain", "--kind", "url", "--data", folder / "urls.csv", "--champion", champion]
        words += ["--store", tmp_path / "labels", "--folder", tmp_path / "out", "--no-publish"]
        words = [str(word) for word in [*words, "--resamples", 100, *options]]
        monkeypatch.setattr(sys, "argv", ["stream-trainer", *words])
        progress = io.StringIO()
        with monkeypatch.context() as patch:
            patch.setattr(console.messages, "file", progress)
            capsys.readouterr()
            code = cli.main(words, standalone_mode=False)
        return code, progress.getvalue() + capsys.readouterr().out

    return retrain


def challengers(tmp_path):
    return sorted(path for path in (tmp_path / "out").glob("url-*") if path.is_dir())


def contrary(count):
    """Labels that say the opposite of the rule, of names that the corpus has not."""
    rows = rule(count, 77)
    return {
        f"http://{text}.org/p": ("malicious", "benign")[label]
        for text, label in zip(rows.texts, rows.labels.tolist(), strict=True)
    }


@pytest.mark.slow
def test_what_passes_says_what_it_was_made_of_and_is_trained_once(made, retrain, tmp_path):
    folder, champion = made
    fill_store(tmp_path / "labels", ASKED)
    code, output = retrain("--only-ngrams")
    assert code == 0, output
    assert "1 trained on" in output
    assert "url: passed" in output
    (challenger,) = challengers(tmp_path)
    manifest = load_bundle(challenger, kind="url").manifest
    assert manifest.training.warm_start == champion.sha256
    assert set(manifest.training.data_sha256) == {"urls.csv", "labels"}
    assert manifest.training.command.startswith(
        f"stream-trainer retrain --kind url --data {folder / 'urls.csv'}"
    )
    assert (manifest.thresholds, manifest.calibration) == (
        champion.manifest.thresholds,
        champion.manifest.calibration,
    )
    assert {"corpus", "list", "labels: soc"} == {source.name for source in manifest.sources}
    decision = read_decision(tmp_path / "out" / f"{challenger.name}-gate.json")
    assert decision.passed
    assert decision.champion == champion.ref
    assert not [check for check in decision.checks if check.name == "newest labels"]

    outcome = read_outcome(tmp_path / "out", "url")
    assert (outcome.ending, outcome.challenger) == ("passed", challenger.name)
    assert (outcome.model, outcome.checks) == (decision.challenger, decision.checks)

    code, output = retrain("--only-ngrams", champion=challenger)
    assert (code, challengers(tmp_path)) == (4, [challenger])
    assert "nothing new" in output
    assert read_outcome(tmp_path / "out", "url").ending == "unchanged"
    code, output = retrain("--only-ngrams", "--label-visits", 2, champion=challenger)
    assert code != 4, "another way of training is something new"


@pytest.mark.slow
def test_a_worse_one_is_refused_and_a_reason_is_recorded_beside_what_was_found(retrain, tmp_path):
    fill_store(tmp_path / "labels", contrary(400))
    options = ("--only-ngrams", "--label-visits", 50, "--voice-share", 1)
    code, output = retrain(*options)
    assert code == 3, output
    assert "REFUSED" in output
    assert "40 held out, the newest" in output
    (refused,) = challengers(tmp_path)
    decision = read_decision(refused.with_name(f"{refused.name}-gate.json"))
    assert (decision.passed, decision.forced_because) == (False, None)
    assert {"newest labels"} < {check.name for check in decision.checks}
    outcome = read_outcome(tmp_path / "out", "url")
    assert (outcome.ending, outcome.reason) == ("refused", decision.refusal)
    assert outcome.reason

    refused.rename(tmp_path / "away")  # Two of one second would have one name.
    code, output = retrain(*options, "--force", " a drill ")
    assert code == 0, output
    (forced,) = challengers(tmp_path)
    decision = read_decision(forced.with_name(f"{forced.name}-gate.json"))
    assert (decision.passed, decision.forced_because) == (False, "a drill")
    assert [check for check in decision.checks if not check.passed]


@pytest.mark.slow
def test_what_failed_is_in_the_outcome(retrain, tmp_path):
    fill_store(tmp_path / "labels", ASKED)
    with pytest.raises(StreamDetectorError, match="nowhere"):
        retrain("--only-ngrams", champion=tmp_path / "nowhere")
    outcome = read_outcome(tmp_path / "out", "url")
    assert outcome.ending == "failed"
    assert "nowhere" in outcome.reason


class KilledError(Exception):
    """What a kill is to the command."""


@pytest.mark.slow
def test_killed_before_the_gate_it_goes_on_with_the_challenger_that_it_made(
    made, retrain, tmp_path, monkeypatch
):
    _, champion = made

    def killed(*_, **__):
        raise KilledError

    fill_store(tmp_path / "labels", ASKED)
    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(run, "judge", killed)
        retrain("--epochs", 1)
    (challenger,) = challengers(tmp_path)
    first = load_bundle(challenger)
    assert first.manifest.calibration != champion.manifest.calibration

    code, output = retrain("--epochs", 1)
    assert code in {0, 3}, output  # The gate's word is not what is asked for here.
    assert "epoch 1" not in output
    assert challengers(tmp_path) == [challenger]
    decision = read_decision(tmp_path / "out" / f"{challenger.name}-gate.json")
    assert decision.challenger == first.ref
    assert not list((tmp_path / "out").glob("*.safetensors"))


@pytest.mark.slow
def test_two_never_train_in_one_folder_at_once(retrain, tmp_path):
    fill_store(tmp_path / "labels", ASKED)
    with (
        exclusive(tmp_path / "out" / ".retraining.lock"),
        pytest.raises(Exception, match=r"another retraining runs in .*out: wait for it"),
    ):
        retrain("--only-ngrams")
    assert challengers(tmp_path) == []


RETRAIN = ("retrain", "--kind", "url", "--data", "urls.csv")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (RETRAIN, 1, "label-store holds no labels: fill it by `stream-trainer labels collect"),
        ((*RETRAIN, "--publish"), 2, "no model store to publish to is set: give --model-store"),
        ((*RETRAIN, "--force", " "), 2, "give a reason"),
        (("retrain", "--kind", "url"), 2, "name the examples"),
        (("watch", "--url-data", "none.csv"), 2, "'none.csv' does not exist"),
        (
            ("watch", "--every", "1x"),
            2,
            "'1x' is not a duration: give a number and s, m, h, d or w",
        ),
        (("watch", "--url-data", "urls.csv", "--", "--epochs", "0"), 2, "'--epochs': 0 is not in"),
        (("watch", "--url-data", "urls.csv", "--", "--nonsense"), 2, "No such option: --nonsense"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(tmp_path, arguments, code, said):
    (tmp_path / "urls.csv").write_text("url,label\n")
    done = run_trainer(*arguments, folder=tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"urls.csv"}


def test_files_of_one_name_are_told_apart(tmp_path):
    paths = [tmp_path / folder / "urls.csv" for folder in "ab"]
    for path in paths:
        path.parent.mkdir()
        path.write_text(str(path))
    assert digests(paths) == {
        "urls.csv": sha256_of(paths[0]),
        "urls.csv (2)": sha256_of(paths[1]),
    }
