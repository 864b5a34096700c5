"""From a label to another verdict, by a real watch on a real Kafka, whatever is killed when."""

import itertools
import signal
from datetime import datetime
from shutil import disk_usage

import pytest

from stream_detector.models.bundle import load_bundle
from stream_detector.models.store import ModelStore
from support.announced import more_verdicts, wait_until_serves
from support.bench import Bench
from support.bundles import save_small_bundle
from support.examples import rule
from support.feed import Feed
from support.labels import label_record
from support.processes import wait_for_line, wait_until
from support.retraining import corpus, save_wide_champion, write_corpus
from support.watching import FOLDER, WAIT_SECONDS, Watching
from trainer.gate.decision import read_decision
from trainer.publishing.promotion import announced_now, promote
from trainer.publishing.storing import store_bundle

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(900)]

ASKED = "http://x7x7x7.org/p"
"""Malicious by the rule that the champion knows."""


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """A corpus, and a champion that knows its rule."""
    folder = tmp_path_factory.mktemp("given")
    save_wide_champion(folder / "champion", corpus(write_corpus(folder / "urls.csv")))
    return folder


@pytest.fixture
def watching(kafka, topics, tmp_path, given):
    watching = Watching(kafka.bootstrap_servers, topics, tmp_path, given)
    yield watching
    watching.close()


@pytest.fixture
def bench(kafka, topics, tmp_path, watching):
    save_small_bundle(tmp_path / "host", "host")
    bench = Bench(
        kafka.bootstrap_servers,
        topics,
        tmp_path,
        command=("stream_detector", "run"),
        STREAM_DETECTOR_URL_BUNDLE=str(tmp_path / "champion"),
        STREAM_DETECTOR_HOST_BUNDLE=str(tmp_path / "host"),
        STREAM_DETECTOR_DEVICE="cpu",
        STREAM_DETECTOR_MODEL_STORE=watching.settings.model_store,
        STREAM_DETECTOR_MODELS_TOPIC=watching.models_topic,
        STREAM_DETECTOR_SHADOW_TOPIC=topics("shadow"),
    )
    yield bench
    bench.close()


def serves(bench, sha256):
    wait_until_serves(bench, sha256)
    more_verdicts(bench)


def contrary(count):
    """Labels that say the opposite of the rule, of names that the corpus has not."""
    rows = rule(count, 77)
    return [
        label_record(f"http://{text}.org/p", ("malicious", "benign")[label])
        for text, label in zip(rows.texts, rows.labels.tolist(), strict=True)
    ]


def test_a_label_changes_a_verdict_a_rollback_changes_it_back_and_a_worse_model_stays_out(
    watching, bench
):
    champion = watching.champion
    worker = bench.start_worker()
    watch = watching.start(STREAM_DETECTOR_URL_BUNDLE=str(watching.folder / "champion"))
    with Feed(bench, often=ASKED.encode()):
        serves(bench, champion.sha256)
        watching.run("stream_detector", "label", ASKED, "benign", "--analyst", "kim")
        outcome = {"kind": "url", "outcome": "published"}
        watching.wait_for_metric("stream_trainer_retrainings_total", **outcome)
        (bundle,) = watching.challengers()
        challenger = load_bundle(bundle)
        announced = watching.announced()
        serves(bench, challenger.sha256)

        watching.run("trainer", "models", "rollback")
        serves(bench, champion.sha256)
        assert watching.announced().withdrawn == (challenger.sha256,)
        watching.retrain_again(code=4)  # What was rolled back does not come again.

        watching.write(contrary(400))
        watching.wait_for_metric("stream_trainer_retrainings_total", kind="url", outcome="refused")
        watching.wait_for_metric("stream_trainer_retraining", 0.0, kind="url")
        assert watching.metric("stream_trainer_gate_check_passed", check="newest labels") in {0, 1}
        serves(bench, champion.sha256)
    bench.wait_until_committed(worker)
    assert worker.stop() == 0
    assert watch.stop() == 0
    assert "Traceback" not in watch.log.read_text()

    assert announced.sha256 == challenger.sha256
    assert announced.previous == (champion.sha256,)
    assert (announced.gate["passed"], announced.gate["champion"]) == (True, champion.sha256)
    assert watching.announced().sha256 == champion.sha256
    assert watching.announcements() == 2  # The challenger, and the way back.
    refused = read_decision(
        watching.challengers()[-1].with_name(f"{watching.challengers()[-1].name}-gate.json")
    )
    assert not refused.passed

    outputs = bench.prove()
    assert all(len(copies) == 1 for copies in outputs.verdicts.values())
    verdicts = [copies[0] for copies in outputs.verdicts.values()]
    by_partition = sorted(verdicts, key=lambda v: (v["source"]["partition"], v["source"]["offset"]))
    for _, group in itertools.groupby(by_partition, key=lambda v: v["source"]["partition"]):
        runs = [sha256 for sha256, _ in itertools.groupby(v["model"]["sha256"] for v in group)]
        assert runs == [champion.sha256, challenger.sha256, champion.sha256]
    # The champion went on until the challenger was warm.
    assert any(
        v["model"]["sha256"] == champion.sha256
        and datetime.fromisoformat(v["detected_at"]) > announced.announced_at
        for v in verdicts
    )
    said = {(v["model"]["sha256"], v["verdict"]) for v in verdicts if v["observed"] == ASKED}
    assert said == {(champion.sha256, "malicious"), (challenger.sha256, "benign")}


STAGES = {
    "stored, not committed": "watch stream_detector.kafka.label_reading LabelReader.commit kill",
    "while training": "retrain trainer.retraining.one_run tuned_table kill",
    "trained, not judged": "retrain trainer.retraining.one_run judge kill",
    "in the store, not announced": "retrain trainer.retraining.one_run promote kill",
    "announced, not noted": "watch trainer.watching.watcher Watcher._show kill",
}


def test_killed_in_every_stage_it_goes_on_and_one_challenger_is_announced_once(watching):
    champion = watching.champion
    model, _ = store_bundle(watching.folder / "champion", ModelStore(watching.settings.model_store))
    promote(watching.settings, model)
    watching.write([label_record(ASKED, "benign")])
    found = []
    for stage, stops_at in STAGES.items():
        watch = watching.start(stops_at=stops_at)
        assert watch.wait(WAIT_SECONDS) == -signal.SIGKILL, watch.tail()
        wait_until(lambda: watching.processes() == [], timeout=30, what=f"the end of all: {stage}")
        found.append(
            (
                len(watching.stored()),
                len(watching.challengers()),
                len(list((watching.folder / FOLDER).glob("*-gate.json"))),
                len(list((watching.folder / "store" / "url").iterdir())),
                announced_now(watching.settings).serving["url"].sha256 != champion.sha256,
            )
        )
    assert found == [
        (1, 0, 0, 1, False),
        (1, 0, 0, 1, False),
        (1, 1, 0, 1, False),
        (1, 1, 1, 2, False),
        (1, 1, 1, 2, True),
    ]

    watch = watching.start()
    watching.wait_for_metric("stream_trainer_retrainings_total", kind="url", outcome="unchanged")
    assert watch.stop() == 0
    assert len(watching.stored()) == len(watching.challengers()) == 1
    assert watching.announced().sha256 == load_bundle(watching.challengers()[0]).sha256
    assert watching.announcements() == 2
    assert watching.processes() == []


def test_of_two_watches_one_goes_on(watching):
    bundle = {"STREAM_DETECTOR_URL_BUNDLE": str(watching.folder / "champion")}
    training = "retrain trainer.retraining.one_run tuned_table wait"
    watching.write([label_record(ASKED, "benign")])
    first = watching.start(stops_at=training, **bundle)
    log = watching.folder / FOLDER / "retraining-url.log"
    first.wait_until(
        lambda: log.exists() and "stopped at" in log.read_text(),
        timeout=WAIT_SECONDS,
        what="it trains",
    )
    trains = set(watching.processes())
    assert len(trains) == 2

    # On the same folder the second has no place.
    second = watching.start(**bundle)
    assert second.wait(60) == 1
    (line,) = [line for line in second.log.read_text().splitlines() if "stream-trainer:" in line]
    assert f"another watch runs in {FOLDER}: end it, or give another --folder" in line
    assert first.exit_code is None

    # With the same group it takes the first one's place, whose training ends.
    third = watching.start(folder="elsewhere", stops_at=training, **bundle)
    assert first.wait(60) == 1
    assert f"another collector has taken over the group {watching.topic}" in first.tail(1)
    assert not trains & set(watching.processes())
    wait_for_line(third, "retraining the url model")
    assert third.exit_code is None
    assert watching.challengers() == []


def test_labels_of_both_kinds_are_shown_with_nothing_to_retrain_from_too(watching):
    watch = watching.start(data=())
    for kind in ("url", "host"):
        watch.wait_until(
            lambda kind=kind: watching.metric("stream_trainer_labels", kind=kind) == 0.0,
            timeout=60,
            what=f"it shows no {kind} labels",
        )
    watching.write([label_record(ASKED, "benign")])
    watching.wait_for_metric("stream_trainer_labels", kind="url")
    assert watching.metric("stream_trainer_labels", kind="host") == 0.0
    assert watching.metric("stream_trainer_new_labels") is None
    assert watch.stop() == 0


def test_it_is_ready_while_it_collects_and_kafka_is_there(own_kafka, own_topics, tmp_path, given):
    watching = Watching(own_kafka.bootstrap_servers, own_topics, tmp_path, given)
    try:
        watch = watching.start("--new-labels", "0")
        watch.wait_until(lambda: watching.answers("readyz"), timeout=60, what="it is ready")
        watching.write([label_record(ASKED, "benign"), b"no label"])
        watching.wait_for_metric("stream_trainer_labels", kind="url")
        watching.wait_for_metric("stream_trainer_label_dead_letters_total")
        assert watching.metric("stream_trainer_new_labels", kind="url") == 1.0
        assert watching.metric("stream_trainer_ready") == 1.0
        free = disk_usage(watching.folder).free
        assert watching.metric("stream_trainer_label_store_free_bytes") == pytest.approx(
            free, rel=0.2
        )
        group = watching.environment["STREAM_DETECTOR_LABELS_GROUP_ID"]
        assert watching.metric("stream_trainer_group_info", group=group) == 1.0

        own_kafka.stop()
        watch.wait_until(lambda: not watching.answers("readyz"), timeout=120, what="it is not")
        assert watching.answers("healthz")
        assert watching.metric("stream_trainer_ready") == 0.0
        assert watching.metric("stream_trainer_collector_errors_total") >= 1.0

        own_kafka.start()
        watch.wait_until(lambda: watching.answers("readyz"), timeout=120, what="it is again")
        watching.write([label_record("http://another.example/x")])
        watching.wait_for_metric("stream_trainer_labels", 2.0, kind="url")
        assert watch.stop() == 0
        assert "Traceback" not in watch.log.read_text()
        assert len(watching.stored()) == len(set(watching.stored())) == 2
    finally:
        watching.close()
