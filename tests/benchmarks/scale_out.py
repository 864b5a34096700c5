"""What it costs that a second worker joins, and leaves again: the gap, and what is done twice.

``python -m benchmarks.scale_out``: a steady stream of records into a real Kafka, one worker with
the default models on it, a second that joins its group when it is warm, and after a while ends by
SIGTERM (or, with ``--kill``, SIGKILL). From the verdicts in Kafka, by the broker's clock: the
longest time without one, over all partitions and in any one of them, and how many were written
twice. At the end the input's offsets are compared with the verdicts: none may be missing.
"""

import argparse
import json
import re
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from confluent_kafka import Producer
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from benchmarks.throughput import records
from support.broker import KafkaBroker
from support.processes import ROOT, ChildProcess, free_port, start_module, wait_for_http, wait_until
from support.records import committed_offsets, end_offsets, read_all

TOPIC, GROUP = "events", "scale-out"
OUTPUTS = {name: f"{name}-out" for name in ("verdicts", "alerts", "dead_letters")}
_READY_SECONDS = 240.0
_FINISH_SECONDS = 300.0
_SETTLE_SECONDS = 10.0


class Load:
    """A thread that writes ``rate`` records a second until it is told to stop."""

    def __init__(self, bootstrap_servers: str, rate: int) -> None:
        self._producer = Producer({"bootstrap.servers": bootstrap_servers, "linger.ms": 5})
        self._rate = rate
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._producer.flush(60)

    def _run(self) -> None:
        values = list(records(50_000, distinct=20_000))
        started, sent = time.monotonic(), 0
        while not self._stop.is_set():
            due = int((time.monotonic() - started) * self._rate)
            for number in range(sent, due):
                self._producer.produce(TOPIC, values[number % len(values)])
            sent = max(sent, due)
            self._producer.poll(0.01)


def worker(broker: KafkaBroker, folder: Path, name: str) -> tuple[ChildProcess, str]:
    """Start the product's worker; the process, and the address that says when it is ready."""
    port = free_port()
    process = start_module(
        "stream_detector",
        "run",
        log=folder / f"{name}.log",
        environment={
            "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}",
            "STREAM_DETECTOR_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "STREAM_DETECTOR_GROUP_ID": GROUP,
            "STREAM_DETECTOR_CLUSTER": "benchmark",
            "STREAM_DETECTOR_INPUT_TOPICS": TOPIC,
            "STREAM_DETECTOR_VERDICTS_TOPIC": OUTPUTS["verdicts"],
            "STREAM_DETECTOR_ALERTS_TOPIC": OUTPUTS["alerts"],
            "STREAM_DETECTOR_DEAD_LETTERS_TOPIC": OUTPUTS["dead_letters"],
            "STREAM_DETECTOR_MODEL_THREADS": "1",
            "STREAM_DETECTOR_HTTP_PORT": str(port),
        },
    )
    return process, f"http://127.0.0.1:{port}/readyz"


def assigned(ready: str) -> int:
    """How many partitions a worker has."""
    with urllib.request.urlopen(ready.replace("/readyz", "/metrics"), timeout=10) as answer:
        found = re.search(
            r"^stream_detector_assigned_partitions (\S+)$", answer.read().decode(), re.M
        )
    if found is None:
        raise SystemExit("the second worker does not tell how many partitions it has")
    return int(float(found[1]))


def longest(times: Iterable[int], start: float, end: float) -> float:
    """Seconds of the longest gap that ends between ``start`` and ``end``; ``times`` in ms."""
    gaps = pairwise(sorted(times))
    within = (later - before for before, later in gaps if start * 1000 <= later < end * 1000)
    return max(within, default=0) / 1000


def measure(
    broker: KafkaBroker, folder: Path, *, partitions: int, rate: int, seconds: float, kill: bool
) -> dict[str, dict[str, float]]:
    """Run it; the figures by phase."""
    client = KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    client.create_topics(
        [
            NewTopic(
                name=name,
                num_partitions=partitions,
                replication_factor=1,
                topic_configs={"message.timestamp.type": "LogAppendTime"},
            )
            for name in (TOPIC, *OUTPUTS.values())
        ]
    )
    client.close()
    marks = {}
    first, first_ready = worker(broker, folder, "first")
    wait_for_http(first, first_ready, timeout=_READY_SECONDS)
    with Load(broker.bootstrap_servers, rate):
        time.sleep(_SETTLE_SECONDS)
        marks["one worker"] = time.time()
        time.sleep(seconds)
        marks["the second warms up"] = time.time()
        second, second_ready = worker(broker, folder, "second")
        # The line after its warm-up: what follows is the join.
        second.wait_until(
            lambda: "model warm" in second.log.read_text(), timeout=_READY_SECONDS, what="warm"
        )
        marks["the second joins"] = time.time()
        wait_for_http(second, second_ready, timeout=_READY_SECONDS)
        time.sleep(seconds)
        share = assigned(second_ready)
        marks["the second is killed" if kill else "the second leaves"] = time.time()
        if kill:
            second.kill()
        elif code := second.stop():
            raise SystemExit(f"the second ended with {code}:\n{second.tail()}")
        time.sleep(seconds)
    marks["end"] = time.time()
    ends = end_offsets(broker.bootstrap_servers, TOPIC)
    wait_until(
        lambda: committed_offsets(broker.bootstrap_servers, GROUP) == ends,
        timeout=_FINISH_SECONDS,
        what="all to be committed",
    )
    first.stop()
    verdicts = [
        (record.timestamp, json.loads(record.value or b""))
        for record in read_all(broker.bootstrap_servers, OUTPUTS["verdicts"])
    ]
    copies = Counter(verdict["id"] for _, verdict in verdicts)
    if len(copies) != sum(ends.values()):
        raise SystemExit(f"{sum(ends.values())} records gave {len(copies)} verdicts")
    figures: dict[str, dict[str, float]] = {}
    times = defaultdict(list)
    for timestamp, verdict in verdicts:
        times[verdict["source"]["partition"]].append(timestamp)
    everything = [timestamp for of_partition in times.values() for timestamp in of_partition]
    for (phase, start), (_, end) in pairwise(marks.items()):
        count = sum(start * 1000 <= timestamp < end * 1000 for timestamp in everything)
        figures[phase] = {
            "seconds": end - start,
            "verdicts a second": count / (end - start),
            "longest gap": longest(everything, start, end),
            "longest gap of a partition": max(longest(each, start, end) for each in times.values()),
            "written twice": 0,
        }
    figures["the second joins"]["partitions of the second"] = share
    seen: set[str] = set()
    for timestamp, verdict in sorted(verdicts, key=lambda each: each[0]):
        if verdict["id"] in seen:
            phase = [name for name, start in marks.items() if start * 1000 <= timestamp][-1]
            # What is done after the last phase belongs to it.
            figures[list(figures)[-1] if phase == "end" else phase]["written twice"] += 1
        seen.add(verdict["id"])
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--partitions", type=int, default=8, help="of the input topic")
    parser.add_argument("--rate", type=int, default=1000, help="records written a second")
    parser.add_argument("--seconds", type=float, default=15.0, help="length of each quiet phase")
    parser.add_argument("--kill", action="store_true", help="end the second by SIGKILL")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as name,
        KafkaBroker(Path(name) / "kafka", long_lived=True) as broker,
    ):
        figures = measure(
            broker,
            Path(name),
            partitions=options.partitions,
            rate=options.rate,
            seconds=options.seconds,
            kill=options.kill,
        )
    json.dump(figures, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
