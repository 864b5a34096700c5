"""Which label counts: the latest of each voice, an analyst's before a feed's, then by trust."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.labels import stored_label
from trainer.labels.resolution import ResolvedLabel, resolve, retractions
from trainer.labels.store import StoredLabel


def feed(name: str, label: str, **parts: object) -> StoredLabel:
    return stored_label(label=label, analyst=None, feed=name, source=name, **parts)  # type: ignore[arg-type]


def analyst(name: str, label: str, **parts: object) -> StoredLabel:
    return stored_label(label=label, analyst=name, **parts)  # type: ignore[arg-type]


def resolved(*labels: StoredLabel, trust: tuple[str, ...] = ()) -> ResolvedLabel:
    (found,) = resolve(labels, trust=trust).values()
    return found


def test_the_latest_word_of_a_voice_stands_and_is_no_disagreement_with_itself() -> None:
    early = analyst("kim", "malicious", hours=1, offset=9)
    late = analyst("kim", "benign", hours=2, offset=3)

    found = resolved(late, early)

    assert found.standing == (late,)
    assert found.disagreeing == ()


def test_of_the_same_moment_the_greater_offset_stands() -> None:
    first, second = analyst("kim", "malicious", offset=3), analyst("kim", "benign", offset=4)

    assert resolved(second, first).winner == second


def test_a_retraction_leaves_the_labels_of_other_voices() -> None:
    fed, said = feed("urlhaus", "malicious"), analyst("kim", "benign", hours=1)
    taken_back = analyst("kim", "retracted", hours=2)

    found = resolved(said, taken_back, fed)

    assert (found.label, found.standing) == ("malicious", (fed,))
    assert retractions([said, taken_back, fed]) == {found.text: [taken_back]}


def test_a_text_whose_labels_are_all_taken_back_is_not_labelled() -> None:
    labels = [analyst("kim", "benign", hours=1), analyst("kim", "retracted", hours=2)]

    assert resolve(labels) == {}
    assert list(retractions(labels)) == [labels[0].label.canonical.text]


def test_who_labels_again_after_taking_back_is_heard() -> None:
    taken_back = analyst("kim", "retracted", hours=2)
    again = analyst("kim", "malicious", hours=3)

    assert resolved(again, taken_back).winner == again
    assert retractions([taken_back, again]) == {}
    # What came late, and is older than the retraction, is not.
    assert resolve([taken_back, analyst("kim", "malicious", hours=1, offset=9)]) == {}


def test_a_text_is_of_the_kinds_as_which_labels_that_stand_have_it() -> None:
    as_url = feed("urlhaus", "malicious", url="http://bad.example/")
    as_host = analyst("kim", "malicious", url="bad.example")
    taken_back = analyst("kim", "retracted", url="bad.example", hours=1)

    assert resolved(as_url, as_host).kinds == {"url", "host"}
    assert resolved(as_url, as_host, taken_back).kinds == {"url"}


def test_an_analyst_goes_before_a_later_and_more_trusted_feed() -> None:
    said, fed = analyst("kim", "benign", hours=1), feed("urlhaus", "malicious", hours=9)

    found = resolved(fed, said, trust=("urlhaus",))

    assert (found.label, found.winner) == ("benign", said)
    assert found.disagreeing == (fed,)


def test_feeds_go_by_trust_then_by_time() -> None:
    trusted = feed("urlhaus", "malicious", hours=1)
    less, least = feed("openphish", "benign", hours=2), feed("list", "benign", hours=3)

    assert resolved(least, less, trusted).standing == (least, less, trusted)
    assert resolved(least, less, trusted, trust=("urlhaus",)).standing == (trusted, least, less)
    assert resolved(least, less, trusted, trust=("urlhaus", "openphish")).standing == (
        trusted,
        less,
        least,
    )


def test_two_analysts_of_one_source_are_two_voices() -> None:
    kim, lee = analyst("kim", "malicious", hours=2), analyst("lee", "benign", hours=1)

    assert resolved(lee, kim).disagreeing == (lee,)


def test_a_signed_label_gives_way_to_nothing_later_that_is_not_signed() -> None:
    signed = analyst("kim", "malicious")._replace(signed=True)
    fed = feed("urlhaus", "malicious")._replace(signed=True)

    for later in (
        analyst("invented", "benign", hours=1),
        analyst("kim", "benign", hours=1),  # Written before the key was set.
    ):
        assert resolved(later, signed).standing == (signed, later)
    assert resolved(analyst("kim", "retracted", hours=1), signed).winner == signed
    # The topics' rights come first.
    assert resolved(analyst("pat", "benign"), fed).label == "benign"


def test_a_feed_gets_no_trust_by_the_name_of_a_source_that_is_trusted() -> None:
    trusted = feed("urlhaus", "malicious")
    claims = stored_label(label="benign", analyst=None, feed="other", source="urlhaus", hours=1)

    assert resolved(claims, trusted, trust=("urlhaus",)).winner == trusted


def test_spellings_of_one_text_are_one_and_its_kinds_are_kept() -> None:
    host = stored_label("Evil.example", "benign", hours=1)
    url = stored_label("http://www.evil.example/", "malicious", hours=2, offset=1)
    other = stored_label("http://evil.example/x", offset=2)

    found = resolve([host, url, other])

    assert set(found) == {"evil.example", "evil.example/x"}
    assert found["evil.example"].winner == url
    assert found["evil.example"].kinds == {"host", "url"}
    assert found["evil.example/x"].kinds == {"url"}


def made(signed: bool, **parts: Any) -> StoredLabel:
    return stored_label(**parts)._replace(signed=signed)


stored = st.builds(
    made,
    st.booleans(),
    url=st.sampled_from(["evil.example", "http://evil.example/x"]),
    label=st.sampled_from(["malicious", "benign"]),
    partition=st.integers(0, 1),
    offset=st.integers(0, 5),
    hours=st.integers(0, 3),
    source=st.sampled_from(["a", "b", "c"]),
    analyst=st.none() | st.sampled_from(["kim", "lee"]),
    feed=st.sampled_from(["x", "y"]),
)
collections = st.lists(stored, max_size=12, unique_by=lambda label: label.place)


TRUST = st.permutations(["a", "b", "c", "x", "y"])


@settings(deadline=None)
@given(collections, TRUST, st.data())
def test_the_order_of_reading_and_reading_twice_change_nothing(
    labels: list[StoredLabel], trust: list[str], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(labels + labels))

    assert resolve(shuffled, trust=trust) == resolve(labels, trust=trust)


@settings(deadline=None)
@given(collections, TRUST)
def test_no_label_outranks_the_one_that_counts(labels: list[StoredLabel], trust: list[str]) -> None:
    for text, found in resolve(labels, trust=trust).items():
        of_text = [each for each in labels if each.label.canonical.text == text]
        winner = found.winner.label
        if any(each.label.analyst for each in of_text):
            assert winner.analyst
        rivals = [
            each for each in found.standing if bool(each.label.analyst) == bool(winner.analyst)
        ]
        places = {each: trust.index(_trusted(each)) for each in rivals if each.signed}
        places |= {each: trust.index(_trusted(each)) for each in rivals if not places}
        assert places[found.winner] == min(places.values())
        for each in of_text:
            (voice,) = (
                other
                for other in found.standing
                if (other.signed, other.label.source, other.label.analyst, other.label.feed)
                == (each.signed, each.label.source, each.label.analyst, each.label.feed)
            )
            assert voice.label.labeled_at >= each.label.labeled_at
        assert len(found.disagreeing) == sum(
            each.label.label != found.label for each in found.standing
        )


def _trusted(stored: StoredLabel) -> str:
    label = stored.label
    return label.source if label.analyst else label.feed or ""


@pytest.mark.parametrize("labels", [[], [stored_label()]])
def test_few_labels_are_no_special_case(labels: list[StoredLabel]) -> None:
    assert [found.winner for found in resolve(labels).values()] == labels
