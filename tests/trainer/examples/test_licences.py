"""Licences of sources, as the manifest states them."""

import pytest

from trainer.examples.readers import DataError, read_licences


def test_a_row_may_name_several_sources_and_where_they_are_from(tmp_path):
    path = tmp_path / "SOURCES.csv"
    path.write_text(
        "source,licence,repository,file\n"
        '"feed, list",CC0,example/feeds,\n'
        "names,MIT,,hosts\n"
        "names,GPL,,urls\n",
        encoding="utf-8-sig",
    )
    both = {"feed": ("CC0", "example/feeds"), "list": ("CC0", "example/feeds")}
    assert read_licences(path, "host") == {**both, "names": ("MIT", "")}
    assert read_licences(path, "url") == {**both, "names": ("GPL", "")}


def test_a_row_cut_short_states_no_licence(tmp_path):
    path = tmp_path / "SOURCES.csv"
    path.write_text("source,licence\nfeed\n")
    assert read_licences(path, "url") == {"feed": ("", "")}


@pytest.mark.parametrize("content", ["", "source,licence\n", "source\nfeed\n"])
def test_a_file_without_rows_or_columns_is_refused(tmp_path, content):
    path = tmp_path / "SOURCES.csv"
    path.write_text(content)
    with pytest.raises(DataError, match=r"SOURCES\.csv: it needs the columns source and licence"):
        read_licences(path, "url")


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(DataError, match=r"SOURCES\.csv cannot be read"):
        read_licences(tmp_path / "SOURCES.csv", "url")
