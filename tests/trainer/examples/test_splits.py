import numpy as np
import pytest

from trainer.examples.readers import DataError
from trainer.examples.splits import split_by_source, split_by_time


def test_a_held_out_source_is_the_test_and_none_of_its_domains_is_elsewhere():
    sources = np.array(["feed"] * 50 + ["list"] * 200)
    domains = np.array([f"d{n}" for n in range(50)] + [f"d{n}" for n in range(25, 225)])
    parts = split_by_source(sources, domains, ["feed"])
    assert set(parts[sources == "feed"]) == {"test"}
    assert set(parts[sources == "list"]) == {"train", "val", ""}
    assert not set(domains[parts == "test"]) & set(domains[np.isin(parts, ["train", "val"])])
    assert np.sum(parts == "") == 25


def test_an_unknown_source_is_an_error():
    with pytest.raises(DataError, match="source 'nosuch'; there are feed"):
        split_by_source(np.array(["feed"]), np.array(["d"]), ["nosuch"])


def test_the_latest_rows_are_the_test():
    times = np.random.default_rng(1).permutation(1000).astype(float)
    parts = split_by_time(times)
    assert [int(np.sum(parts == part)) for part in ("train", "val", "test")] == [700, 100, 200]
    assert times[parts == "train"].max() < times[parts == "val"].min()
    assert times[parts == "val"].max() < times[parts == "test"].min()


def test_a_row_without_a_time_is_an_error():
    with pytest.raises(DataError, match="1 rows have no time"):
        split_by_time(np.array([1.0, np.nan]))
