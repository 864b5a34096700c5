"""The same rows from every format, and what is said of files that are not what they claim."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from trainer.examples.readers import BadRow, DataError, Row, read_rows

ROWS = [{"url": "a.example/x?y=1,2", "label": "1"}, {"url": "b.example", "label": "0"}]


def write_csv(folder):
    (folder / "a.csv").write_text('url,label\n"a.example/x?y=1,2",1\nb.example,0\n')
    return folder / "a.csv"


def write_tsv(folder):
    (folder / "a.tsv").write_text("url\tlabel\na.example/x?y=1,2\t1\nb.example\t0\n")
    return folder / "a.tsv"


def write_json_lines(folder):
    rows = [{**row, "label": int(row["label"])} for row in ROWS]
    (folder / "a.jsonl.gz").write_bytes(gzip.compress("\n\n".join(map(json.dumps, rows)).encode()))
    return folder / "a.jsonl.gz"


def write_parquet(folder):
    columns = {name: [row[name] for row in ROWS] for name in ROWS[0]}
    columns["label"] = [float(label) for label in columns["label"]]
    pq.write_table(pa.table(columns), folder / "a.parquet")
    return folder / "a.parquet"


@pytest.mark.parametrize("write", [write_csv, write_tsv, write_json_lines, write_parquet])
def test_every_format_gives_the_same_rows(tmp_path, write):
    rows = list(read_rows(write(tmp_path)))
    assert [row.values for row in rows] == ROWS


def test_the_studys_file_has_no_header_and_commas_in_its_urls(tmp_path):
    path = tmp_path / "URL.txt"
    path.write_text("http://a.example/x?y=1,2,1\n\nhttp://b.example,0\nbroken\n")
    assert list(read_rows(path, names=("url", "label"))) == [
        Row(1, {"url": "http://a.example/x?y=1,2", "label": "1"}),
        Row(3, {"url": "http://b.example", "label": "0"}),
        BadRow(4, "1 columns where 2 are named"),
    ]


def test_a_plain_list_has_comments_and_blank_lines(tmp_path):
    path = tmp_path / "top.txt"
    path.write_text("# the top\na.example\n\n b.example \n")
    assert [row.values for row in read_rows(path, names=("host",))] == [
        {"host": "a.example"},
        {"host": "b.example"},
    ]


def test_faulty_rows_are_reported_with_their_line_and_the_others_are_read(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("url,label\na.example,1\nb.example\nc.example,0,x\nd.example,0\n")
    rows = list(read_rows(path))
    assert [(type(row), row.number) for row in rows] == [
        (Row, 2),
        (BadRow, 3),
        (BadRow, 4),
        (Row, 5),
    ]
    path = tmp_path / "a.jsonl"
    path.write_text('{"url": "a.example"}\n{"url"\n[1]\n' + "[" * 100_000 + "\n")
    assert [row.number for row in read_rows(path) if isinstance(row, BadRow)] == [2, 3, 4]


@pytest.mark.parametrize("name", ["a.csv.gz", "a.parquet", "a.csv", "a.jsonl"])
def test_a_file_that_is_not_what_its_name_says_is_one_error(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"\xff\xfe\x00\x01" * 100)
    with pytest.raises(DataError, match="cannot be read"):
        list(read_rows(path))


def test_null_and_numbers_are_written_as_a_csv_file_would(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": null, "b": 1.0, "c": true, "d": 0.5}\n')
    assert [row.values for row in read_rows(path)] == [{"a": "", "b": "1", "c": "1", "d": "0.5"}]


def test_a_headerless_line_that_begins_with_a_quote_is_quoted(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('"http://a.example/x,y",1\nhttp://b.example/x,y,0\n', encoding="utf-8")
    rows = [row.values for row in read_rows(path, names=("url", "label"))]
    assert rows == [
        {"url": "http://a.example/x,y", "label": "1"},
        {"url": "http://b.example/x,y", "label": "0"},
    ]


def test_half_of_a_utf_16_pair_is_a_bad_row_and_not_a_text_that_no_manifest_can_hold(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"url": "a.example", "source": "\\ud800"}\n{"\\udc00": 1}\n{"url": "b"}\n')
    half = "holds half of a UTF-16 pair, which is not a character"
    assert list(read_rows(path)) == [BadRow(1, half), BadRow(2, half), Row(3, {"url": "b"})]
