"""What is trained on and measured on: the hold-out stays what it is, whatever is labelled."""

import numpy as np
import pytest

from support.labels import stored_label
from trainer.examples.datasets import Dataset
from trainer.labels.resolution import resolve
from trainer.retraining.examples import LabelRules, retraining_examples

PARTS = ("train", "train", "val", "test")
ROWS = [(f"site{number}.example/p", number % 2, PARTS[number // 2 % 4]) for number in range(80)]


def base():
    texts, labels, parts = zip(*ROWS, strict=True)
    return Dataset(
        texts=list(texts),
        labels=np.array(labels, np.int8),
        parts=np.array(parts),
        sources=np.array(["corpus"] * len(ROWS)),
        kinds=np.array([""] * len(ROWS)),
        counts={},
    )


def texts_of(part):
    return [text for text, _, of in ROWS if of == part]


def rows_of(data):
    return list(zip(data.texts, data.labels.tolist(), strict=True))


def made(labels, kind="url", **rules):
    rules = {"voice_share": 1.0} | rules
    return retraining_examples(
        base(), resolve(labels).values(), kind, LabelRules(**rules), seed=rules.get("seed", 0)
    )


def labelled(count, **parts):
    """Labels of texts that the base has not, one an hour."""
    return [
        stored_label(f"http://new{number}.test/x", offset=number, hours=number, **parts)
        for number in range(count)
    ]


def signed(*parts, **named):
    return stored_label(*parts, **named)._replace(signed=True)


def hosts_below(part):
    """A label of another page and of a sub-domain of every row of ``part``."""
    return [
        stored_label(f"http://{prefix}{text}q", offset=number)
        for number, text in enumerate(texts_of(part))
        for prefix in ("", "www.", "deep.below.")
    ]


def test_no_label_of_a_domain_of_the_hold_out_is_used_for_anything():
    labels = [*hosts_below("test"), *labelled(120)]
    examples = made(labels)
    used = {*examples.train.texts, *examples.newest.texts}
    domains = {text.partition("/")[0] for text in texts_of("test")}
    assert not any(text.partition("/")[0].endswith(tuple(domains)) for text in used)
    assert examples.counts["left out, of the hold-out's domains"] == 3 * len(texts_of("test")) - (
        len(texts_of("test"))  # www. is no part of a canonical text
    )
    assert sum(examples.counts.values()) == 2 * examples.counts["of this kind"]


@pytest.mark.parametrize(
    "labels",
    [[], labelled(3), labelled(150), hosts_below("test"), hosts_below("val"), hosts_below("train")],
    ids=["none", "few", "many", "of its own", "of validation", "of training"],
)
def test_the_hold_out_is_the_same_rows_whatever_is_labelled(labels):
    hold_out = made(labels).held.of_part("test")
    assert rows_of(hold_out) == [(text, label) for text, label, part in ROWS if part == "test"]


def test_from_100_labels_on_the_newest_tenth_is_held_out():
    assert made(labelled(99)).newest is None
    examples = made([*labelled(110)][::-1])
    assert examples.newest.texts == [f"new{number}.test/x" for number in range(99, 110)]
    assert set(examples.labelled.texts) == {f"new{number}.test/x" for number in range(99)}
    assert examples.newest.times.tolist() == sorted(examples.newest.times.tolist())
    assert made(labelled(110), newest_share=0.0).newest is None


def test_the_newest_of_each_voice_are_held_out_so_that_none_fills_the_measurement():
    honest = [
        signed(f"http://kim{number}.test/x", offset=number, hours=number, analyst="kim")
        for number in range(50)
    ]
    flood = [
        signed(f"http://m{number}.test/x", offset=100 + number, hours=1000, analyst="mallory")
        for number in range(950)
    ]
    examples = made([*flood, *honest])
    assert [text for text in examples.newest.texts if text.startswith("kim")] == [
        f"kim{number}.test/x" for number in range(45, 50)
    ]
    assert len(examples.newest.texts) == 100
    assert examples.newest_voices.voices == ["analyst kim"] * 5 + ["analyst mallory"] * 95
    assert not {*examples.newest.texts} & {*examples.labelled.texts}


def test_newer_labels_are_visited_more_often_and_each_at_least_once():
    day = 24
    labels = [
        stored_label("http://now.test/x", hours=900 * day),
        stored_label("http://half.test/x", hours=890 * day, offset=1),
        stored_label("http://old.test/x", hours=0, offset=2),
    ]
    texts = made(labels, visits=9.0, half_life_days=10.0).labelled.texts
    assert [texts.count(f"{name}.test/x") for name in ("now", "half", "old")] == [9, 5, 1]
    fractions = [
        made([*labels, *labelled(40)], visits=1.5, half_life_days=1e9).labelled.texts.count(
            f"new{number}.test/x"
        )
        for number in range(40)
    ]
    assert set(fractions) == {1, 2}


def test_no_voice_has_more_than_its_share_of_an_epoch_however_much_it_labels():
    base_rows = len(texts_of("train"))
    hostile = [
        signed(f"http://hostile{number}.test/x", offset=number, analyst="mallory")
        for number in range(1000)
    ]
    few = [stored_label("http://few.test/x", offset=2000, hours=1)]
    alone = made(few, visits=4.0).labelled.texts
    examples = made([*hostile, *few], visits=4.0, voice_share=0.2, newest_share=0.0)

    texts = examples.labelled.texts
    visited = sum(text.startswith("hostile") for text in texts)
    assert 0 < visited <= 0.2 * (base_rows + len(texts))
    voice = examples.voices["analyst mallory"]
    assert voice.share == visited / (base_rows + len(texts))
    assert set(voice.names) == {"analyst mallory"}
    assert [text for text in texts if text.startswith("few")] == alone
    left_out = examples.counts["left out, of a voice above its share"]
    assert left_out == 1000 - len(voice.texts)
    # What is not trained on takes no row of the base corpus away.
    against = [
        signed(f"http://{text}", "benign" if label else "malicious", analyst="mallory")
        for text, label, part in ROWS
        if part == "train"
    ]
    kept = made(against, voice_share=0.2)
    assert len(set(kept.base.texts) | set(kept.labelled.texts)) == base_rows
    assert len(kept.base.texts) > base_rows / 2


def test_a_source_is_no_voice_of_its_own():
    labels = [
        signed(f"http://x{n}.test/x", offset=n, source=f"system {n}", analyst="mallory")
        for n in range(300)
    ]
    assert list(made(labels, voice_share=0.2).voices) == ["analyst mallory"]


@pytest.mark.parametrize("part", ["analyst", "feed"])
def test_inventing_names_gives_only_one_voice(part):
    labels = [
        stored_label(f"http://x{n}.test/x", offset=n, **{"analyst": None, part: f"invented {n}"})
        for n in range(1000)
    ]
    proved = signed("http://few.test/x", offset=2000, hours=1, analyst="kim")
    examples = made([*labels, proved], visits=4.0, voice_share=0.2, newest_share=0.0)

    invented = examples.voices[f"{part}s without a key"]
    assert list(examples.voices) == [f"{part}s without a key", "analyst kim"]
    assert 0.1 < invented.share <= 0.2
    assert len(set(invented.names)) == len(invented.texts) > 1
    assert examples.labelled.texts.count("few.test/x") == 4


def test_a_label_goes_before_the_row_of_the_base_that_says_otherwise():
    text, label, _ = next(row for row in ROWS if row[2] == "train")
    said = "benign" if label else "malicious"
    examples = made([stored_label(f"http://{text}", said)])
    assert text not in examples.base.texts
    assert set(rows_of(examples.labelled)) == {(text, 1 - label)}
    others = [each for each in texts_of("train") if each != text]
    assert examples.base.texts == others


def test_validation_loses_the_domains_of_labels_that_are_trained_on():
    told = texts_of("val")[0]
    examples = made([stored_label(f"http://sub.{told}/other")])
    assert examples.held.of_part("val").texts == texts_of("val")[1:]
    assert made([]).held.of_part("val").texts == texts_of("val")


def test_each_kind_has_its_own_labels():
    labels = [stored_label("http://one.test/x"), stored_label("two.test", offset=1)]
    assert set(made(labels, "url").labelled.texts) == {"one.test/x"}
    assert set(made(labels, "host").labelled.texts) == {"two.test"}


def test_the_same_arguments_give_the_same_rows_and_other_labels_another_digest():
    labels = labelled(130)
    first, again = made(labels, visits=2.5), made(labels[::-1], visits=2.5)
    assert first.train.texts == again.train.texts
    assert first.labels_sha256 == again.labels_sha256
    digests = {
        made(others).labels_sha256
        for others in (
            labels,
            labels[:-1],
            [
                *labels[:-1],
                labels[-1]._replace(label=stored_label("http://a.test/x", "benign").label),
            ],
            [],
        )
    }
    assert len(digests) == 4


def test_the_census_counts_each_label_once():
    census = made(labelled(20)).census
    assert census.parts == {
        "train": len(texts_of("train")) + 20,
        "val": len(texts_of("val")),
        "test": len(texts_of("test")),
    }
    assert census.sources == {"corpus": (80, 40), "labels: soc": (20, 20)}
    assert "20 labels" in census.remark


def test_labels_that_were_taken_back_leave_the_base_corpus_as_it_is():
    text = texts_of("train")[0]
    said = stored_label(f"http://{text}", "malicious")
    taken_back = stored_label(f"http://{text}", "retracted", offset=1, hours=1)

    examples = made([said, taken_back])

    assert examples.labelled.texts == []
    assert rows_of(examples.train) == rows_of(base().of_part("train"))
    assert examples.counts["of this kind"] == 0
