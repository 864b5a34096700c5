"""One label changes one verdict: an analyst's label goes through training, gate and reload.

The model really calls the page below malicious; nothing is prepared but the question.
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import msgspec
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from rich.console import Console
from rich.text import Text

from stream_detector.demo.embedded_broker import PARTITIONS
from stream_detector.demo.ledger import SeenVerdict
from stream_detector.demo.outputs import view_consumer
from stream_detector.errors import FatalError
from stream_detector.settings.fields import DATA_FOLDER, Settings
from stream_detector.system.child_processes import ChildProcess

FALSE_ALARM = "http://intranet-payroll.lakeside.example/login/verify"
"""An ordinary page of an organisation's own, under a reserved name (RFC 2606)."""

_TRAINER = "stream-trainer"
_VERDICT_SECONDS = 30.0
_CHANGE_SECONDS = 180.0
_ASK_AGAIN_SECONDS = 0.3


def watch_command(folder: Path) -> list[str] | None:
    """The command of a trainer that retrains at the first label; None without the trainer.

    ``folder`` is for its state, label store and challengers.
    """
    # Next to this Python first: a virtual environment need not be active.
    trainer = shutil.which(_TRAINER, path=Path(sys.executable).parent) or shutil.which(_TRAINER)
    if trainer is None:
        return None
    data = DATA_FOLDER / "labelled" / "urls.csv.gz"
    options = ["--folder", str(folder), "--url-data", str(data), "--new-labels", "1"]
    return [trainer, "watch", *options, "--", "--only-ngrams"]


def show_label(
    console: Console,
    settings: Settings,
    environment: Mapping[str, str],
    *,
    worker: ChildProcess,
    trainer: ChildProcess,
) -> None:
    """Ask for a verdict, label, and wait for another verdict; print how long it took.

    Raises:
        FatalError: the verdict did not change in time, or a process ended.
    """

    def line(text: str, style: str = "") -> None:
        console.print(Text(text, style), soft_wrap=True)

    def verdict() -> SeenVerdict:
        found = _verdict(producer, settings.input_topic_names[0], consumer)
        if found is None:
            raise FatalError(f"no verdict on {FALSE_ALARM} came; the worker's log is {worker.log}")
        return found

    servers = ",".join(settings.bootstrap_servers)
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 0, "log_level": 2})
    with closing(view_consumer(servers)) as consumer:
        places = [TopicPartition(settings.verdicts_topic_name, n) for n in range(PARTITIONS)]
        for place in places:
            _, place.offset = consumer.get_watermark_offsets(place)
        consumer.assign(places)
        before = verdict()
        line("")
        line("A false alarm, and what one label does:")
        line(f"  {_shown(before)}", "bold red")
        words = ["label", FALSE_ALARM, "benign", "--analyst", "you"]
        line(f"  $ stream-detector {' '.join(words)}")
        labelled = subprocess.run(  # noqa: S603 - this program
            [sys.executable, "-m", "stream_detector", *words],
            env=dict(environment),
            capture_output=True,
            text=True,
            check=False,
        )
        if labelled.returncode != 0:
            raise FatalError(f"the demo could not write a label: {labelled.stderr.strip()}")
        started = time.monotonic()
        line("  The trainer tunes the model, the gate compares the two, the worker switches ...")
        while (after := verdict()).model == before.model:
            seconds = time.monotonic() - started
            if trainer.exit_code is not None or seconds > _CHANGE_SECONDS:
                raise FatalError(
                    f"no other model came within {seconds:.0f} s; the trainer's log is "
                    f"{trainer.log}:\n{trainer.tail()}"
                )
            time.sleep(_ASK_AGAIN_SECONDS)
        line(f"  {_shown(after)}", "green" if after.verdict == "benign" else "yellow")
        line(f"  {time.monotonic() - started:.1f} s after the label; nothing was stopped.")


def _verdict(producer: Producer, topic: str, consumer: Consumer) -> SeenVerdict | None:
    """The worker's current verdict on ``FALSE_ALARM``; None if it does not come in time."""
    written: list[Message] = []
    producer.produce(
        topic, FALSE_ALARM.encode(), on_delivery=lambda _, message: written.append(message)
    )
    producer.flush(_VERDICT_SECONDS)
    places = {(one.partition(), one.offset()) for one in written}
    deadline = time.monotonic() + _VERDICT_SECONDS
    while time.monotonic() < deadline:
        message = consumer.poll(0.1)
        if message is None or message.error() is not None:
            continue
        verdict = msgspec.json.decode(message.value() or b"", type=SeenVerdict)
        if (verdict.source.partition, verdict.source.offset) in places:
            return verdict
    return None


def _shown(verdict: SeenVerdict) -> str:
    score = "" if verdict.score is None else f"{verdict.score:.4f}"
    version = verdict.model.version if verdict.model else ""
    return f"{verdict.verdict:<9}  {score}  {FALSE_ALARM}  (model {version})"
