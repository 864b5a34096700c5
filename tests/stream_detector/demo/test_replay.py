from stream_detector.demo.embedded_broker import EmbeddedBroker
from stream_detector.demo.replay import Replay
from stream_detector.settings.fields import Settings
from support.processes import wait_until
from support.records import read_all


def settings_of(broker):
    return Settings(
        bootstrap_servers=[broker.bootstrap_servers],
        input_topics=["events"],
        kafka_options={"api_version": "2.0"},
    )


def test_rounds_repeat_the_lines_each_from_another_office():
    sent = []
    with EmbeddedBroker(["events"]) as broker:
        replay = Replay(
            settings_of(broker),
            [b"query a.com from 10.20.1.5", b"b.com"],
            records=5,
            rate=1e6,
            on_sent=sent.append,
        )
        replay.start()
        wait_until(lambda: len(sent) == 5, timeout=30, what="five records")
        replay.stop()
        records = {(r.partition, r.offset): r for r in read_all(broker.bootstrap_servers, "events")}
    by_value = sorted((records[s.partition, s.offset].value, s.line) for s in sent)
    assert by_value == [
        (b"b.com", 1),
        (b"b.com", 1),
        (b"query a.com from 10.20.1.5", 0),
        (b"query a.com from 10.21.1.5", 0),
        (b"query a.com from 10.22.1.5", 0),
    ]
    for s in sent:
        assert abs(s.time * 1000 - records[s.partition, s.offset].timestamp) < 100


def test_stop_ends_a_replay_that_has_far_to_go():
    sent = []
    with EmbeddedBroker(["events"]) as broker:
        replay = Replay(settings_of(broker), [b"x"], records=10**9, rate=50, on_sent=sent.append)
        replay.start()
        wait_until(lambda: bool(sent), timeout=30, what="a first record")
        replay.stop()
        replay.stop()
    assert len(sent) < 10**9
