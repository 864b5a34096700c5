"""One voice cannot bend the model: a thousand hostile labels, by the command as users run it."""

import pytest

from stream_detector.models.bundle import load_bundle
from support.commands import run_trainer
from support.retraining import (
    corpus,
    fill_store,
    hard_rows,
    save_wide_champion,
    write_hard_corpus,
)
from trainer.gate.decision import read_decision
from trainer.training.fitting import logits_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def attacked(tmp_path_factory):
    """A folder with a corpus, its champion, and labels that call benign what it calls malicious."""
    folder = tmp_path_factory.mktemp("hostile")
    save_wide_champion(folder / "champion", corpus(write_hard_corpus(folder / "urls.csv")))
    champion = load_bundle(folder / "champion")
    urls = [url for url, _ in hard_rows(4000, 91)]
    texts = [url.removeprefix("http://") for url in urls]
    scores = logits_of(champion.architecture, champion.weights, texts)
    found = [url for url, score in zip(urls, scores, strict=True) if score > 0][:1000]
    fill_store(folder / "labels", dict.fromkeys(found, "benign"), invented_names=True)
    return folder


def retrained(folder, share):
    """The gate's checks by name, and the process, of a retraining with ``--voice-share``."""
    words = ["retrain", "--kind", "url", "--data", "urls.csv", "--champion", "champion"]
    words += ["--store", "labels", "--only-ngrams", "--no-publish", "--resamples", "100"]
    words += ["--folder", f"out-{share}", *(["--voice-share", share] if share else [])]
    process = run_trainer(*words, folder=folder, timeout=400)
    assert process.returncode in {0, 3}, process.stderr
    (path,) = (folder / f"out-{share}").glob("*-gate.json")
    return {check.name: check for check in read_decision(path).checks}, process


def test_1000_hostile_labels_of_one_voice_move_detection_by_less_than_a_point(attacked):
    checks, process = retrained(attacked, "")
    assert "left out, of a voice above its share" in process.stderr
    assert abs(checks["detection at 1%"].figures["difference"]) < 0.01
    (voice,) = checks["voices"].figures["voices"]
    assert voice["voice"] == "analysts without a key"
    assert 0.19 < voice["share"] <= 0.2
    assert "analysts without a key, 20.0% of an epoch, changed " in checks["voices"].message
    assert "most by analyst invented" in checks["voices"].message


def test_without_the_bound_they_would_move_it_by_more(attacked):
    checks = retrained(attacked, "1")[0]
    assert checks["detection at 1%"].figures["difference"] < -0.015
