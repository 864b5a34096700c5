"""Labelled examples: what is read, counted, split, and refused with file and line."""

import gzip

import numpy as np
import pytest

from trainer.examples.datasets import read_dataset
from trainer.examples.labelled import Examples
from trainer.examples.readers import DataError
from trainer.examples.splits import PARTS

HEADER = "url,label,part\n"
EACH_PART = "".join(
    f"{name}{part}.example/{name},{label},{part}\n"
    for part in PARTS
    for name, label in (("good", 0), ("bad", 1))
)


def read(path, kind, *, needed=PARTS, **options):
    return read_dataset(Examples(files=(path,), **options), kind, needed=needed)


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_rows_are_canonical_and_keep_label_part_source_and_kind(tmp_path):
    text = "url,label,part,source,kind\nhttp://www.Evil.example:80/x#y,1,train,feed,phish\n"
    rows = read(write(tmp_path / "a.csv", text + fill(text)), "url")
    assert rows.texts[0] == "evil.example/x"
    assert (rows.labels[0], rows.parts[0], rows.sources[0], rows.kinds[0]) == (
        1,
        "train",
        "feed",
        "phish",
    )


def fill(header):
    commas = "," * (header.partition("\n")[0].count(",") - 2)
    return "".join(line + commas + "\n" for line in EACH_PART.splitlines())


def test_duplicates_count_once_and_contradictions_not_at_all(tmp_path):
    more = (
        "twice.example/,0,train\nhttps://twice.example,0,train\n"
        "both.example,0,train\nboth.example,1,train\nboth.example,1,train\n"
        "http://,0,train\n"
    )
    rows = read(write(tmp_path / "a.csv", HEADER + EACH_PART + more), "url")
    assert rows.texts.count("twice.example") == 1
    assert "both.example" not in rows.texts
    assert rows.counts == {"read": 12, "duplicate": 2, "contradicting": 1, "refused": 1}


def test_only_the_parts_that_are_needed_must_have_both_labels(tmp_path):
    path = write(tmp_path / "a.csv", HEADER + "a.example,0,test\nb.example,1,test\n")
    assert read(path, "url", needed=["test"]).of_part("test").labels.tolist() == [0, 1]
    with pytest.raises(DataError, match="the part 'val' has no malicious row"):
        read(path, "url", needed=["test", "val"])


def test_a_row_without_a_part_is_split_by_its_domain_as_if_there_were_no_column(tmp_path):
    names = [f"h{number}.example.com" for number in range(5)]
    names += [f"site{number}.com" for number in range(60)]
    lines = [f"{name},{number % 2}" for number, name in enumerate(names)]
    without = write(tmp_path / "a.csv", "host,label\n" + "".join(f"{x}\n" for x in lines))
    empty = write(tmp_path / "b.csv", "host,label,part\n" + "".join(f"{x},\n" for x in lines))
    parts = read(without, "host").parts
    assert np.array_equal(read(empty, "host").parts, parts)
    assert set(parts.tolist()) == set(PARTS)
    assert len(set(parts[:5].tolist())) == 1


def test_a_part_keeps_each_rows_columns_together(tmp_path):
    text = "url,label,part,source,kind\n" + fill("url,label,part,source,kind\n")
    text += "last.example,1,val,feed,phish\n"
    rows = read(write(tmp_path / "a.csv", text), "url").of_part("val")
    assert rows.texts == ["goodval.example/good", "badval.example/bad", "last.example"]
    assert rows.labels.tolist() == [0, 1, 1]
    assert rows.parts.tolist() == ["val"] * 3
    assert rows.sources.tolist() == ["", "", "feed"]
    assert rows.kinds.tolist() == ["", "", "phish"]


def test_a_column_name_does_not_include_the_byte_order_mark_of_spreadsheets(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(HEADER + EACH_PART, encoding="utf-8-sig")
    assert len(read(path, "url").texts) == 6


def test_a_packed_file_is_read_as_well(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress((HEADER + EACH_PART).encode()))
    assert len(read(path, "url").texts) == 6


def test_without_parts_no_domain_is_in_two_and_the_split_is_the_same_again(tmp_path):
    lines = "".join(
        f"h{page}.site{site}.example,{site % 2}\n" for site in range(400) for page in range(3)
    )
    path = write(tmp_path / "a.csv", "host,label\n" + lines)
    rows = read(path, "host")
    parts_of = {}
    for text, part in zip(rows.texts, rows.parts, strict=True):
        parts_of.setdefault(text.partition(".")[2], set()).add(str(part))
    assert all(len(parts) == 1 for parts in parts_of.values())
    shares = [float(np.mean(rows.parts == part)) for part in PARTS]
    assert np.allclose(shares, [0.7, 0.1, 0.2], atol=0.06)
    assert np.array_equal(rows.parts, read(path, "host").parts)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"a\.csv is empty: it needs a header line, or --columns"),
        ("address,label\nx,1\n", r"a\.csv: no column url; it has address, label"),
        (
            HEADER + "a.example,evil,train\n",
            r"a\.csv, line 2: label 'evil' is neither mal",
        ),
        (HEADER + EACH_PART + "a.example,1,dev\n", r"line 8: part 'dev' is not one of train, val"),
        (HEADER + EACH_PART + "a.example\n", r"line 8: 1 columns where the header has 3"),
        (HEADER + "a.example/" + "x" * 200_000 + ",1,train\n", r"line 2: field larger than"),
        (HEADER + "a.example,0,train\nb.example,0,val\n", r"the part 'train' has no malicious row"),
        (HEADER + "a.example,1,train\n", r"the part 'train' has no benign row; 1 rows are too few"),
        (HEADER, r"the part 'train' has no malicious row; 0 rows are too few"),
    ],
)
def test_an_unusable_row_is_reported_with_file_and_line(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read(write(tmp_path / "a.csv", text), "url")


@pytest.mark.parametrize(
    "text",
    [
        "\x1b[2J" + "c" * 50_000 + ",label\nx,1\n",
        ",".join(f"column{number}" for number in range(5_000)) + "\n" + "," * 4_999 + "\n",
        HEADER + "a.example," + "\x07" * 50_000 + ",train\n",
        HEADER + "a.example,1," + "p" * 50_000 + "\n",
    ],
    ids=["long column", "many columns", "long label", "long part"],
)
def test_what_a_file_holds_is_shown_in_one_short_line(tmp_path, text):
    with pytest.raises(DataError) as refused:
        read(write(tmp_path / "a.csv", text), "url")
    assert len(str(refused.value)) < 1_000
    assert str(refused.value).isprintable()


def test_unreadable_files_are_errors(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path / "missing.csv", "url")
    broken = tmp_path / "broken.csv.gz"
    broken.write_bytes(gzip.compress((HEADER + EACH_PART).encode())[:-20])
    with pytest.raises(DataError, match="cannot be read"):
        read(broken, "url")
    latin = tmp_path / "latin.csv"
    latin.write_bytes(b"url,label\ncaf\xe9.example,0\n")
    with pytest.raises(DataError, match="cannot be read"):
        read(latin, "url")


def test_times_are_seconds_since_the_epoch_and_unknown_ones_are_nan(tmp_path):
    path = write(
        tmp_path / "a.csv",
        "host,label,time\na.com,1,2026-03-01T00:00:00Z\nb.com,0,\nc.com,0,1772323260\n",
    )
    rows = read_dataset(Examples(files=(path,)), "host", needed=())
    np.testing.assert_array_equal(rows.times, [1772323200, np.nan, 1772323260])
    chosen = rows.rows(np.array([2, 0, 2]))
    assert chosen.texts == ["c.com", "a.com", "c.com"]
    assert chosen.times.tolist() == [1772323260, 1772323200, 1772323260]


def test_without_any_time_there_is_no_time_column(tmp_path):
    path = write(tmp_path / "a.csv", "host,label\na.com,1\nb.com,0\n")
    rows = read_dataset(Examples(files=(path,)), "host", needed=())
    assert rows.times is None
    assert rows.of_part("train").times is None


def test_extra_rows_are_for_training_and_their_domains_in_no_other_part(tmp_path):
    lines = "".join(
        f"{part}{number}.example/x,{number % 2},{part}\n" for part in PARTS for number in range(4)
    )
    data = write(tmp_path / "data.csv", HEADER + lines)
    extra = write(tmp_path / "extra.csv", HEADER + "val0.example/y,0,test\nnew.example/z,0,\n")
    rows = read(data, "url", extra=(extra,))
    parts = dict(zip(rows.texts, rows.parts.tolist(), strict=True))
    assert parts["val0.example/y"] == parts["new.example/z"] == "train"
    assert parts["val0.example/x"] == ""
    assert (parts["val2.example/x"], parts["test0.example/x"]) == ("val", "test")
    assert rows.counts["left out of validation and test for their domain"] == 1
