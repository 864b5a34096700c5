"""``stream-trainer`` as a user runs it: from a CSV file to a bundle that serves."""

import io
import json
import random
import re
import signal
import subprocess
import sys

import pytest
from rich.console import Console

from stream_detector.models.bundle import load_bundle
from support.processes import ROOT
from support.terminal import OnTerminal
from trainer.console import ShownProgress
from trainer.training.fitting import Epoch, shown_training

pytestmark = pytest.mark.slow

BUNDLE = str(ROOT / "data/models/url")
QUICK = ("--family", "lstm_embed", "--units", "8")
"""A network that is compiled in few seconds."""
STREAM = ("train", "--kind", "url", "--output", "out", "--data", "x.csv", "--stream")


def trainer(*arguments, folder, columns=200):
    return subprocess.run(
        [sys.executable, "-m", "trainer", *map(str, arguments)],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "COLUMNS": str(columns)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trainer")
    rng = random.Random(1)
    lines = ["host,label,source,kind"]
    for number in range(1200):
        letters = rng.choices("bcdfghjklm" if number % 2 else "aeioustrn", k=10)
        source = ("feed,dga", "list,ben")[number % 2 == 0]
        lines.append(f"{''.join(letters)}{number}.example,{number % 2},{source}")
    # One registered domain a row, so that the split by domain has rows for each part.
    text = "\n".join(
        line.replace(".example", f"x{place}.com", 1) for place, line in enumerate(lines)
    )
    (folder / "hosts.csv").write_text(text + "\n")
    (folder / "SOURCES.csv").write_text("source,licence\nfeed,CC0\nlist,MIT\n")
    return folder


@pytest.fixture(scope="module")
def trained(folder):
    arguments = ["--kind", "host", "--data", folder / "hosts.csv", "--output", "out/host"]
    options = ["--sources", "SOURCES.csv", "--epochs", 2, "--units", 8, "--seed", 5]
    # Narrower than an epoch's line, which is to stay one line all the same.
    return trainer("train", *arguments, *options, folder=folder, columns=60)


def test_it_makes_a_bundle_whose_manifest_says_how(folder, trained):
    assert trained.returncode == 0, trained.stderr
    bundle = load_bundle(folder / "out/host", kind="host")
    training = bundle.manifest.training
    assert training.seed == 5
    assert training.command.startswith("stream-trainer train --kind host --data hosts.csv")
    assert str(folder) not in (folder / "out/host/manifest.json").read_text()
    assert sum(training.rows.values()) == 1200
    assert {(s.name, s.rows, s.malicious, s.licence) for s in bundle.manifest.sources} == {
        ("feed", 600, 600, "CC0"),
        ("list", 600, 0, "MIT"),
    }
    metrics, reference = bundle.manifest.metrics, bundle.manifest.reference
    assert metrics["roc_auc"] > 0.5
    assert reference.rows == metrics["rows"] - metrics["malicious"] > 0
    assert f"reference is the {reference.rows} benign" in (
        folder / "out/host-report/report.md"
    ).read_text().replace(",", "")
    assert 0 < bundle.thresholds.suspicious <= bundle.thresholds.malicious <= 1


def test_a_streamed_training_makes_a_bundle_that_says_so_and_leaves_no_rows(folder):
    result = trainer(
        *("train", "--kind", "host", "--data", "hosts.csv", "--output", "streamed/host"),
        *("--stream", "--buffer-rows", 1000, "--imbalance", "class_weight", "--augment", 0.1),
        *("--sources", "SOURCES.csv", "--epochs", 1, "--units", 8),
        folder=folder,
    )
    assert result.returncode == 0, result.stderr
    assert "1,200 rows: 1,200 read" in result.stderr
    manifest = load_bundle(folder / "streamed/host", kind="host").manifest
    assert manifest.training.split.endswith("; streamed through a buffer of 1,000 rows")
    assert sum(manifest.training.rows.values()) == 1200
    assert {(s.name, s.rows, s.malicious, s.licence) for s in manifest.sources} == {
        ("feed", 600, 600, "CC0"),
        ("list", 600, 0, "MIT"),
    }
    assert {path.name for path in (folder / "streamed").iterdir()} == {"host", "host-report"}


def test_a_streamed_training_that_is_stopped_leaves_no_rows_and_is_not_dropped(folder):
    out = folder / "stopped"
    options = ["--stream", "--buffer-rows", "1000", *QUICK, "--epochs", "1000"]
    data = ["--kind", "host", "--data", "hosts.csv", "--output", "stopped/host"]
    process = subprocess.Popen(
        [sys.executable, "-m", "trainer", "train", *data, *options, "--patience", "1000"],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        for line in process.stderr:
            if line.startswith("epoch 1:"):
                break
        assert list(out.glob("training-rows-*"))
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, errors
    (line,) = [line for line in errors.splitlines() if line.startswith("stopped:")]
    assert "continue with --resume" in line
    assert "Traceback" not in errors
    assert not list(out.glob("training-rows-*"))

    again = trainer("train", *data, folder=folder)
    assert again.returncode == 2
    assert "stopped/host-training.safetensors holds a training that was stopped" in again.stderr
    assert "continue with --resume, or start over with --overwrite" in again.stderr


def test_on_a_terminal_a_training_shows_a_bar_and_ctrl_c_ends_it_with_130(folder):
    command = ["train", "--kind", "host", "--data", "hosts.csv", "--output", "interrupted/host"]
    with OnTerminal(
        *(sys.executable, "-m", "trainer", *command),
        *(*QUICK, "--epochs", "1000", "--patience", "1000"),
        folder=folder,
    ) as training:
        training.read_until("epoch 2:")
        training.press("\x03")  # Ctrl-C
        text = training.read_to_end()
        assert training.exit_code() == 130
    assert "━" in text
    assert "stopped: the epochs that finished are in interrupted/host-training" in text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("options", "there"),
    [
        (["--family", "bilstm"], "the host model host-wide_bilstm "),
        (["--name", "other"], "the host model host-wide_bilstm "),
        (["--kind", "url"], "the host model host-wide_bilstm "),
    ],
)
def test_a_bundle_of_another_model_is_not_replaced(folder, trained, options, there):
    before = (folder / "out/host/manifest.json").read_bytes()
    done = trainer(
        *("train", "--kind", "host", "--data", "hosts.csv", "--output", "out/host", *options),
        folder=folder,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert f"out/host holds {there}" in line
    assert "give another --output, or replace it with --overwrite" in line
    assert (folder / "out/host/manifest.json").read_bytes() == before


def test_a_bundle_whose_manifest_cannot_be_read_is_not_replaced(folder):
    (folder / "damaged").mkdir()
    (folder / "damaged/manifest.json").write_text("{")
    command = ("train", "--kind", "host", "--data", "hosts.csv", "--output", "damaged")
    done = trainer(*command, folder=folder)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "is not a manifest" in line
    assert "replace it with --overwrite" in line
    assert (folder / "damaged/manifest.json").read_text() == "{"


def test_without_a_terminal_an_epoch_is_one_line_and_nothing_else_is_printed(trained):
    # A slow machine adds lines of progress, such as "loading TensorFlow, 5 s".
    lines = [
        line
        for line in trained.stderr.splitlines()
        if re.match(r"epoch \d+: ", line) or not re.search(r", \d+ s$", line)
    ]
    assert [line.partition(":")[0] for line in lines] == [
        "1,200 rows",
        "epoch 1",
        "epoch 2",
        *["beware"] * 2,  # 1,200 rows set no threshold at these false-positive rates
        "measuring host-wide_bilstm",
        "bundle",
    ]
    assert "ROC AUC" in trained.stdout


def test_on_a_terminal_the_bar_of_the_epoch_that_never_runs_is_wiped():
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=100)
    with shown_training(ShownProgress(console)) as shown:
        shown.on_epoch(Epoch(12, 0.1, 0.9, 0.9, 0.9, 1.0))
    _, bar, after = screen.getvalue().rpartition("epoch 13")
    assert bar
    assert after.endswith("\x1b[1A\x1b[2K")  # Up to the bar's line, and erase it.


def test_the_model_card_lies_next_to_the_bundle(folder, trained):
    card = folder / "out/host-report"
    assert {path.name for path in card.iterdir()} == {
        "plots",
        "report.html",
        "report.json",
        "report.md",
    }
    assert (card / "plots/history-host-wide_bilstm.svg").exists()
    assert "stream-trainer train --kind host" in (card / "report.md").read_text()


def test_evaluate_shows_the_figures_of_the_manifest_next_to_those_of_a_family(folder, trained):
    result = trainer(
        *("evaluate", "out/host", "--data", "hosts.csv", "--family", "naive_bayes"),
        *("--report", "side-by-side"),
        folder=folder,
    )
    assert result.returncode == 0, result.stderr
    metrics = load_bundle(folder / "out/host").manifest.metrics
    report = json.loads((folder / "side-by-side/report.json").read_text())
    bundle, family = report["models"]
    assert bundle["roc_auc"] == pytest.approx(metrics["roc_auc"], abs=1e-4)
    assert family["name"] == "naive_bayes"
    assert f"{bundle['roc_auc']:.4f}" in result.stdout
    assert {one["second"] for one in report["differences"]} == {"naive_bayes"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "--data", "x.csv"], "name a bundle, or a family"),
        (["evaluate", "--data", "x.csv", "--family", "lexical"], "--kind says"),
        (["study", "missing.csv"], "missing.csv cannot be read"),
        (["train", "--kind", "url", "--output", "out"], "name the examples"),
        ([*STREAM, "--split", "time"], "by all rows: use --split column, domain or random"),
        ([*STREAM, "--split", "source", "--hold-out", "x"], "--split source by all rows"),
        ([*STREAM, "--imbalance", "truncate"], "could draw from: use class_weight"),
        ([*STREAM, "--imbalance", "oversample"], "--imbalance oversample could draw"),
    ],
)
def test_a_missing_or_unusable_option_is_one_clear_error(tmp_path, arguments, message):
    result = trainer(*arguments, folder=tmp_path)
    assert result.returncode in {1, 2}
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        ("name,label\nx,1\n", "no column host; it has name, label"),
        ("host,label\na.com,1\nb.com,1\n", "no benign row"),
    ],
)
def test_an_error_is_one_line_and_exit_code_1(tmp_path, content, message):
    if content is not None:
        (tmp_path / "data.csv").write_text(content)
    result = trainer(
        "train", "--kind", "host", "--data", "data.csv", "--output", "out", folder=tmp_path
    )
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("stream-trainer: data.csv")
    assert message in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["study", "missing.csv"], "missing.csv cannot be read"),
        (["evaluate", BUNDLE, "--data", "missing.csv"], "missing.csv cannot be read"),
        (["evaluate", "out", "--data", "x.csv"], "manifest.json is not there"),
        (["evaluate", BUNDLE, "--kind", "host", "--data", "x.csv"], "for kind url, not for host"),
        (["evaluate", "--kind", "url", "--family", "lexical", "--data", "x.csv"], "cannot be read"),
    ],
)
def test_a_missing_file_is_reported_before_tensorflow_is_loaded(
    tmp_path, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    code = (
        "import sys\nfrom trainer.cli import cli\n"
        "try: cli.main(sys.argv[1:], standalone_mode=False)\n"
        "except Exception as error: print(error)\n"
        "sys.exit('tensorflow' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert message in result.stdout


@pytest.mark.parametrize(
    ("command", "said"),
    [("train", "--epochs"), ("retrain", "--label-visits"), ("watch", "--new-labels")],
)
def test_help_answers_without_loading_what_takes_seconds(command, said):
    code = (
        "import sys\nfrom trainer.cli import cli\n"
        f"cli.main(['{command}', '--help'], standalone_mode=False)\n"
        "sys.exit(bool({'tensorflow', 'sklearn', 'matplotlib', 'kafka'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert said in result.stdout
    assert f"stream-trainer {command} --" in result.stdout  # An example.
