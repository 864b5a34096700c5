"""Where examples come from, as a user says it."""

import click
import pytest
from click.testing import CliRunner

from trainer.commands.options import data
from trainer.examples.datasets import read_dataset
from trainer.examples.readers import DataError
from trainer.examples.splits import PARTS


def examples(*arguments):
    found = []

    @click.command()
    @data
    def command(examples):
        found.append(examples)

    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    if result.exit_code:
        raise click.UsageError(result.output)
    return found[0]


def test_zero_may_be_the_malicious_label(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("url,label\nevil.example,0\ngood.example,1\n")
    rows = read_dataset(examples("--data", path, "--malicious-label", 0), "url", needed=[])
    assert dict(zip(rows.texts, rows.labels.tolist(), strict=True)) == {
        "evil.example": 1,
        "good.example": 0,
    }


def test_words_may_be_labels_and_lists_have_theirs_by_the_option(tmp_path):
    (tmp_path / "a.tsv").write_text("url\tlabel\nevil.example\tbad\ngood.example\tgood\n")
    (tmp_path / "top.txt").write_text("top.example\n")
    (tmp_path / "feed.jsonl").write_text('{"url": "feed.example"}\n')
    given = examples(
        *("--data", tmp_path / "a.tsv", "--malicious-label", "bad", "--benign-label", "good"),
        *("--benign", tmp_path / "top.txt", "--malicious", tmp_path / "feed.jsonl"),
    )
    rows = read_dataset(given, "url", needed=[])
    assert dict(zip(rows.texts, rows.labels.tolist(), strict=True)) == {
        "evil.example": 1,
        "good.example": 0,
        "top.example": 0,
        "feed.example": 1,
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name the examples"),
        (["--data", "a", "--malicious-label", "bad"], "--benign-label"),
        (["--data", "a", "--malicious-label", "0", "--benign-label", "0"], "cannot be both"),
        (["--data", "a", "--split", "source"], "--hold-out go together"),
        (["--data", "a", "--hold-out", "x"], "--hold-out go together"),
    ],
)
def test_contradicting_options_are_refused(arguments, message):
    with pytest.raises(click.UsageError, match=message):
        examples(*arguments)


def test_a_list_without_a_label_is_an_error(tmp_path):
    (tmp_path / "top.txt").write_text("top.example\n")
    with pytest.raises(DataError, match="--benign or --malicious"):
        read_dataset(examples("--data", tmp_path / "top.txt"), "url", needed=[])


def test_bad_rows_are_counted_where_they_may_be_skipped(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("url,label\nevil.example,1\nx.example,maybe\nbroken\ngood.example,0\n")
    with pytest.raises(DataError, match="line 3: label 'maybe'"):
        read_dataset(examples("--data", path), "url", needed=[])
    rows = read_dataset(examples("--data", path, "--skip-bad-rows"), "url", needed=[])
    assert rows.texts == ["evil.example", "good.example"]
    assert rows.counts == {"read": 4, "bad": 2}


@pytest.mark.parametrize("artefact", ["[**qmark**]", "%5B%2A%2Aqmark%2A%2A%5D"])
def test_the_studys_artefact_is_a_question_mark(tmp_path, artefact):
    path = tmp_path / "URL.csv"
    path.write_text(f"http://evil.example/a.php{artefact}b=1,1\n")
    given = examples("--data", path, "--columns", "url,label")
    assert read_dataset(given, "url", needed=[]).texts == ["evil.example/a.php?b=1"]


def test_the_split_by_time_reads_the_column(tmp_path):
    path = tmp_path / "a.csv"
    lines = [f"site{n}.example,{n % 2},2026-01-{n // 4 + 1:02d}T00:00:00Z" for n in range(80)]
    path.write_text("\n".join(["url,label,time", *lines]) + "\n")
    rows = read_dataset(examples("--data", path, "--split", "time"), "url", needed=PARTS)
    assert rows.of_part("test").texts[-1] == "site79.example"
    assert rows.of_part("train").texts[0] == "site0.example"
