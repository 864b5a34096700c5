"""Each part works with exactly the rights of the table, and names the one that is missing.

A real broker with SCRAM over TLS, and nobody may what was not granted.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, get_args

import pytest
from aiokafka import AIOKafkaConsumer
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from stream_detector.errors import FatalError, StreamDetectorError, TopicsError
from stream_detector.events import Thresholds
from stream_detector.kafka.announcements import announce
from stream_detector.kafka.clients import client_options
from stream_detector.kafka.dead_letters import letters_since, replay_dead_letters
from stream_detector.kafka.label_topic import write_labels
from stream_detector.kafka.preflight import group_members
from stream_detector.kafka.rights import PARTS, Operation, Part, Right, rights_of
from stream_detector.kafka.topic_backup import save_topics
from stream_detector.kafka.topics import (
    check_topic,
    cluster_id,
    create_topics,
    topic_problems,
)
from stream_detector.kafka.verdict_ids import events_of
from stream_detector.models.announcement import Announcement
from stream_detector.settings.fields import Settings
from stream_detector.terminal.progress import Stage
from stream_detector.wire.dead_letters import LetterFilter
from support.labels import label_with
from support.records import produce
from support.secured_broker import SecuredBroker
from trainer.drift.reading import read_topic
from trainer.labels.collecting import collect_labels
from trainer.labels.store import LabelStore
from trainer.publishing.promotion import announced_now
from trainer.shadow.reading import read_comparisons

PREFIX = "rights."
CONSUMER_GROUP = "rights-soc"
NAMES: dict[str, Any] = {
    "topic_prefix": PREFIX,
    "group_id": "rights",
    "labels_group_id": "rights-labels",
    "model_store": "/srv/models",
    "topic_partitions": 1,
}
_names = count()


def needed(part: Part) -> list[Right]:
    return rights_of(part, Settings(**NAMES), consumer_group=CONSUMER_GROUP)


@pytest.fixture(scope="module")
def kafka_with_topics(secured_kafka: SecuredBroker) -> SecuredBroker:
    """With all topics, records in inputs, outputs and labels, and a user for each part."""
    settings = secured_kafka.plain_settings(secured_kafka.scram_settings("nobody", **NAMES))
    create_topics(settings)
    (events,) = settings.input_topic_names
    produce(secured_kafka.bootstrap_servers, events, [b"http://a.example/"] * 2, partition=0)
    place = [("source-topic", events.encode()), ("source-partition", b"0")]
    for offset, withheld in ((b"0", b""), (b"1", b"clients")):
        produce(
            secured_kafka.bootstrap_servers,
            settings.dead_letters_topic_name,
            [b"http://a.example/"],
            partition=0,
            headers=[*place, ("source-offset", offset), ("withheld", withheld)],
        )
    # A collector writes a dead letter of what is no label, and so needs its right for that.
    for topic in [*settings.output_topic_names, settings.label_topic_names[0]]:
        produce(secured_kafka.bootstrap_servers, topic, [b"no label"], partition=0)
    for part in PARTS:
        secured_kafka.add_user(part)
    return secured_kafka


def detect(settings: Settings, folder: Path) -> None:
    """What a worker checks before it begins, and doctor."""
    problems = topic_problems(settings, "detector")
    try:
        group_members(settings, settings.group_id)
    except FatalError as error:
        problems.append(str(error))
    if problems:
        raise TopicsError("; ".join(problems))


def make_topics(settings: Settings, folder: Path) -> None:
    assert {state.partitions for state in create_topics(settings)} == {1}


def label(settings: Settings, folder: Path) -> None:
    write_labels(settings, [label_with()])


def label_as_feed(settings: Settings, folder: Path) -> None:
    write_labels(settings, [label_with(analyst=None, feed="urlhaus")])


def label_a_verdict(settings: Settings, folder: Path) -> None:
    (events,) = settings.input_topic_names
    found = events_of(settings, [f"{cluster_id(settings)}:{events}:0:0:0"])
    assert [event.observed for event in found] == ["http://a.example/"]
    write_labels(settings, [label_with()])


def collect(settings: Settings, folder: Path) -> None:
    done = collect_labels(
        settings,
        LabelStore(folder / f"labels-{next(_names)}"),
        follow=False,
        interval=1.0,
        from_beginning=True,
        stopped=lambda: False,
        tell=lambda text: None,
    )
    assert done.dead_letters


def publish(settings: Settings, folder: Path) -> None:
    check_topic(settings, settings.models_topic, "READ", "WRITE")
    announced = announced_now(settings)
    asyncio.run(
        announce(
            settings,
            Announcement(
                name="rights",
                kind="url",
                version="1",
                sha256="0" * 64,
                url="/srv/models/url/rights",
                thresholds=Thresholds(suspicious=0.5, malicious=0.9),
                announced_at=datetime.now(UTC),
                previous=(),
                gate=None,
            ),
        )
    )
    assert set(announced.serving) <= {"url"}


def train(settings: Settings, folder: Path) -> None:
    collect(settings, folder)
    publish(settings, folder)
    # A backup is its to take: it reads all that is saved.
    assert len(save_topics(settings, folder / "topics.jsonl")) == 3


def report(settings: Settings, folder: Path) -> None:
    now = datetime.now(UTC)
    times = (now - timedelta(hours=1), now)
    read_topic(settings, times, sample=10, stage=Stage(""))
    list(read_comparisons(settings, since=times[0]))


def read_letters(settings: Settings, folder: Path) -> None:
    list(letters_since(settings, None, on_progress=lambda *_: None))


def replay_letters(settings: Settings, folder: Path) -> None:
    outcome = replay_dead_letters(
        settings,
        datetime.now(UTC) - timedelta(hours=1),
        chosen=LetterFilter(),
        again=False,
        limit=None,
        dry_run=False,
        on_progress=lambda *_: None,
    )
    # One as it is, one whose original is read; others in the topic are no dead letters.
    assert outcome.replayed.total() == 2


def ship(settings: Settings, folder: Path) -> None:
    producer = KafkaProducer(**client_options(settings, KafkaProducer))
    try:
        producer.send(settings.input_topic_names[0], b"http://b.example/").get(timeout=30)
    finally:
        producer.close(timeout=5)


def consume(settings: Settings, folder: Path) -> None:
    async def read() -> None:
        options = client_options(settings, AIOKafkaConsumer) | {"auto_offset_reset": "earliest"}
        topics = settings.output_topic_names
        async with AIOKafkaConsumer(*topics, group_id=CONSUMER_GROUP, **options) as consumer:
            found: set[str] = set()
            while found < set(topics):
                batches = await consumer.getmany(timeout_ms=500)
                found |= {partition.topic for partition in batches}
            await consumer.commit()

    asyncio.run(read())


def read_lag(settings: Settings, folder: Path) -> None:
    (events,) = settings.input_topic_names
    partition = TopicPartition(events, 0)
    options = client_options(settings, KafkaConsumer) | {"group_id": settings.group_id}
    consumer = KafkaConsumer(**options)
    try:
        consumer.committed(partition)
        assert consumer.end_offsets([partition])[partition] > 0
    finally:
        consumer.close()


WORK: Mapping[Part, Callable[[Settings, Path], None]] = {
    "detector": detect,
    "topic-maker": make_topics,
    "labeller": label,
    "feed-labeller": label_as_feed,
    "verdict-labeller": label_a_verdict,
    "label-collector": collect,
    "model-publisher": publish,
    "trainer": train,
    "reporter": report,
    "dead-letter-reader": read_letters,
    "dead-letter-replayer": replay_letters,
    "log-shipper": ship,
    "consumer": consume,
    "scaler": read_lag,
}
USERS_OWN = {"log-shipper", "consumer", "scaler"}
"""Programs that are not of this project: they have errors of their own."""


def test_every_part_is_explained_and_tried() -> None:
    assert set(PARTS) == set(WORK) == set(get_args(Part))
    used = {right.operation for part in PARTS for right in needed(part)}
    assert used == set(get_args(Operation))


def test_models_need_rights_only_where_a_store_is_set() -> None:
    without = Settings(**{**NAMES, "model_store": ""})

    assert rights_of("model-publisher", without) == []
    assert {right.name for right in rights_of("detector", Settings(**NAMES))} - {
        right.name for right in rights_of("detector", without)
    } == {"rights.url-models", "rights.url-shadow"}


@pytest.mark.kafka
@pytest.mark.parametrize("part", [part for part in PARTS if part != "topic-maker"])
def test_a_part_works_with_exactly_its_rights(
    part: Part, kafka_with_topics: SecuredBroker, tmp_path: Path
) -> None:
    kafka_with_topics.grant(part, needed(part))

    WORK[part](kafka_with_topics.scram_settings(part, **NAMES), tmp_path)


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("part", "other"),
    [
        ("detector", "labeller"),
        ("detector", "model-publisher"),
        ("topic-maker", "model-publisher"),
        ("trainer", "labeller"),
        ("trainer", "log-shipper"),
        ("labeller", "feed-labeller"),
        ("scaler", "label-collector"),
    ],
)
def test_a_part_that_is_taken_over_can_not_do_the_work_of_another(
    part: Part, other: Part, kafka_with_topics: SecuredBroker, tmp_path: Path
) -> None:
    """Announce a model, vouch for a label, or make up records: whoever has the part's password."""
    kafka_with_topics.grant(part, needed(part))

    refused = (StreamDetectorError, KafkaError)
    with pytest.raises(refused, match=r"(?i)authori|right"):
        WORK[other](kafka_with_topics.scram_settings(part, **NAMES), tmp_path)


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("part", "missing"),
    [
        pytest.param(part, right, id=f"{part} without {right}")
        for part in PARTS
        if part not in {"topic-maker", *USERS_OWN}
        for right in needed(part)
    ],
)
def test_a_right_that_is_missing_is_named_in_one_line(
    part: Part, missing: Right, kafka_with_topics: SecuredBroker, tmp_path: Path
) -> None:
    kafka_with_topics.grant(part, [right for right in needed(part) if right != missing])

    with pytest.raises(StreamDetectorError) as caught:
        WORK[part](kafka_with_topics.scram_settings(part, **NAMES), tmp_path)

    message = str(caught.value)
    assert f"{missing.resource} {missing.name}" in message
    assert missing.operation in message
    assert part in message
    assert "\n" not in message
    assert "; " not in message, "only one is missing"


@pytest.fixture
def fresh(kafka_with_topics: SecuredBroker) -> Settings:
    """The maker of topics, with names that are not there yet."""
    names = NAMES | {"topic_prefix": f"rights-{next(_names)}."}
    return kafka_with_topics.scram_settings("topic-maker", **names)


@pytest.mark.kafka
def test_topics_are_made_with_exactly_the_rights_for_it(
    fresh: Settings, kafka_with_topics: SecuredBroker
) -> None:
    rights = rights_of("topic-maker", fresh)
    kafka_with_topics.grant("topic-maker", rights)

    made = create_topics(fresh)

    assert {state.created for state in made} == {True}
    assert {state.name for state in made} == {right.name for right in rights}


@pytest.mark.kafka
@pytest.mark.parametrize("missing", map(str, needed("topic-maker")))
def test_a_right_that_is_missing_to_make_topics_is_named_in_one_line(
    missing: str, fresh: Settings, kafka_with_topics: SecuredBroker
) -> None:
    missing = missing.replace(PREFIX, fresh.topic_prefix)
    rights = rights_of("topic-maker", fresh)
    (taken,) = [right for right in rights if str(right) == missing]
    kafka_with_topics.grant("topic-maker", [right for right in rights if right != taken])
    if taken.operation == "DESCRIBE_CONFIGS":  # Asked of input topics that are there already.
        inputs = fresh.model_copy(update={"model_store": ""})
        admin = kafka_with_topics.plain_settings(inputs)
        create_topics(admin.model_copy(update={"verdicts_topic": "others"}))

    with pytest.raises(TopicsError) as caught:
        create_topics(fresh)

    message = str(caught.value)
    print(message)
    assert message.startswith(f"topic {taken.name} ")
    assert "give topic-maker the right" in message
    assert taken.operation in message
    assert "\n" not in message


@pytest.mark.kafka
@pytest.mark.parametrize("taken", ["topic", "group"])
def test_a_collector_that_loses_a_right_names_it(
    taken: str, kafka_with_topics: SecuredBroker, tmp_path: Path
) -> None:
    rights = needed("label-collector")
    right, *_ = [r for r in rights if r.operation == "READ" and r.resource == taken]
    kafka_with_topics.grant("label-collector", rights)
    settings = kafka_with_topics.scram_settings("label-collector", **NAMES)
    labels, *_ = settings.label_topic_names

    def tell(text: str) -> None:
        """It has stored a batch: its right goes, and more comes."""
        kafka_with_topics.grant("label-collector", [r for r in rights if r != right])
        produce(kafka_with_topics.bootstrap_servers, labels, [b"more"], partition=0)

    produce(kafka_with_topics.bootstrap_servers, labels, [b"no label"], partition=0)
    with pytest.raises(FatalError) as caught:
        collect_labels(
            settings,
            LabelStore(tmp_path / "labels"),
            follow=True,
            interval=0.1,
            from_beginning=True,
            stopped=lambda: False,
            tell=tell,
        )

    message = str(caught.value)
    print(message)
    assert f"give label-collector the right {right}" in message
    assert "\n" not in message
