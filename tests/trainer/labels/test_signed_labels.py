"""Labels of a name that has a key count only if that key signed them, by the commands as users
run them on a real Kafka."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from stream_detector.models.signing import new_key, read_private_key
from stream_detector.wire.labels import label_signature, voice_of
from support.broker import KafkaBroker
from support.commands import assert_one_line_error, run_command, run_trainer
from support.labels import label_record
from support.records import read_all
from trainer.labels.store import LabelStore

pytestmark = pytest.mark.kafka

URL = "http://evil.example/login"


def test_only_the_key_of_a_name_speaks_for_it(
    kafka: KafkaBroker, topics: Any, tmp_path: Path
) -> None:
    kim, other = tmp_path / "kim.key", tmp_path / "other.key"
    new_key(kim)
    new_key(other)
    topic, letters = topics("labels", partitions=1), topics("labels-dlq", partitions=1)
    settings = {
        "BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "LABELS_TOPIC": topic,
        "FEED_LABELS_TOPIC": topics("label-feeds", partitions=1),
        "LABELS_DEAD_LETTERS_TOPIC": letters,
        "LABELS_GROUP_ID": topic,
        "LABEL_KEYS": f"analyst:kim={kim}.pub",
    }

    def label(*words: str) -> Any:
        return run_command("label", URL, *words, "--analyst", "kim", settings=settings)

    assert_one_line_error(label("malicious"), 2, "analyst kim", "--signing-key", "nothing was")
    wrong = label("malicious", "--signing-key", str(other))
    assert_one_line_error(wrong, 2, "other.key is not the key", "analyst kim")
    assert read_all(kafka.bootstrap_servers, topic) == []
    assert label("malicious", "--signing-key", str(kim)).returncode == 0

    later = datetime.now(UTC) + timedelta(minutes=1)
    claims = label_record(URL, "benign", labeled_at=later)
    (written,) = read_all(kafka.bootstrap_servers, topic)
    signature = dict(written.headers)["signature"]
    hostile = [
        [],
        [("signature", label_signature(claims, read_private_key(other)))],
        [("signature", signature)],
        [("signature", b"short")],
    ]
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    for headers in hostile:
        producer.produce(topic, claims, headers=headers)
    # Nobody has a key for this name: it is heard, below what is signed.
    producer.produce(topic, label_record(URL, "benign", analyst="invented", labeled_at=later))
    producer.flush(60)

    collected = run_trainer("labels", "collect", folder=tmp_path, settings=settings)

    assert collected.returncode == 0, collected.stderr
    assert collected.stdout.startswith("6 records read: 2 labels stored, 0 were there, 4 dead let")
    assert collected.stderr.startswith(f"4 labels refused, now in {letters}: not signed by the key")
    assert collected.stderr.count("\n") == 1
    shown = run_trainer("labels", "show", URL, folder=tmp_path, settings=settings).stdout
    first, signed, invented = shown.splitlines()
    assert first == "evil.example/login: malicious, 1 of 2 voices disagree"
    assert "analyst kim, signed" in signed
    assert "analyst invented, source" in invented


def test_a_key_of_all_others_speaks_for_who_has_none_and_feeds_sign_as_analysts_do(
    kafka: KafkaBroker, topics: Any, tmp_path: Path
) -> None:
    for name in ("kim", "desk", "urlhaus", "feeds"):
        new_key(tmp_path / f"{name}.key")
    topic, feeds_topic = topics("labels", partitions=1), topics("label-feeds", partitions=1)
    voices = {"analyst:kim": "kim", "analyst:*": "desk", "feed:urlhaus": "urlhaus"}
    settings = {
        "BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "LABELS_TOPIC": topic,
        "FEED_LABELS_TOPIC": feeds_topic,
        "LABELS_DEAD_LETTERS_TOPIC": topics("labels-dlq", partitions=1),
        "LABELS_GROUP_ID": topic,
        "LABEL_KEYS": ",".join(
            f"{voice}={tmp_path / name}.key.pub"
            for voice, name in (voices | {"feed:*": "feeds"}).items()
        ),
    }
    table = tmp_path / "desk.csv"
    table.write_text("url,label,analyst\nhttp://lee.example/desk,malicious,lee\n", encoding="utf-8")
    desk = run_command(
        *("label", "--file", str(table), "--signing-key", str(tmp_path / "desk.key")),
        settings=settings,
    )
    assert desk.returncode == 0, desk.stderr
    for_another = run_command(
        *("label", URL, "benign", "--feed", "phishtank"),
        *("--signing-key", str(tmp_path / "urlhaus.key")),
        settings=settings,
    )
    assert_one_line_error(for_another, 2, "urlhaus.key is not the key", "feed phishtank")

    heard = {("analyst lee", "desk")}
    said = [
        *(("analyst", "kim", key) for key in (None, "desk", "kim")),
        *(("analyst", "ann", key) for key in (None, "kim", "feeds", "desk")),
        *(("feed", "urlhaus", key) for key in (None, "feeds", "desk", "urlhaus")),
        *(("feed", "phishtank", key) for key in (None, "urlhaus", "desk", "feeds")),
    ]
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    for part, name, key in said:
        value = label_record(
            f"http://{name}.example/{key}", **{"analyst": None, "source": "soc", part: name}
        )
        headers = []
        if key is not None:
            signature = label_signature(value, read_private_key(tmp_path / f"{key}.key"))
            headers = [("signature", signature)]
        producer.produce(topic if part == "analyst" else feeds_topic, value, headers=headers)
        if key == voices.get(f"{part}:{name}", {"analyst": "desk", "feed": "feeds"}[part]):
            heard.add((f"{part} {name}", key))
    producer.flush(60)

    collected = run_trainer("labels", "collect", folder=tmp_path, settings=settings)

    assert collected.returncode == 0, collected.stderr
    assert collected.stdout.startswith("16 records read: 5 labels stored, 0 were there, 11 dead")
    stored = list(LabelStore(tmp_path / "label-store").labels())
    assert all(each.signed for each in stored)
    paths = {(voice_of(each.label), each.label.url.rpartition("/")[2]) for each in stored}
    assert paths == heard
