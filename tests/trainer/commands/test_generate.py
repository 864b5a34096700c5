import csv

import pytest
from click.testing import CliRunner

from trainer.cli import cli
from trainer.examples.datasets import read_dataset
from trainer.examples.labelled import Examples


@pytest.mark.parametrize("kind", ["url", "host"])
def test_private_examples_are_read_as_benign_rows_for_training(tmp_path, kind):
    path = tmp_path / "private.csv"
    options = ["--kind", kind, "--count", "3000", "--seed", "3", "--output", str(path)]
    result = CliRunner().invoke(cli, ["generate-private", *options])
    assert result.exit_code == 0, result.output
    rows = read_dataset(Examples(files=(path,)), kind, needed=())
    assert rows.counts == {"read": 3000}
    assert set(rows.labels.tolist()) == {0}
    assert set(rows.parts) == {"train"}
    assert set(rows.sources) == {"generated_private"}
    assert set(rows.kinds) == {"ben"}
    with path.open(newline="") as file:
        assert [row[kind] for row in csv.DictReader(file)] == rows.texts


def test_generated_names_say_their_class():
    result = CliRunner().invoke(cli, ["generate-names", "--count", "600"])
    header, *lines = result.output.splitlines()
    assert header == "host,label,source,kind,part"
    assert len(lines) == 600
    assert all(line.endswith(",dga,train") and ",1,generated_" in line for line in lines)
