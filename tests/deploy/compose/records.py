"""Writes records, reads verdicts and looks at the group; runs in its own container.

One of ``write NAME COUNT RATE``, ``verdicts NAME COUNT SECONDS`` and ``members``; prints JSON.
"""

import asyncio
import itertools
import json
import os
import sys
import time
from collections import Counter

from aiokafka import AIOKafkaConsumer
from kafka import KafkaAdminClient, KafkaProducer

from stream_detector.kafka.clients import aiokafka_consumer_options, kafka_python_options
from stream_detector.settings.fields import Settings
from stream_detector.settings.loading import load_settings


def write(settings: Settings, name: str, count: int, rate: float) -> dict[str, object]:
    """``count`` JSON records, each with its own URL, ``rate`` per second; acknowledged."""
    options = kafka_python_options(settings, KafkaProducer)
    producer = KafkaProducer(**options | {"acks": "all", "linger_ms": 5})
    began = time.monotonic()
    sent = []
    for number in range(count):
        time.sleep(max(number / rate - (time.monotonic() - began), 0))
        value = json.dumps({"url": f"{_beginning(name)}{number}", "client": "10.0.0.1"})
        sent.append(producer.send(settings.input_topic_names[0], value.encode()))
    for future in sent:
        future.get(timeout=60)
    producer.close()
    return {"records": count, "seconds": round(time.monotonic() - began, 1)}


async def verdicts(settings: Settings, name: str, count: int, seconds: float) -> dict[str, object]:
    """How many of ``count`` URLs have verdicts, read until all have one or ``seconds`` are over.

    ``verdicts`` are more than ``urls`` only where a record was scored twice, ``ids`` never.
    """
    found: Counter[str] = Counter()
    ids: set[str] = set()
    last: dict[str, object] = {}
    began = time.monotonic()
    reading = {"auto_offset_reset": "earliest", "enable_auto_commit": False}
    consumer = AIOKafkaConsumer(
        settings.verdicts_topic_name, **aiokafka_consumer_options(settings) | reading
    )
    async with consumer:
        while len(found) < count and time.monotonic() - began < seconds:
            fetched = await consumer.getmany(timeout_ms=500)
            for record in itertools.chain.from_iterable(fetched.values()):
                verdict = json.loads(record.value)
                if verdict["observed"].startswith(_beginning(name)):
                    found[verdict["observed"]] += 1
                    ids.add(verdict["id"])
                    last = verdict
    return {"urls": len(found), "ids": len(ids), "verdicts": found.total(), "last": last}


def members(settings: Settings) -> dict[str, object]:
    """Partitions of the input topics by member of the workers' group."""
    admin = KafkaAdminClient(**kafka_python_options(settings))
    group = admin.describe_groups([settings.group_id])[settings.group_id]
    admin.close()
    return {
        "state": group["group_state"],
        "partitions": {
            member["client_host"].strip("/"): sorted(
                partition
                for topic in member["member_assignment"]["assigned_partitions"]
                for partition in topic["partitions"]
            )
            for member in group["members"]
        },
    }


def _beginning(name: str) -> str:
    return f"http://{name}.example/"


def main() -> None:
    """Run the command in the arguments."""
    settings, _ = load_settings({}, os.environ, None)
    match sys.argv[1:]:
        case ["write", name, count, rate]:
            result = write(settings, name, int(count), float(rate))
        case ["verdicts", name, count, seconds]:
            result = asyncio.run(verdicts(settings, name, int(count), float(seconds)))
        case ["members"]:
            result = members(settings)
        case _:
            sys.exit(__doc__)
    json.dump(result, sys.stdout)


main()
