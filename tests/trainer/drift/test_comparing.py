"""Windows of verdicts held against each other: what moved, and who moved it."""

import math
from datetime import timedelta

import msgspec
import numpy as np
import pytest

from stream_detector.events import ModelRef
from stream_detector.models.reference import population_stability_index, reference_of
from stream_detector.models.store import ModelStore
from stream_detector.settings import Settings
from support.bundles import ARCHITECTURE, save_small_bundle, small_manifest
from support.drifting import (
    END,
    INJECTED_DOMAIN,
    INJECTED_TOPIC,
    injected,
    ordinary,
    verdict_record,
)
from trainer.drift.comparing import Windows, compare
from trainer.drift.plotting import drift_plot
from trainer.drift.references import References
from trainer.drift.telling import interpretation, lines_of
from trainer.drift.verdicts import Verdicts

UNKNOWN = ModelRef("url-model", "3", "a" * 64)
WINDOWS = Windows(END - timedelta(days=8), END - timedelta(days=1), END)
BEFORE, RECENT = (24.1, 8 * 24), (0.01, 23.9)


def drift_of(*records, references=None, groups_shown=5):
    verdicts = Verdicts()
    verdicts.add(value for part in records for _, value in part)
    references = references or References([], Settings())
    return compare(verdicts, WINDOWS, references, groups_shown=groups_shown)


def only_model(*records, **options):
    (model,) = drift_of(*records, **options).models
    return model


def of_statistics(model):
    return {one.name: one for one in model.statistics}


def test_the_same_traffic_is_stable_in_everything():
    model = only_model(
        ordinary(4000, UNKNOWN, hours=BEFORE), ordinary(2000, UNKNOWN, hours=RECENT, seed=1)
    )
    assert (model.recent.verdicts, model.baseline.verdicts) == (2000, 4000)
    assert all(interpretation(one.psi_baseline) == "stable" for one in model.statistics)
    assert model.domains.new == model.domains.gone == 0


def test_an_injected_topic_and_domain_explain_what_moved():
    model = only_model(
        ordinary(4000, UNKNOWN, hours=BEFORE),
        ordinary(2000, UNKNOWN, hours=RECENT, seed=1),
        injected(500, UNKNOWN),
    )
    statistics = of_statistics(model)
    for name in ("score", "length", "query"):
        assert interpretation(statistics[name].psi_baseline) == "moved"
    topic, domain = model.topics.movers[0], model.domains.movers[0]
    assert (topic.name, domain.name) == (INJECTED_TOPIC, INJECTED_DOMAIN)
    assert topic.recent.verdicts == 500
    assert topic.baseline.verdicts == 0
    assert topic.score_shift > 0.8 * statistics["score"].psi_baseline
    assert [group.name for group in model.domains.most_new] == [INJECTED_DOMAIN]
    assert model.domains.new_share == 500 / 2500


@pytest.mark.parametrize("sort", ["topics", "domains"])
def test_what_the_groups_add_is_all_there_is(sort):
    model = only_model(
        ordinary(4000, UNKNOWN, hours=BEFORE),
        ordinary(2000, UNKNOWN, hours=RECENT, seed=1),
        injected(300, UNKNOWN),
        groups_shown=1000,
    )
    groups = getattr(model, sort).movers
    score = of_statistics(model)["score"]
    # But for the half rows of the smoothing, which are nobody's.
    assert sum(group.score_shift for group in groups) == pytest.approx(score.psi_baseline, rel=0.02)
    assert sum(group.flagged_shift for group in groups) == pytest.approx(
        model.recent.flagged_share - model.baseline.flagged_share
    )


def test_by_hand_a_group_adds_its_share_times_the_logarithm():
    # Two bins, 0.01 and 0.6. Before: a alone, 900 and 100. Now: a as before, b 0 and 1000.
    before = [*low("a.example", 900, BEFORE), *high("a.example", 100, BEFORE)]
    now = [*low("a.example", 900, RECENT), *high("a.example", 100, RECENT)]
    model = only_model(before, now, high("b.example", 1000, RECENT))

    p, q = np.array([900.5, 1100.5]), np.array([900.5, 100.5])
    weights = np.log((p / p.sum()) / (q / q.sum()))
    shifts = {group.name: group.score_shift for group in model.domains.movers}
    assert shifts["b.example"] == pytest.approx(0.5 * weights[1], rel=0.01)
    assert shifts["a.example"] == pytest.approx(
        (0.45 - 0.9) * weights[0] + (0.05 - 0.1) * weights[1], rel=0.01
    )
    points = {group.name: group.flagged_shift for group in model.domains.movers}
    assert points == pytest.approx({"b.example": 1000 / 2000, "a.example": 100 / 2000 - 0.1})


def low(domain, count, hours):
    return [
        verdict_record(f"{domain}/low{n}", domain, hours_ago=sum(hours) / 2, model=UNKNOWN)
        for n in range(count)
    ]


def high(domain, count, hours, *, model=UNKNOWN):
    return [
        verdict_record(f"{domain}/hig{n}", domain, hours_ago=sum(hours) / 2, model=model, score=0.6)
        for n in range(count)
    ]


def test_texts_count_once_and_verdicts_each_time():
    often = verdict_record("a.example/x", "a.example", hours_ago=2, score=0.75, model=UNKNOWN)
    elsewhere = verdict_record(
        "a.example/x", "a.example", hours_ago=2, score=0.75, model=UNKNOWN, topic="proxy-b"
    )
    model = only_model([often] * 9, [elsewhere])
    assert (model.recent.verdicts, model.recent.texts, model.recent.flagged) == (10, 2, 10)


def test_windows_are_open_at_their_end_and_what_is_outside_is_left_out():
    texts = [
        verdict_record(f"a.example/{hours}", "a.example", hours_ago=hours, model=UNKNOWN)
        for hours in (-1, 0, 1, 24, 24.001, 192, 192.001)
    ]
    model = only_model(texts)
    assert (model.recent.verdicts, model.baseline.verdicts) == (2, 2)


def test_what_no_model_decided_or_is_no_verdict_is_counted_and_left_out():
    listed = verdict_record(
        "a.example/x",
        "a.example",
        hours_ago=1,
        model=UNKNOWN,
        score=None,
        verdict="malicious",
        reason="deny_list",
    )
    damaged = [(END, value) for value in (b"", b"{}", b"\xff", b"[" * 100_000, b"null")]
    impossible = (END, listed[1].replace(b'"score":null', b'"score":2.5'))
    found = drift_of([listed, impossible, *damaged], low("b.example", 1, RECENT))
    assert (found.by_list, found.malformed) == (1, 6)
    assert found.models[0].recent.verdicts == 1


@pytest.mark.parametrize("year", [1, 1969, 9999])
def test_a_time_that_no_worker_has_is_counted_and_moves_no_window(year):
    _, value = verdict_record("a.example/x", "a.example", hours_ago=1, model=UNKNOWN)
    strange = value.replace(b'"detected_at":"2026', b'"detected_at":"%04d' % year)
    assert strange != value
    verdicts = Verdicts()
    verdicts.add([value, strange])
    assert verdicts.malformed == 1
    assert verdicts.latest == (END - timedelta(hours=1)).timestamp()


OLDER = ModelRef("url-model", "2", "b" * 64)


def test_after_a_switch_the_inputs_keep_their_baseline_and_the_score_has_none():
    first = verdict_record("a.example/first", "a.example", hours_ago=23.5, model=UNKNOWN)
    found = drift_of(
        ordinary(4000, OLDER, hours=BEFORE),
        high("a.example", 400, BEFORE, model=OLDER),
        ordinary(2000, UNKNOWN, hours=(0.01, 10), seed=1),
        injected(500, UNKNOWN),
        [first],
    )
    (model,) = found.models
    assert model.ref == UNKNOWN
    statistics = of_statistics(model)
    assert statistics["score"].psi_baseline is None
    assert interpretation(statistics["length"].psi_baseline) == "moved"
    assert model.serves_from == first[0]
    assert (model.baseline.verdicts, model.baseline.flagged) == (4400, 400)
    by_topic = sum(group.flagged_shift for group in model.topics.movers)
    assert by_topic == pytest.approx(model.recent.flagged_share - 400 / 4400)
    assert [group.name for group in model.domains.most_new] == [INJECTED_DOMAIN]
    assert "url-model 2 (bbbbbbbbbbbb) with 4,400 verdicts" in model.remarks[0]

    text = "\n".join(lines_of(found))
    assert "9.09% malicious or suspicious (by the models before it)" in text
    assert "It serves from 2026-11-19 00:30 UTC on, so its scores have no baseline." in text
    assert drift_plot(found).rstrip().endswith(b"</svg>")


def test_a_model_with_a_baseline_of_its_own_is_compared_with_that_and_inputs_with_all():
    model = only_model(
        ordinary(3000, OLDER, hours=(100, 8 * 24)),
        ordinary(2000, UNKNOWN, hours=(24.1, 100), seed=1),
        high("a.example", 100, (30, 30), model=UNKNOWN),
        ordinary(2000, UNKNOWN, hours=RECENT, seed=2),
    )
    assert model.serves_from is None
    assert (model.baseline.verdicts, model.baseline.flagged) == (2100, 100)
    statistics = of_statistics(model)
    # Of 2,100 texts of its own, but 5,100 of both.
    assert sum(statistics["score"].baseline[-5:]) > 100 / 2100 - 0.001
    one = statistics["length"]
    assert one.psi_baseline == pytest.approx(
        population_stability_index(np.array(one.recent) * 2000, np.array(one.baseline) * 5100)
    )
    assert "url-model 2 (bbbbbbbbbbbb) with 3,000 verdicts served too" in model.remarks[0]


def test_the_inputs_of_two_models_that_take_turns_are_those_of_both():
    halves = [
        ordinary(1500, ref, hours=hours, seed=seed)
        for seed, (ref, hours) in enumerate(
            [(OLDER, BEFORE), (OLDER, (12, 23)), (UNKNOWN, (0.1, 12))]
        )
    ]
    newer, older = sorted(drift_of(*halves).models, key=lambda model: model.version)[::-1]
    assert of_statistics(newer)["length"] == of_statistics(older)["length"]
    assert (newer.serves_from is None, older.serves_from) == (False, None)


# --- the reference --------------------------------------------------------------------------


def scores_and_texts(count):
    """As ``ordinary`` has them, so that a reference of them is that network's own."""
    verdicts = Verdicts()
    verdicts.add(value for _, value in ordinary(count, UNKNOWN, hours=RECENT, seed=7))
    (columns,) = verdicts.models().values()
    values = [msgspec.json.decode(v) for _, v in ordinary(count, UNKNOWN, hours=RECENT, seed=7)]
    return columns.statistics["score"], [value["canonical"] for value in values]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A bundle whose reference is of ordinary texts."""
    from stream_detector.models.bundle import save_bundle

    folder = tmp_path_factory.mktemp("bundle") / "url"
    scores, texts = scores_and_texts(3000)
    manifest = msgspec.structs.replace(
        small_manifest("url"), reference=reference_of("url", texts, scores)
    )
    return folder, save_bundle(folder, manifest, ARCHITECTURE.initial_weights(0))


def test_without_a_baseline_the_reference_is_what_shifts_are_counted_from(bundle):
    folder, saved = bundle
    model = only_model(
        ordinary(2000, saved.ref, hours=RECENT, seed=1),
        injected(500, saved.ref),
        references=References([folder], Settings()),
    )
    assert model.explained == "reference"
    assert model.reference_rows == 3000
    score = of_statistics(model)["score"]
    assert interpretation(score.psi_reference) == "moved"
    assert model.topics.movers[0].name == INJECTED_TOPIC
    added = sum(group.score_shift for group in model.topics.movers)
    assert abs(added) < 1.05 * score.psi_reference
    assert model.topics.movers[0].score_shift > 0.8 * score.psi_reference
    assert model.domains.most_new == []


def test_the_indexes_are_those_of_the_shares_that_are_told(bundle):
    folder, saved = bundle
    model = only_model(
        ordinary(4000, saved.ref, hours=BEFORE),
        ordinary(2000, saved.ref, hours=RECENT, seed=1),
        injected(300, saved.ref),
        references=References([folder], Settings()),
    )
    for one in model.statistics:
        assert len(one.bins) == len(one.recent) == len(one.baseline) == len(one.reference)
        for shares in (one.recent, one.baseline, one.reference):
            assert math.isclose(sum(shares), 1)
        again = population_stability_index(
            np.array(one.recent) * 2300, np.array(one.baseline) * 4000
        )
        assert one.psi_baseline == pytest.approx(again)
        again = population_stability_index(
            np.array(one.recent) * 2300, np.array(one.reference) * 3000
        )
        assert one.psi_reference == pytest.approx(again)
        assert interpretation(one.psi_baseline_reference) == "stable"


def test_the_reference_comes_from_the_store_by_sha256(bundle, tmp_path):
    folder, saved = bundle
    settings = Settings(model_store=str(tmp_path))
    records = list(ordinary(50, saved.ref, hours=RECENT))
    missing = only_model(records, references=References([], settings))
    assert missing.reference_rows is None
    assert missing.remarks[0].startswith("No reference: ")

    ModelStore(settings.model_store).put(folder, "url", saved.sha256)
    assert only_model(records, references=References([], settings)).reference_rows == 3000


def test_a_bundle_that_did_not_score_serves_where_it_was_given_and_is_told(bundle):
    folder, _ = bundle
    model = only_model(
        ordinary(50, UNKNOWN, hours=RECENT), references=References([folder], Settings())
    )
    assert model.reference_rows == 3000
    assert "small-url 1, not of the model that scored" in model.remarks[0]


def test_a_bundle_without_a_reference_is_told(tmp_path):
    saved = save_small_bundle(tmp_path / "url")
    model = only_model(
        ordinary(50, saved.ref, hours=RECENT),
        references=References([tmp_path / "url"], Settings()),
    )
    assert "has no reference" in model.remarks[0]
    assert of_statistics(model)["score"].psi_reference is None


# --- as text --------------------------------------------------------------------------------


def test_the_text_names_what_moved_and_cannot_play_with_the_terminal():
    strange = verdict_record(
        "a.example/x", "a.example", hours_ago=1, model=UNKNOWN, topic="proxy\x1b[31m"
    )
    found = drift_of(
        ordinary(2000, UNKNOWN, hours=BEFORE),
        ordinary(1200, UNKNOWN, hours=RECENT, seed=1),
        injected(300, UNKNOWN),
        [strange],
    )
    lines = list(lines_of(found))
    text = "\n".join(lines)
    assert "\x1b" not in text
    assert "proxy\\x1b[31m" in text
    (score,) = (line for line in lines if line.startswith("  score "))
    assert score.split()[2] == "moved"
    (topic,) = (line for line in lines if line.startswith(f"    {INJECTED_TOPIC} "))
    assert topic.split()[1:3] == ["300", "300"]
    assert "not your network" in text.replace("\n", " ")
    assert "Beware" not in text


def test_few_texts_come_with_a_warning():
    found = drift_of(ordinary(50, UNKNOWN, hours=RECENT))
    assert any("Beware: of few recent texts" in line for line in lines_of(found))


@pytest.mark.parametrize(
    ("psi", "word"),
    [(0, "stable"), (0.0999, "stable"), (0.1, "look"), (0.25, "look"), (0.2501, "moved")],
)
def test_an_index_is_put_into_words(psi, word):
    assert interpretation(psi) == word
