"""``stream-trainer hold-out`` as a user runs it: to the end, stopped by Ctrl-C, gone on with."""

import json
import random
import signal
import subprocess
import sys

import pytest

from support.processes import ROOT

pytestmark = pytest.mark.slow

DATA = ("--kind", "host", "--data", "hosts.csv", "--malicious", "generated.csv")


def start(*arguments, folder):
    return subprocess.Popen(
        [sys.executable, "-m", "trainer", "hold-out", *map(str, arguments)],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "COLUMNS": "160"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(*arguments, folder):
    process = start(*arguments, folder=folder)
    output, errors = process.communicate(timeout=240)
    return process.returncode, output, errors


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Malicious names are of few letters, and those of the source 'other' of other ones."""
    folder = tmp_path_factory.mktemp("hold-out")
    rng = random.Random(1)
    alphabets = {"list_a": "aeioustrn", "list_b": "aeioulmn", "feed": "bcdfgh", "other": "qwxyz"}
    lines = ["host,label,source"]
    for number in range(1600):
        source = list(alphabets)[number % 4]
        name = "".join(rng.choices(alphabets[source], k=10))
        lines.append(f"{name}x{number}.com,{int(number % 4 > 1)},{source}")
    (folder / "hosts.csv").write_text("\n".join(lines) + "\n")
    generated = ["host,source,kind,part"]
    for number in range(300):
        name = "".join(rng.choices("bcdfgh", k=10))
        generated.append(f"{name}{number}.com,generated_few,dga,train")
    (folder / "generated.csv").write_text("\n".join(generated) + "\n")
    return folder


def test_it_measures_each_source_without_having_seen_it(folder):
    code, output, errors = run(
        *DATA, "--at-least", 200, "--family", "naive_bayes", "--family", "lexical", folder=folder
    )
    assert code == 0, errors
    assert "training 1 of 6: naive_bayes without 'feed' and 'list_a'" in errors
    report = json.loads((folder / "hold-out/report.json").read_text())
    measured = {
        (one["family"], one["malicious"]["name"]): one["malicious"] for one in report["trainings"]
    }
    assert {name for _, name in measured} == {"feed", "other", "generated_few"}
    assert measured["naive_bayes", "feed"]["rows"] == 400
    # The generated names, which look like those of the feed, are in its training; nothing is
    # that looks like the other source.
    assert measured["naive_bayes", "feed"]["roc_auc"] > 0.95
    assert measured["naive_bayes", "generated_few"]["roc_auc"] > 0.95
    assert [family["family"] for family in report["families"]] == ["naive_bayes", "lexical"]
    assert report["families"][1]["compared"] == 3
    assert "over the first" in output
    assert "over naive\\_bayes" in (folder / "hold-out/report.md").read_text()
    assert "lexical: of 2 benign sources" in output
    assert (folder / "hold-out/report.html").exists()


def test_a_stopped_run_writes_its_report_and_resumes_from_there(folder):
    options = ("--at-least", 200, "--only", "feed", "--folds", 0, "--report", "stopped")
    families = ("--family", "lexical", "--family", "lstm_embed", "--epochs", 300)
    process = start(*DATA, *options, *families, folder=folder)
    told = []
    for line in process.stderr:
        told.append(line)
        if line.startswith("training 2 of 2"):
            process.send_signal(signal.SIGINT)
            break
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "stopped: 1 of 2 trainings are done; continue with --resume" in errors
    assert "Traceback" not in errors
    assert "lexical" in output
    report = json.loads((folder / "stopped/report.json").read_text())
    assert [one["family"] for one in report["trainings"]] == ["lexical"]
    assert any("Incomplete" in note for note in report["notes"])

    code, _, errors = run(
        *DATA, *options, "--family", "lexical", "--epochs", 300, "--resume", folder=folder
    )
    assert code == 0, errors
    assert "training 1 of 1: lexical without 'feed', done before" in errors
    again = json.loads((folder / "stopped/report.json").read_text())
    assert again["trainings"] == report["trainings"]
    assert not any("Incomplete" in note for note in again["notes"])


def test_the_shipped_sample_is_enough_to_try_it(tmp_path):
    sample = ("--kind", "url", "--data", ROOT / "data/labelled/urls.csv.gz")
    code, output, errors = run(*sample, "--family", "lexical", folder=tmp_path)
    assert code == 0, errors
    left_out = [line.split()[0] for line in output.splitlines() if line.startswith("made-up-")]
    assert left_out == ["made-up-malware", "made-up-phishing", "made-up-master"]
    assert "beware" not in errors
    assert "made-up-malware: ROC AUC 0." in errors
    assert "too few benign rows for TPR" in errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--at-least", 5000], "no malicious source has 5,000 rows; there are: "),
        (["--folds", 1], "--folds 1 would leave out all benign sources"),
        (["--split", "source", "--hold-out", "feed"], "leaves out each source in turn"),
        (["--data", "missing.csv"], "missing.csv cannot be read"),
    ],
)
def test_errors_are_reported_before_anything_is_trained(folder, options, message):
    code, _, errors = run(*DATA, *options, "--report", "none", folder=folder)
    assert code in {1, 2}
    assert message in errors
    assert "Traceback" not in errors
    assert not (folder / "none").exists()


def test_an_unwritable_folder_is_reported_before_anything_is_trained(folder):
    code, _, errors = run(*DATA, "--at-least", 200, "--report", "hosts.csv/x", folder=folder)
    assert code == 1
    assert "hosts.csv/x cannot be written: Not a directory" in errors
    assert "training 1" not in errors
