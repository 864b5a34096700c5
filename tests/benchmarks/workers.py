"""Worker processes that the throughput benchmark compares. All run the same core.

``python -m benchmarks.workers chunk|plain constant|model``, settings from the environment.
``chunk`` is the product's worker; ``plain`` is a Faust agent written the usual way
(``noack_take``, a ``send`` per output) around the same pipeline. ``constant`` puts a constant in
the model's place, so that everything but the model is measured.
"""

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import faust
import numpy as np
from numpy.typing import NDArray

from stream_detector.assembly import decider_of, pipeline_of
from stream_detector.events import Chunk, Kind, ModelRef, Thresholds
from stream_detector.logs.setup import configure_logging
from stream_detector.metrics import Metrics
from stream_detector.models.base import ServedModel, TextScorer
from stream_detector.models.serving import load_scorer
from stream_detector.settings.fields import Settings
from stream_detector.settings.loading import load_settings
from stream_detector.wire.outcomes import encode
from stream_detector.worker.process import run_worker

_TAKE_RECORDS = 4096
_TAKE_SECONDS = 0.05


class ConstantScorer:
    """No model at all: every text scores 0."""

    device = "none"

    def __init__(self) -> None:
        served = ServedModel(
            ref=ModelRef(name="constant", version="1", sha256="0" * 64),
            thresholds=Thresholds(suspicious=0.5, malicious=0.9),
        )
        self.models: Mapping[Kind, ServedModel] = {"url": served, "host": served}

    def warm_up(self) -> None:
        """Nothing to compile."""

    def score(self, kind: Kind, texts: Sequence[str]) -> NDArray[np.float32]:
        """Zeros."""
        return np.zeros(len(texts), dtype=np.float32)


class _Record(NamedTuple):
    """One message as the pipeline wants it."""

    offset: int
    timestamp: int | None
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class _BytesSchema(faust.Schema):
    """Bytes as they are."""

    def loads_key(self, app, message, **_):
        return message.key

    def loads_value(self, app, message, **_):
        return message.value


def plain_agent(settings: Settings, scorer: TextScorer) -> faust.App:
    """The same job as a Faust agent by the book that loses no record: take, send, await, ack."""
    app = faust.App(
        settings.group_id,
        broker=";".join(f"kafka://{address}" for address in settings.bootstrap_servers),
        datadir=tempfile.mkdtemp(),
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        table_standby_replicas=0,
        stream_buffer_maxsize=2 * _TAKE_RECORDS,
        consumer_auto_offset_reset="earliest",
    )
    metrics = Metrics()
    pipeline = pipeline_of(
        settings=settings,
        decider=decider_of(scorer, settings=settings, metrics=metrics),
        metrics=metrics,
        cluster="benchmark",
    )
    executor = ThreadPoolExecutor(1)
    topic = app.topic(*settings.input_topic_names, schema=_BytesSchema(), internal=False)
    verdicts = app.topic(
        settings.verdicts_topic_name,
        schema=_BytesSchema(),
        key_serializer="raw",
        value_serializer="raw",
        internal=False,
    )

    @app.agent(topic)
    async def detect(stream):
        async for events in stream.noack_take(_TAKE_RECORDS, within=_TAKE_SECONDS):
            by_partition: dict[tuple[str, int], list[_Record]] = {}
            for event in events:
                message = event.message
                by_partition.setdefault((message.topic, message.partition), []).append(
                    _Record(
                        message.offset,
                        int(message.timestamp * 1000),
                        message.key,
                        message.value,
                        (),
                    )
                )
            chunks = [Chunk(*place, records) for place, records in by_partition.items()]
            loop = asyncio.get_running_loop()
            encoded = await loop.run_in_executor(
                executor, lambda chunks=chunks: encode(pipeline.process(chunks))
            )
            sent = [await verdicts.send(key=key, value=value) for key, value, _ in encoded.verdicts]
            await asyncio.gather(*sent)
            for event in events:
                event.ack()

    return app


def main() -> int:
    """Run the worker that the arguments name until it is killed."""
    transport, model = sys.argv[1:]
    settings, _ = load_settings({}, os.environ, None)
    configure_logging(settings)
    scorer: TextScorer = load_scorer(settings) if model == "model" else ConstantScorer()
    if transport == "chunk":
        return run_worker(settings, scorer=scorer)
    scorer.warm_up()

    async def serve() -> None:
        await plain_agent(settings, scorer).start()
        await asyncio.sleep(time.monotonic())

    asyncio.run(serve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
