import pytest

from support.processes import ROOT
from trainer.examples.datasets import read_dataset
from trainer.examples.labelled import Examples, LeakSearch


def leaks_of(benign, malicious):
    search = LeakSearch()
    for label, texts in enumerate((benign, malicious)):
        for text in texts:
            search.add(text, label)
    return {leak.what: leak.balanced_accuracy for leak in search.leaks()}


def test_a_property_that_gives_the_label_away_is_found():
    benign = [f"site{number}.example" for number in range(100)]
    malicious = [f"site{number}.example/a_{number}" for number in range(100)]
    assert leaks_of(benign, malicious) == {"a path": 1.0, "the character '_'": 1.0}


def test_what_both_have_is_none_and_few_rows_say_nothing():
    texts = [f"site{number}.example/a" for number in range(100)]
    assert leaks_of(texts, texts) == {}
    assert leaks_of(["a.example"], ["b.example"]) == {}


@pytest.mark.parametrize(
    ("benign", "malicious"),
    [
        ("https://site{}.example/a", "http://site{}.example/a"),
        ("https://www.site{}.com/a", "https://site{}.com/a"),
        ("https://site{}.example/", "https://site{}.example"),
    ],
    ids=["the scheme", "www.", "a lone slash"],
)
def test_parts_that_canonical_form_drops_are_not_leaks(tmp_path, benign, malicious):
    for name, pattern in (("benign", benign), ("malicious", malicious)):
        lines = [pattern.format(f"{name}{number}") for number in range(400)]
        (tmp_path / name).write_text("\n".join(lines))
    examples = Examples((), benign=(tmp_path / "benign",), malicious=(tmp_path / "malicious",))
    assert read_dataset(examples, "url").leaks == ()


def test_the_shipped_sample_has_no_alarming_leak():
    assert read_dataset(Examples((ROOT / "data/labelled/urls.csv.gz",)), "url").leaks == ()
