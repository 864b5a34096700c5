"""Every family from rows to what serves: trained, saved, scored, evaluated, published.

All commands run in this process, which loads TensorFlow once.
"""

import contextlib
import csv
import io
import json
import random
import sys

import pytest

from stream_detector.models.architectures import ARCHITECTURES
from stream_detector.models.bundle import load_bundle
from stream_detector.models.device import choose_device, visible_gpus
from stream_detector.models.scorer import Scorer
from trainer.cli import cli
from trainer.families import FAMILY_NAMES, NETWORK_NAMES

pytestmark = [pytest.mark.slow, pytest.mark.kafka, pytest.mark.timeout(600)]

FAST = ("--epochs", 4, "--batch-size", 32, "--units", 16, "--learning-rate", 0.01)
NEW = {1: "bkcmgjhfldbkcmgj.com", 0: "aeiourstnaeiours.com"}
"""Texts that no training has, by label."""


def run(*arguments):
    """What a command of ``stream-trainer`` prints; errors go through."""
    words = [str(argument) for argument in arguments]
    output = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(output):
        patch.setattr(sys, "argv", ["stream-trainer", *words])
        code = cli.main(words, prog_name="stream-trainer", standalone_mode=False)
    assert not code
    return output.getvalue()


def rows():
    """Malicious names have other letters than benign ones; all have the same length."""
    rng = random.Random(1)
    for number in range(600):
        letters = rng.choices("bcdfghjklm" if number % 2 else "aeioustrn", k=16)
        yield f"{''.join(letters)}.com", number % 2, ("list", "feed")[number % 2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("families")
    with (folder / "urls.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("url", "label", "source"))
        table.writerows(rows())
    with contextlib.chdir(folder):
        yield folder


@pytest.fixture(scope="module")
def bundles(folder):
    """A bundle of each family that a worker can serve."""
    for name in NETWORK_NAMES:
        options = ("--kind", "url", "--data", "urls.csv", "--output", f"bundles/{name}")
        run("train", "--family", name, *options, *FAST)
    return {name: folder / "bundles" / name for name in NETWORK_NAMES}


@pytest.fixture(scope="module")
def report(folder, bundles):
    """All bundles and all other families, measured by one ``evaluate``."""
    others = [name for name in FAMILY_NAMES if name not in bundles]
    printed = run(
        *("evaluate", *(f"bundles/{name}" for name in bundles), "--data", "urls.csv"),
        *(word for name in others for word in ("--family", name)),
        *("--epochs", 1, "--report", "side-by-side"),
    )
    models = json.loads((folder / "side-by-side/report.json").read_bytes())["models"]
    return printed, {model["name"].rpartition("/")[2]: model for model in models}


def test_what_a_manifest_may_name_can_be_trained():
    assert tuple(ARCHITECTURES) == NETWORK_NAMES


@pytest.mark.parametrize("name", NETWORK_NAMES)
def test_a_network_is_saved_with_the_command_that_makes_it(bundles, name):
    manifest = load_bundle(bundles[name], kind="url").manifest
    assert (manifest.name, manifest.architecture) == (f"url-{name}", name)
    assert manifest.training.command.startswith(
        f"stream-trainer train --family {name} --kind url --data urls.csv --output bundles/{name} "
    )
    assert manifest.training.history


@pytest.mark.parametrize("name", NETWORK_NAMES)
def test_a_network_serves_in_the_worker_s_scorer(bundles, name):
    device = choose_device("auto", visible_gpus())
    scorer = Scorer({"url": load_bundle(bundles[name])}, device=device)
    malicious, benign = scorer.score("url", [NEW[1], NEW[0]])
    assert 0 <= benign < 0.5 < malicious <= 1


@pytest.mark.parametrize("name", FAMILY_NAMES)
def test_a_family_is_evaluated(report, name):
    printed, models = report
    assert tuple(models) == FAMILY_NAMES
    model = models[name]
    # Anomalies are what differs from benign rows: lexical features hardly tell these names apart.
    assert model["roc_auc"] > (0.9 if name in NETWORK_NAMES else 0.55)
    shown = {name, f"bundles/{name}"}
    (line,) = [line for line in printed.splitlines() if shown & {*line.split()[:1]}]
    assert f"{model['roc_auc']:.4f}" in line


@pytest.mark.parametrize("name", NETWORK_NAMES)
def test_the_scorer_s_figures_are_those_that_training_measured(bundles, report, name):
    metrics = load_bundle(bundles[name]).manifest.metrics
    assert report[1][name]["roc_auc"] == pytest.approx(metrics["roc_auc"], abs=1e-4)


def test_each_network_is_published(folder, bundles, kafka, topics, monkeypatch):
    settings = {
        "BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "MODEL_STORE": str(folder / "store"),
        "MODELS_TOPIC": topics("models", partitions=1, cleanup_policy="compact"),
    }
    for setting, value in settings.items():
        monkeypatch.setenv(f"STREAM_DETECTOR_{setting}", value)
    for name, bundle in bundles.items():
        sha256 = run("models", "publish", bundle, "--force", f"a test of {name}").strip()
        assert sha256 == load_bundle(bundle).sha256
        listed = [json.loads(line) for line in run("models", "list", "--json").splitlines()]
        assert [one["sha256"] for one in listed if one["announced"]] == [sha256]
    assert len(listed) == len(bundles)
