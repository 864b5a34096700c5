"""A shadow under load: what it disagrees on is written, and verdicts are what they would be.

A real worker process with small bundles on a real Kafka, announced and reported by the commands.
"""

import json
import subprocess
from collections import Counter, defaultdict
from datetime import UTC, datetime

import pytest

from stream_detector.canonical import canonicalise
from stream_detector.events import Counts, Disagreement, Thresholds
from stream_detector.models.scorer import Network
from stream_detector.models.thresholds import verdict_for
from stream_detector.policy.shadow import is_sampled
from stream_detector.wire.comparisons import read_comparison
from stream_detector.wire.labels import make_label
from support.announced import Models, bench_following, more_verdicts, wait_for_metric
from support.commands import run_trainer
from support.feed import OFTEN, Feed
from support.records import read_all
from trainer.labels.store import LabelStore, StoredLabel
from trainer.publishing.promotion import announce_shadow

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

SHARE = 0.5
THRESHOLDS = Thresholds(suspicious=0.4988, malicious=0.5007)
"""Set over those of the bundles, whose untrained weights give scores around a half."""
ROUNDING = 1e-5
"""Of a score, by the batch that its text came in."""


@pytest.fixture
def models(kafka, topics, tmp_path):
    return Models(kafka.bootstrap_servers, topics, tmp_path)


@pytest.fixture
def bench(topics, models):
    with bench_following(
        models,
        topics,
        STREAM_DETECTOR_URL_SUSPICIOUS_THRESHOLD=str(THRESHOLDS.suspicious),
        STREAM_DETECTOR_URL_MALICIOUS_THRESHOLD=str(THRESHOLDS.malicious),
    ) as bench:
        yield bench


@pytest.fixture
def trainer(models, tmp_path):
    settings = {
        "BOOTSTRAP_SERVERS": models.settings.bootstrap_servers[0],
        "MODEL_STORE": models.settings.model_store,
        "MODELS_TOPIC": models.settings.models_topic,
        "SHADOW_TOPIC": models.settings.shadow_topic,
    }

    def run(*arguments: str) -> subprocess.CompletedProcess:
        done = run_trainer(*arguments, folder=tmp_path, settings=settings, timeout=240)
        assert done.returncode == 0, done.stderr
        return done

    return run


class Expected:
    """What the two bundles say, asked without a worker."""

    def __init__(self, models, texts):
        served, shadow = (
            Network(models.bundles[name], "/cpu:0").score(texts) for name in ("first", "second")
        )
        self.scores = dict(
            zip(texts, zip(served.tolist(), shadow.tolist(), strict=True), strict=True)
        )

    def verdicts(self, text):
        return tuple(verdict_for(score, THRESHOLDS) for score in self.scores[text])

    def is_certain(self, text):
        return all(
            abs(score - threshold) > ROUNDING
            for score in self.scores[text]
            for threshold in (THRESHOLDS.suspicious, THRESHOLDS.malicious)
        )


def text_of(url):
    return canonicalise("url", url).text


@pytest.mark.timeout(600)
def test_a_shadow_under_load_scores_like_its_bundle_and_changes_no_verdict(bench, models, trainer):
    sha256 = models.sha256("second")
    worker = bench.start_worker()
    with Feed(bench):
        more_verdicts(bench)
        trainer("models", "shadow", "second", "--share", str(SHARE))
        wait_for_metric(bench, "shadow_info{", f'sha256="{sha256}"', "} 1.0")
        assert f'model_info{{kind="url",name="small-url",sha256="{sha256}"' not in bench.metrics()
        more_verdicts(bench, 1500)
        assert "shadow, share 0.5" in trainer("models", "list").stdout
        trainer("models", "shadow", "--end")
        worker.wait_until(
            lambda: "stream_detector_shadow_info{" not in bench.metrics(),
            timeout=60,
            what="the end of the shadow",
        )
        metrics = bench.metrics()
        written = bench.written(models.settings.shadow_topic)
        more_verdicts(bench)
    bench.wait_until_committed(worker)
    assert worker.stop() == 0

    outputs = bench.prove()
    assert all(len(copies) == 1 for copies in outputs.verdicts.values())
    verdicts = [copies[0] for copies in outputs.verdicts.values()]
    assert {verdict["model"]["sha256"] for verdict in verdicts} == {models.sha256("first")}
    records = [
        read_comparison(record.value)
        for record in read_all(bench.bootstrap_servers, models.settings.shadow_topic)
    ]
    # The batch that was under way at the end may have been written after it.
    assert 0 <= len(records) - written < 100
    disagreements = [each for each in records if isinstance(each, Disagreement)]
    counts = [each for each in records if isinstance(each, Counts)]
    assert len({each.id for each in counts}) == len(counts)
    check_disagreements(disagreements, models, verdicts)
    check_counts(counts, disagreements)
    compared = sum(each.texts for each in counts)
    assert f'shadow_texts_total{{kind="url"}} {compared}.0' in metrics
    log = worker.log.read_text()
    assert (log.count("shadow started: "), log.count("shadow ended: ")) == (1, 1)

    check_report(trainer, models, counts, disagreements)


def check_disagreements(disagreements, models, verdicts):
    """All that is written is so, and of the time of the shadow all that is so is written."""
    by_id = {verdict["id"]: verdict for verdict in verdicts}
    texts = {text_of(verdict["observed"]): verdict for verdict in verdicts}
    expected = Expected(models, list(texts))
    written = defaultdict(dict)
    for each in disagreements:
        verdict = by_id[each.id]
        assert (each.canonical, each.host) == (verdict["canonical"], verdict["host"])
        assert (each.served.score, each.served.verdict) == (verdict["score"], verdict["verdict"])
        assert each.source.offset == verdict["source"]["offset"]
        assert is_sampled(each.canonical, SHARE)
        assert each.served.model.sha256 == models.sha256("first")
        assert each.shadow.model.sha256 == models.sha256("second")
        assert (each.served.thresholds, each.shadow.thresholds) == (THRESHOLDS, THRESHOLDS)
        assert (each.served.score, each.shadow.score) == pytest.approx(
            expected.scores[each.canonical], abs=ROUNDING
        )
        assert each.shadow.verdict == verdict_for(each.shadow.score, THRESHOLDS)
        assert each.shadow.verdict != each.served.verdict
        written[each.source.partition][each.canonical] = each.source.offset
    assert {(each.served.verdict, each.shadow.verdict) for each in disagreements} >= {
        ("benign", "suspicious"),
        ("suspicious", "malicious"),
    }
    # What was scored before stays decided, and is not scored again for a shadow.
    assert text_of(OFTEN.decode()) not in {each.canonical for each in disagreements}
    for partition, found in written.items():
        window = range(min(found.values()), max(found.values()) + 1)
        for text, verdict in texts.items():
            source = verdict["source"]
            if (
                source["partition"] == partition
                and source["offset"] in window
                and text != text_of(OFTEN.decode())
                and expected.is_certain(text)
            ):
                served, shadow = expected.verdicts(text)
                assert (text in found) is (served != shadow and is_sampled(text, SHARE))


def check_counts(counts, disagreements):
    """They sum up what is written one by one."""
    pairs = Counter()
    for each in counts:
        assert each.share == SHARE
        assert sum(pair.texts for pair in each.verdicts) == each.texts
        assert each.score_difference.mean_absolute <= each.score_difference.max_absolute
        for pair in each.verdicts:
            pairs[pair.served, pair.shadow] += pair.texts
    differing = Counter((each.served.verdict, each.shadow.verdict) for each in disagreements)
    assert {pair: texts for pair, texts in pairs.items() if pair[0] != pair[1]} == differing
    assert any(served == shadow for served, shadow in pairs)


def check_report(trainer, models, counts, disagreements):
    """The command says the same of it, and what labels say."""
    truth = disagreements[0]
    now = datetime.now(UTC)
    label = make_label(
        f"http://{truth.canonical}", "malicious", source="t", labeled_at=now, analyst="kim"
    )
    store = LabelStore(models.folder / "labels")
    with store.writing():
        store.add([StoredLabel(label, "url-labels", 0, 0, now)])

    done = trainer("shadow", "report", "--json", "--top", "3", "--store", str(store.folder))

    assert "no shadow is announced; the last was small-url 1" in done.stderr
    report = json.loads(done.stdout)
    assert report["shadow"]["sha256"] == models.sha256("second")
    assert report["texts"] == sum(each.texts for each in counts)
    assert report["agreement"] == pytest.approx(1 - len(disagreements) / report["texts"])
    of_direction = Counter((each.served.verdict, each.shadow.verdict) for each in disagreements)
    assert of_direction == {
        (each["served"], each["shadow"]): each["texts"] for each in report["directions"]
    }
    assert all(len(each["examples"]) <= 3 for each in report["directions"])
    assert report["labelled"] == {
        "texts": 1,
        "served_right": int(truth.served.verdict != "benign"),
        "shadow_right": int(truth.shadow.verdict != "benign"),
    }

    announce_shadow(models.settings, models.stored("third"), 1.0)
    assert "nothing was compared" in trainer("shadow", "report").stderr
    text = trainer("shadow", "report", "--shadow", models.sha256("second")[:8]).stdout
    assert f"Texts compared  {report['texts']:,}" in text
    assert "\nbenign -> suspicious: " in text
