"""Topics are made once, as they should be, and checked without making any."""

import socket
import threading
import uuid
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from stream_detector.demo.embedded_broker import EmbeddedBroker
from stream_detector.errors import RetryableError, SettingsError, TopicsError
from stream_detector.kafka.preflight import group_members, newest_record_time
from stream_detector.kafka.topics import (
    TopicState,
    check_topic,
    cluster_id,
    create_topics,
    topic_problems,
)
from stream_detector.settings.fields import Settings
from support.broker import KafkaBroker
from support.records import produce


def settings_for(kafka: KafkaBroker, **changes: Any) -> Settings:
    """Settings with topics of their own."""
    values = {
        "bootstrap_servers": [kafka.bootstrap_servers],
        "topic_prefix": f"{uuid.uuid4().hex[:8]}.",
        "topic_partitions": 3,
    }
    return Settings(**(values | changes))


def configs_of(kafka: KafkaBroker, topic: str) -> dict[str, str]:
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    try:
        found = admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, topic)], config_filter="all"
        )
    finally:
        admin.close()
    return {name: config["value"] for name, config in found["topic"][topic].items()}


@pytest.mark.kafka
def test_missing_topics_are_made_and_then_pass_the_check(kafka: KafkaBroker) -> None:
    settings = settings_for(kafka, input_topics=["proxy", "dns"])
    names = [*settings.input_topic_names, *settings.output_topic_names]
    assert topic_problems(settings, "detector") == [
        f"topics {', '.join(names)} are missing: `stream-detector topics create` makes them"
    ]

    states = create_topics(settings)

    assert states == [
        TopicState(name, True, 3, 1) for name in [*names, *settings.label_topic_names]
    ]
    assert topic_problems(settings, "detector") == []


@pytest.mark.kafka
def test_labels_are_kept_for_ever_and_their_dead_letters_are_not(kafka: KafkaBroker) -> None:
    settings = settings_for(kafka)
    labels, feeds, dead_letters = settings.label_topic_names
    make = "`stream-detector topics create` makes"
    assert topic_problems(settings, "labeller") == [f"topic {labels} is missing: {make} it"]
    assert topic_problems(settings, "label-collector") == [
        f"topics {labels}, {feeds}, {dead_letters} are missing: {make} them"
    ]

    create_topics(settings)

    assert topic_problems(settings, "label-collector") == []
    assert topic_problems(settings, "feed-labeller") == []
    for topic in (labels, feeds):
        assert configs_of(kafka, topic)["retention.ms"] == "-1"
    assert configs_of(kafka, labels)["cleanup.policy"] == "delete"
    assert int(configs_of(kafka, dead_letters)["retention.ms"]) > 0


@pytest.mark.kafka
def test_topics_that_are_there_stay_as_they_are(kafka: KafkaBroker) -> None:
    settings = settings_for(kafka)
    create_topics(settings.model_copy(update={"topic_partitions": 2}))

    states = create_topics(settings)

    assert {(state.created, state.partitions) for state in states} == {(False, 2)}


@pytest.mark.kafka
def test_dead_letters_may_be_larger_than_the_input_and_are_kept_longer(kafka: KafkaBroker) -> None:
    settings = settings_for(kafka)
    create_topics(settings)

    incoming = configs_of(kafka, settings.input_topic_names[0])
    verdicts, _, dead_letters = (configs_of(kafka, name) for name in settings.output_topic_names)

    assert int(dead_letters["max.message.bytes"]) >= int(incoming["max.message.bytes"]) + 60_000
    assert int(dead_letters["retention.ms"]) > int(verdicts["retention.ms"])
    assert verdicts["compression.type"] == "zstd"


@pytest.mark.kafka
def test_dead_letters_follow_an_input_topic_that_takes_larger_records(
    kafka: KafkaBroker, topics: Any
) -> None:
    incoming = topics("large", max_message_bytes="3000000")
    settings = settings_for(kafka, topic_prefix="", input_topics=[incoming]).model_copy(
        update={
            "verdicts_topic": f"{incoming}-verdicts",
            "alerts_topic": f"{incoming}-alerts",
            "dead_letters_topic": f"{incoming}-dlq",
        }
    )
    create_topics(settings)

    configs = configs_of(kafka, settings.dead_letters_topic)

    assert int(configs["max.message.bytes"]) > 3_000_000


@pytest.mark.kafka
def test_more_replicas_than_brokers_are_refused_with_a_hint(kafka: KafkaBroker) -> None:
    with pytest.raises(TopicsError, match="topic_replication_factor"):
        create_topics(settings_for(kafka, topic_replication_factor=3))


@pytest.mark.kafka
def test_the_check_makes_no_topic(kafka: KafkaBroker) -> None:
    settings = settings_for(kafka)

    assert topic_problems(settings, "detector") == topic_problems(settings, "detector") != []


@pytest.mark.kafka
def test_the_cluster_id_is_the_same_each_time(kafka: KafkaBroker) -> None:
    settings = settings_for(kafka)

    assert cluster_id(settings) == cluster_id(settings) != ""


@pytest.mark.kafka
def test_where_nobody_checks_rights_a_group_may_be_joined(kafka: KafkaBroker) -> None:
    assert group_members(settings_for(kafka), uuid.uuid4().hex) == 0


@pytest.mark.kafka
def test_the_newest_record_is_found_over_all_topics_and_partitions(
    kafka: KafkaBroker, topics: Any
) -> None:
    first, second = topics("first"), topics("second")
    settings = settings_for(kafka, topic_prefix="", input_topics=[first, second])
    assert newest_record_time(settings) is None

    produce(kafka.bootstrap_servers, first, [b"a", b"b", b"c"])
    between = newest_record_time(settings)
    produce(kafka.bootstrap_servers, second, [b"d"])
    newest = newest_record_time(settings)

    assert between is not None
    assert newest is not None
    assert newest >= between


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_kafka_that_is_away_is_reported_and_leaves_no_thread_behind() -> None:
    settings = Settings(bootstrap_servers=[f"127.0.0.1:{closed_port()}"])
    threads, files = threading.active_count(), open_files()

    with pytest.raises(RetryableError, match="bootstrap_servers"):
        cluster_id(settings)

    assert threading.active_count() <= threads
    assert open_files() <= files


def test_a_server_that_does_not_answer_is_reported_and_leaves_no_thread_behind() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        settings = Settings(
            bootstrap_servers=[f"127.0.0.1:{mute.getsockname()[1]}"],
            kafka_options={"bootstrap_timeout_ms": "300"},
        )
        threads, files = threading.active_count(), open_files()

        with pytest.raises(RetryableError, match="does not answer"):
            cluster_id(settings)

        assert threading.active_count() <= threads
        assert open_files() <= files


def test_a_wrong_option_is_a_settings_error_before_anything_is_sent() -> None:
    settings = Settings(
        bootstrap_servers=[f"127.0.0.1:{closed_port()}"], kafka_options={"nonsense": "1"}
    )
    with pytest.raises(SettingsError, match="nonsense"):
        topic_problems(settings, "detector")


def test_the_embedded_broker_is_spoken_to_with_its_version_set() -> None:
    settings = Settings(kafka_options={"api_version": "2.0"})
    names = [*settings.input_topic_names, *settings.output_topic_names]
    with EmbeddedBroker([*names, *settings.label_topic_names]) as broker:
        settings = settings.model_copy(update={"bootstrap_servers": [broker.bootstrap_servers]})

        assert cluster_id(settings)
        assert topic_problems(settings, "detector") == []
        assert {state.created for state in create_topics(settings)} == {False}


@pytest.mark.kafka
def test_the_topics_of_models_and_shadows_are_made_and_needed_only_where_a_store_is_set(
    kafka: KafkaBroker,
) -> None:
    without = settings_for(kafka)
    create_topics(without)
    settings = without.model_copy(update={"model_store": "/srv/models"})
    name, shadow = settings.topic("url-models"), settings.topic("url-shadow")
    assert topic_problems(without, "detector") == []
    assert [problem.partition(":")[0] for problem in topic_problems(settings, "detector")] == [
        f"topics {name}, {shadow} are missing"
    ]
    with pytest.raises(TopicsError, match="is missing"):
        check_topic(settings, settings.models_topic, "READ")
    with pytest.raises(TopicsError, match=f"{shadow} is missing"):
        check_topic(settings, settings.shadow_topic, "READ")

    made = [state for state in create_topics(settings) if state.created]

    assert made == [TopicState(name, True, 1, 1), TopicState(shadow, True, 3, 1)]
    check_topic(settings, settings.shadow_topic, "READ")
    assert int(configs_of(kafka, shadow)["retention.ms"]) == 30 * 24 * 3600 * 1000
    assert configs_of(kafka, name)["cleanup.policy"] == "compact"
    assert topic_problems(settings, "detector") == []
    check_topic(settings, settings.models_topic, "READ", "WRITE")
