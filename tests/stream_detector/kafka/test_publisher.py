"""The publisher on a real Kafka: what is published is there, whole and once."""

import asyncio
import zlib

import pytest
from aiokafka import AIOKafkaProducer

from stream_detector.errors import PublishError
from stream_detector.kafka.publisher import OutputTopics, Publisher
from stream_detector.metrics import Metrics
from stream_detector.wire.outcomes import Encoded
from support.records import read_all

pytestmark = pytest.mark.kafka


@pytest.fixture
async def producer(kafka):
    producer = AIOKafkaProducer(
        bootstrap_servers=kafka.bootstrap_servers,
        acks="all",
        max_batch_size=64 * 1024,
        max_request_size=4_000_000,
    )
    await producer.start()
    yield producer
    await producer.stop()


def publisher_to(producer, verdicts, alerts, dead_letters, comparisons="unused", failures=None):
    return Publisher(
        producer,
        OutputTopics(verdicts, alerts, dead_letters, comparisons),
        comparisons_failed=[].append if failures is None else failures.append,
        metrics=Metrics(),
    )


async def test_everything_is_there_in_order_by_key_when_publish_returns(kafka, topics, producer):
    names = [topics(name, partitions=3) for name in ("verdicts", "alerts", "dlq")]
    # More than fits into one record batch of a partition.
    verdicts = [(b"key%d" % (n % 7), b"%d" % n + b"x" * 500, []) for n in range(3000)]
    alerts = [(b"client|domain", b"alert", [])]
    dead_letters = [(None, None, [("reason", b"empty")]), (b"k", b"\xff", [("reason", b"x")])]
    await publisher_to(producer, *names).publish(Encoded(verdicts, alerts, dead_letters))
    written = [read_all(kafka.bootstrap_servers, name) for name in names]
    by_key = {}
    for record in written[0]:
        by_key.setdefault(record.key, []).append(record.value)
        assert record.partition == zlib.crc32(record.key) % 3
    for key, values in by_key.items():
        assert values == [value for of_key, value, _ in verdicts if of_key == key]
    assert sum(map(len, by_key.values())) == 3000
    assert [(record.key, record.value) for record in written[1]] == [(b"client|domain", b"alert")]
    assert {(r.key, r.value, tuple(r.headers)) for r in written[2]} == {
        (key, value, tuple(headers)) for key, value, headers in dead_letters
    }


async def test_a_dead_letter_too_large_for_its_topic_is_cut_and_says_so(
    kafka, topics, producer, caplog
):
    dlq = topics("dlq", partitions=1, max_message_bytes="200000")
    letters = [(b"k", b"y" * 1_000_000, [("reason", b"too_large")]), (b"k", b"small", [])]
    await publisher_to(producer, dlq, dlq, dlq).publish(Encoded([], [], letters))
    values = {
        record.value: dict(record.headers) for record in read_all(kafka.bootstrap_servers, dlq)
    }
    cut = values.pop(b"y" * 65_536)
    assert cut == {"reason": b"too_large", "truncated-from-bytes": b"1000000"}
    assert list(values) == [b"small"]
    (line,) = caplog.messages
    why = "larger than max.message.bytes of the topic, so cut"
    assert line.startswith(f"1 output not written to {dlq} ({why}), trying again in ")


async def test_a_few_large_messages_are_in_flight_at_a_time(kafka, topics, producer):
    verdicts = topics("verdicts", partitions=3)
    publisher = Publisher(
        producer,
        OutputTopics(verdicts, "unused", "unused", "unused"),
        comparisons_failed=[].append,
        metrics=Metrics(),
        in_flight_bytes_max=1_000_000,
    )
    waiting = set()
    held = []
    send_batch = producer.send_batch

    async def watched(batch, topic, partition):
        acknowledgement = await send_batch(batch, topic, partition=partition)
        waiting.add(acknowledgement)
        acknowledgement.add_done_callback(waiting.discard)
        held.append(len(waiting))
        return acknowledgement

    producer.send_batch = watched
    messages = [(b"key%d" % number, b"v" * 200_000, []) for number in range(60)]
    await publisher.publish(Encoded(messages, [], []))
    assert len(held) == 60
    assert 2 <= max(held) <= 5
    assert len(read_all(kafka.bootstrap_servers, verdicts)) == 60


async def test_a_letter_that_was_cut_before_says_how_long_it_was_at_first(kafka, topics, producer):
    dlq = topics("dlq", partitions=1, max_message_bytes="200000")
    letters = [(b"k", b"y" * 500_000, [("truncated-from-bytes", b"9000000")])]
    await publisher_to(producer, dlq, dlq, dlq).publish(Encoded([], [], letters))
    (cut,) = read_all(kafka.bootstrap_servers, dlq)
    assert (len(cut.value), cut.headers) == (65_536, [("truncated-from-bytes", b"9000000")])


async def test_what_no_waiting_mends_is_told_with_topic_and_cause(topics, producer):
    verdicts = topics("verdicts", partitions=1, max_message_bytes="1000")
    publisher = publisher_to(producer, verdicts, verdicts, topics("dlq", partitions=1))
    with pytest.raises(PublishError, match=rf"{verdicts}, partition 0.*max\.message\.bytes"):
        await publisher.publish(Encoded([(b"k", b"z" * 5000, [])], [], []))


async def test_a_dead_letter_whose_key_is_too_large_is_cut_as_well(kafka, topics, producer):
    dlq = topics("dlq", partitions=1, max_message_bytes="200000")
    letters = [(b"k" * 900_000, b"", [("reason", b"empty")]), (b"k", b"small", [])]
    await publisher_to(producer, dlq, dlq, dlq).publish(Encoded([], [], letters))
    cut, small = sorted(read_all(kafka.bootstrap_servers, dlq), key=lambda record: record.value)
    assert (len(cut.key), cut.value, small.value) == (65_536, b"", b"small")
    assert dict(cut.headers)["key-truncated-from-bytes"] == b"900000"


async def test_comparisons_are_there_when_publish_returns(kafka, topics, producer):
    names = [topics(name, partitions=2) for name in ("verdicts", "alerts", "dlq", "shadow")]
    comparisons = [(b"evil.example", b"%d" % n, []) for n in range(5)]
    failures = []
    publisher = publisher_to(producer, *names, failures)

    await publisher.publish(Encoded([(b"k", b"verdict", [])], [], [], comparisons))

    assert [record.value for record in read_all(kafka.bootstrap_servers, names[0])] == [b"verdict"]
    found = read_all(kafka.bootstrap_servers, names[3])
    assert [(record.key, record.value) for record in found] == [c[:2] for c in comparisons]
    assert failures == []


async def test_comparisons_that_kafka_refuses_cost_no_verdict(kafka, topics, producer):
    names = [topics(name, partitions=1) for name in ("verdicts", "alerts", "dlq")]
    small = topics("shadow", partitions=1, max_message_bytes="1000")
    failures = []
    publisher = publisher_to(producer, *names, small, failures)

    await publisher.publish(Encoded([(b"k", b"verdict", [])], [], [], [(b"k", b"z" * 5000, [])]))

    assert [record.value for record in read_all(kafka.bootstrap_servers, names[0])] == [b"verdict"]
    (failure,) = failures
    assert small in failure
    assert "max.message.bytes" in failure


async def test_comparisons_that_kafka_does_not_take_are_given_up(
    kafka, topics, producer, monkeypatch
):
    monkeypatch.setattr("stream_detector.kafka.publisher._COMPARISON_SECONDS", 0.2)
    names = [topics(name, partitions=1) for name in ("verdicts", "alerts", "dlq")]
    failures = []
    publisher = publisher_to(producer, *names, "url-shadow-that-is-not-there", failures)

    await publisher.publish(Encoded([(b"k", b"verdict", [])], [], [], [(b"k", b"c", [])]))

    assert len(read_all(kafka.bootstrap_servers, names[0])) == 1
    assert len(failures) == 1
    assert not [task for task in asyncio.all_tasks() if "_ship" in repr(task)]
