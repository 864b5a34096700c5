"""One run of the demo: start everything, replay, watch, account for every record, stop."""

import os
import sys
import tempfile
import threading
import time
import urllib.request
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

from confluent_kafka import KafkaException
from rich.console import Console
from rich.text import Text

from stream_detector.demo.embedded_broker import EmbeddedBroker
from stream_detector.demo.labelling import show_label, watch_command
from stream_detector.demo.ledger import Expected, Ledger, Sent
from stream_detector.demo.outputs import Outputs
from stream_detector.demo.samples import rounds_of, sample_lines
from stream_detector.demo.summary import print_addresses, print_summary
from stream_detector.demo.view import View
from stream_detector.errors import FatalError
from stream_detector.events import Rejected, UrlEvent
from stream_detector.kafka.confirmed import write_records
from stream_detector.settings.fields import DATA_FOLDER, ENVIRONMENT_PREFIX, Settings
from stream_detector.settings.loading import load_settings
from stream_detector.sources.reading import read_record
from stream_detector.system.child_processes import ChildProcess, ProcessEndedError, free_port
from stream_detector.system.termination import terminated_like_interrupted

_READY_SECONDS = 180.0
"""The worker loads TensorFlow and compiles its models before it is ready."""
_STALLED_SECONDS = 60.0
_READ_SECONDS = 0.1
_LAST_ALERTS_SECONDS = 0.5
_STOP_SECONDS = 30.0


class DemoOptions(NamedTuple):
    """The options of the command line."""

    records: int
    rate: float
    """Records a second."""
    keep: bool
    """Stay until Ctrl-C."""


def run_demo(options: DemoOptions, console: Console) -> None:
    """Run the demo to its end, and end every process that it started.

    Raises:
        FatalError: the worker ends, or a record is not accounted for.
    """
    lines = sample_lines(DATA_FOLDER / "samples")
    # Kept after the end: it holds the worker's log.
    folder = Path(tempfile.mkdtemp(prefix="stream-detector-demo-"))
    with ExitStack() as stack:
        stack.enter_context(terminated_like_interrupted())
        broker = stack.enter_context(EmbeddedBroker(_topics()))
        environment = _environment(broker, folder / "model-store")
        settings, _ = load_settings({}, environment, None)
        ledger = Ledger(list(map(expected_of, lines)))
        view = View(console, records=options.records)
        view.step(f"Kafka: an embedded broker at {settings.bootstrap_servers[0]}")
        # As anyone would start it.
        command = [sys.executable, "-m", "stream_detector", "run"]
        log = folder / "worker.log"
        worker = stack.enter_context(ChildProcess(command, log=log, environment=environment))
        view.step(f"Worker: process {worker.pid}, log in {worker.log}")
        try:
            view.step("The worker loads its models and compiles them ...")
            started = time.monotonic()
            worker.wait_until(lambda: _ready(settings), timeout=_READY_SECONDS, what="it is ready")
            view.step(f"Ready after {time.monotonic() - started:.1f} s. Replaying sample logs.")
            trainer: ChildProcess | None = None
            if watch := watch_command(folder / "trainer"):
                port = {ENVIRONMENT_PREFIX + "HTTP_PORT": str(free_port())}
                trainer = stack.enter_context(
                    ChildProcess(watch, log=folder / "trainer.log", environment=environment | port)
                )
            seconds = _watch_replay(options, settings, ledger, lines, worker, view)
            print_summary(console, ledger, seconds=seconds, log=worker.log)
            if trainer is not None:
                show_label(console, settings, environment, worker=worker, trainer=trainer)
            else:
                view.step("\nstream-trainer is not installed: the demo of a label is left out.")
            if options.keep:
                print_addresses(console, settings)
                with suppress(KeyboardInterrupt):
                    worker.wait_until(lambda: False, timeout=float("inf"), what="Ctrl-C")
            exit_code = worker.stop(_STOP_SECONDS)
        except ProcessEndedError as error:
            # Printed here, because the error of a command is one line.
            console.print(Text(str(error)), soft_wrap=True)
            raise FatalError(f"the demo's worker failed; its log is {worker.log}") from error
        except KafkaException as error:
            raise FatalError(f"the demo cannot read what came out: {error}") from error
        if exit_code != 0:
            raise FatalError(
                f"the demo's worker ended with exit code {exit_code} when asked to stop; "
                f"its log is {worker.log}"
            )


def expected_of(line: bytes) -> Expected:
    """The outputs that ``line`` needs, by the detector's own parsers."""
    results = [result for _, result in read_record(line, source=None)]
    return Expected(
        frozenset(n for n, result in enumerate(results) if isinstance(result, UrlEvent)),
        any(isinstance(result, Rejected) for result in results),
    )


def _topics() -> list[str]:
    defaults, _ = load_settings({}, {}, None)
    return [
        *defaults.input_topic_names,
        *defaults.output_topic_names,
        *defaults.label_topic_names,
        *map(defaults.topic, (defaults.models_topic, defaults.shadow_topic)),
    ]


def _environment(broker: EmbeddedBroker, model_store: Path) -> dict[str, str]:
    """This process's environment, with the worker's settings in place of this machine's own."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(ENVIRONMENT_PREFIX)
    }
    settings = {
        "BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "CLUSTER": "demo",
        "MODEL_STORE": str(model_store),
        "HTTP_PORT": str(free_port()),
        # The newest protocol that kafka-python and the embedded broker agree on, and no idle
        # fetch that waits while records come.
        "KAFKA_OPTIONS": "api_version=2.0,fetch_max_wait_ms=10",
    }
    return environment | {ENVIRONMENT_PREFIX + name: value for name, value in settings.items()}


def _ready(settings: Settings) -> bool:
    try:
        url = f"http://{settings.http_host}:{settings.http_port}/readyz"
        with urllib.request.urlopen(url, timeout=2):
            return True
    except OSError:
        return False


def replay(
    settings: Settings,
    lines: Sequence[bytes],
    options: DemoOptions,
    *,
    sent: "SimpleQueue[Sent]",
    stopped: threading.Event,
) -> None:
    """Write the lines over and over to the first input topic; blocks until then, or ``stopped``.

    Puts each record that Kafka has into ``sent``. Raises as ``write_records``.
    """
    unconfirmed: deque[tuple[int, float]] = deque()

    def values() -> Iterator[bytes]:
        for line, value in islice(rounds_of(lines), options.records):
            if stopped.is_set():
                return
            unconfirmed.append((line, time.time()))
            yield value

    def confirm(_: int, written: Sequence[Any]) -> None:
        for record in written:
            # Not the time in the metadata: the embedded broker reports one of its own.
            sent.put(Sent(record.partition, record.offset, *unconfirmed.popleft()))

    write_records(settings, values(), rate=options.rate, on_written=confirm, on_away=lambda _: None)


def _watch_replay(
    options: DemoOptions,
    settings: Settings,
    ledger: Ledger,
    lines: list[bytes],
    worker: ChildProcess,
    view: View,
) -> float:
    """Replay and watch until every record is accounted for; returns the seconds it took."""
    sent: SimpleQueue[Sent] = SimpleQueue()
    stopped = threading.Event()
    servers = ",".join(settings.bootstrap_servers)
    outputs = Outputs(servers, settings.output_topic_names, ledger)
    with ThreadPoolExecutor(1) as thread, closing(outputs), view, ExitStack() as stack:
        stack.callback(stopped.set)  # Before the executor waits for its thread.
        started = moved = time.monotonic()
        before = (0, 0)
        writing = thread.submit(replay, settings, lines, options, sent=sent, stopped=stopped)
        while ledger.sent_count < options.records or ledger.open_count:
            outputs.read(_READ_SECONDS)
            while not sent.empty():
                ledger.sent(sent.get())
            view.refresh(ledger)
            if worker.exit_code is not None:
                raise _ended(f"The worker ended with exit code {worker.exit_code}", worker)
            if writing.done():
                writing.result()  # Raises the error that ended it.
            now, progress = time.monotonic(), (ledger.sent_count, ledger.open_count)
            if progress != before:
                before, moved = progress, now
            elif now - moved > _STALLED_SECONDS:
                raise _ended(
                    f"Nothing came out for {_STALLED_SECONDS:.0f} s, and {ledger.open_count:,} of "
                    f"{ledger.sent_count:,} records are not accounted for",
                    worker,
                )
        seconds = time.monotonic() - started
        # The worker writes a batch's alerts and verdicts concurrently.
        outputs.read(_LAST_ALERTS_SECONDS)
        return seconds


def _ended(what: str, worker: ChildProcess) -> ProcessEndedError:
    return ProcessEndedError(f"{what}; the end of its log ({worker.log}):\n{worker.tail()}")
