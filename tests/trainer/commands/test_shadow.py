"""``stream-trainer shadow report`` as a user runs it, on a real Kafka."""

from datetime import UTC, datetime

import pytest
from confluent_kafka import Producer

from stream_detector.events import Counts, ModelRef, ScoreDifference, VerdictPair
from stream_detector.wire.comparisons import encode_comparison

pytestmark = pytest.mark.kafka

SERVED, SHADOW = ModelRef("served", "1", "a" * 64), ModelRef("shadow", "1", "b" * 64)


@pytest.fixture
def topic(topics):
    return topics("shadow", partitions=3)


def test_a_topic_in_which_nothing_was_compared_is_told(trainer, topic):
    done = trainer("shadow", "report", "--since", "1d", STREAM_DETECTOR_SHADOW_TOPIC=topic)
    assert "nothing was compared in the last 24 hours: is a shadow announced" in done.stderr
    done = trainer("shadow", "report", "--since", "soon", code=2)
    assert "'soon' is not a duration" in done.stderr


def test_what_was_written_to_all_partitions_since_then_is_summed_up(trainer, topic, kafka):
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    now = datetime.now(UTC)
    for place in range(9):
        counts = Counts(
            f"lab:url-events:0:{place}:url",
            now,
            "url",
            SERVED,
            SHADOW,
            0.1,
            10,
            0,
            (VerdictPair("benign", "benign", 10),),
            ScoreDifference(0.1, 0.1, 0.1),
        )
        # The first of each partition was written too early.
        age = 7200 if place < 3 else 60
        producer.produce(
            topic,
            encode_comparison(counts),
            partition=place % 3,
            timestamp=int((now.timestamp() - age) * 1000),
        )
    assert producer.flush(60) == 0

    done = trainer(
        *("shadow", "report", "--since", "1h", "--shadow", "1"), STREAM_DETECTOR_SHADOW_TOPIC=topic
    )
    assert "Texts compared  60" in done.stdout
