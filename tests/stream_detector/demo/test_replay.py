import threading
from queue import SimpleQueue

from stream_detector.demo.embedded_broker import EmbeddedBroker
from stream_detector.demo.session import DemoOptions, replay
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
    queue = SimpleQueue()
    lines = [b"query a.com from 10.20.1.5", b"b.com"]
    options = DemoOptions(records=5, rate=1e6, keep=False)
    with EmbeddedBroker(["events"]) as broker:
        replay(settings_of(broker), lines, options, sent=queue, stopped=threading.Event())
        records = {(r.partition, r.offset): r for r in read_all(broker.bootstrap_servers, "events")}
    sent = [queue.get_nowait() for _ in range(5)]
    assert queue.empty()
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


def test_a_replay_that_has_far_to_go_ends_when_it_is_stopped():
    sent, stopped = SimpleQueue(), threading.Event()
    options = DemoOptions(records=10**9, rate=50, keep=False)
    with EmbeddedBroker(["events"]) as broker:
        thread = threading.Thread(
            target=replay,
            args=(settings_of(broker), [b"x"], options),
            kwargs={"sent": sent, "stopped": stopped},
        )
        thread.start()
        wait_until(lambda: not sent.empty(), timeout=30, what="a first record")
        stopped.set()
        thread.join(10)
        assert not thread.is_alive()
    assert sent.qsize() < 10**9
