"""Records a second through a worker, on one core, with the broker on the other.

``make bench`` or ``python -m benchmarks.throughput``: loads one topic of 300-byte JSON records,
then lets each worker of ``benchmarks.workers`` read it in turn, round by round, and prints the
median rate between its first and its last verdict, and the ratio to the plain Faust agent.
"""

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from support.broker import KafkaBroker
from support.processes import ROOT, free_port, start_module
from support.records import end_offsets_by, open_consumer, produce

PARTITIONS = 4
VARIANTS = (
    # transport, model, share of the records that it is given (the slow need fewer)
    ("chunk", "constant", 1.0),
    ("plain", "constant", 0.1),
    ("chunk", "model", 0.25),
    ("plain", "model", 0.1),
)
_DEADLINE_SECONDS = 300.0
_POLL_SECONDS = 0.2


def records(count: int, *, distinct: int, seed: int = 1):
    """JSON records of 300 bytes over ``distinct`` URLs, drawn at random."""
    rng = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    urls = []
    for number in range(distinct):
        site = "".join(rng.choices(letters, k=rng.randint(6, 14)))
        path = "".join(rng.choices(letters + "/-", k=rng.randint(5, 40)))
        urls.append(f"https://www.{site}{number}.com/{path}")
    for number in range(count):
        record = {
            "time": 1_795_000_000 + number,
            "client": f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
            "url": rng.choice(urls),
            "id": f"C{number:016x}",
        }
        text = json.dumps(record)
        record["agent"] = "x" * max(0, 300 - len(text) - len(', "agent": ""'))
        yield json.dumps(record).encode()


def create(broker: KafkaBroker, *names: str) -> None:
    """Make topics."""
    client = KafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    try:
        client.create_topics(
            [NewTopic(name=name, num_partitions=PARTITIONS, replication_factor=1) for name in names]
        )
    finally:
        client.close()


def rate(
    broker: KafkaBroker,
    folder: Path,
    name: str,
    core: int,
    transport: str,
    model: str,
    topic: str,
    count: int,
) -> float:
    """Verdicts a second between the first and the last that the worker writes."""
    outputs = [f"{name}-{kind}" for kind in ("verdicts", "alerts", "dlq")]
    create(broker, *outputs)
    own_core = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    worker = start_module(
        "benchmarks.workers",
        transport,
        model,
        log=folder / f"{name}.log",
        environment={
            "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}",
            "STREAM_DETECTOR_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "STREAM_DETECTOR_GROUP_ID": name,
            "STREAM_DETECTOR_CLUSTER": "benchmark",
            "STREAM_DETECTOR_INPUT_TOPICS": topic,
            "STREAM_DETECTOR_VERDICTS_TOPIC": outputs[0],
            "STREAM_DETECTOR_ALERTS_TOPIC": outputs[1],
            "STREAM_DETECTOR_DEAD_LETTERS_TOPIC": outputs[2],
            "STREAM_DETECTOR_HTTP_PORT": str(free_port()),
            "STREAM_DETECTOR_LOG_LEVEL": "warning",
        },
    )
    os.sched_setaffinity(0, own_core)
    consumer = open_consumer(broker.bootstrap_servers)
    try:
        seen: list[tuple[float, int]] = []

        def done() -> bool:
            written = sum(end_offsets_by(consumer, outputs[0]).values())
            if written:
                seen.append((time.monotonic(), written))
            return written >= count

        deadline = time.monotonic() + _DEADLINE_SECONDS
        while not done():
            if time.monotonic() > deadline or worker.exit_code is not None:
                raise SystemExit(f"{name} did not finish:\n{worker.tail()}")
            time.sleep(_POLL_SECONDS)
    finally:
        worker.kill()
        consumer.close()
    (start, first), (end, last) = seen[0], seen[-1]
    return (last - first) / (end - start)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000, help="records in the topic")
    parser.add_argument("--distinct", type=int, default=50_000, help="distinct URLs among them")
    parser.add_argument("--rounds", type=int, default=3, help="times each worker is measured")
    parser.add_argument("--json", action="store_true", help="print JSON for programs")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    broker_core, worker_core = cores[0], cores[-1]
    rates: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.sched_setaffinity(0, {broker_core})
        with KafkaBroker(folder / "kafka", long_lived=True) as broker:
            topics = {}
            for share in sorted({share for _, _, share in VARIANTS}):
                topic, count = f"events-{share}", int(options.records * share)
                create(broker, topic)
                print(f"loading {count:,} records into {topic}", file=sys.stderr)
                produce(broker.bootstrap_servers, topic, records(count, distinct=options.distinct))
                topics[share] = topic, count
            for number in range(options.rounds):
                for transport, model, share in VARIANTS:
                    measured = rate(
                        broker,
                        folder,
                        f"{transport}-{model}-{number}",
                        worker_core,
                        transport,
                        model,
                        *topics[share],
                    )
                    rates.setdefault((transport, model), []).append(measured)
                    print(
                        f"round {number + 1}: {transport} {model}: {measured:,.0f} records/s",
                        file=sys.stderr,
                    )
    if options.json:
        print(json.dumps({" ".join(key): values for key, values in rates.items()}))
        return
    print(f"{'worker':<28}{'model':<12}{'records/s':>12}{'to plain':>10}")
    for (transport, model), values in rates.items():
        median = statistics.median(values)
        ratio = median / statistics.median(rates["plain", model])
        label = "chunk transport" if transport == "chunk" else "plain Faust agent"
        print(f"{label:<28}{model:<12}{median:>12,.0f}{ratio:>9.1f}x")


if __name__ == "__main__":
    main()
