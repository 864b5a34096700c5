"""A pipeline whose scorer, metrics and clock the test holds."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from stream_detector.assembly import decider_of, pipeline_of, shadows_of
from stream_detector.events import (
    Chunk,
    Outcomes,
)
from stream_detector.metrics import Metrics
from stream_detector.settings.fields import Settings
from support.scoring import WordScorer

__all__ = ["START", "Bench", "Record", "chunk", "line"]

START = datetime(2026, 11, 1, tzinfo=UTC)


class Record(NamedTuple):
    """A Kafka record as the core needs it."""

    offset: int
    value: bytes | None
    timestamp: int | None = 1_700_000_000_000
    key: bytes | None = b"key"
    headers: tuple[tuple[str, bytes], ...] = ()


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


class Bench:
    """A pipeline with a scorer, metrics and a clock that the test holds."""

    def __init__(self, scorer: WordScorer | None = None, **settings: Any) -> None:
        self.settings = Settings(**settings)
        self.scorer = scorer or WordScorer()
        self.metrics = Metrics()
        self.clock = Clock()
        self.shadows = shadows_of(settings=self.settings, metrics=self.metrics)
        self.pipeline = pipeline_of(
            settings=self.settings,
            decider=decider_of(
                self.scorer, settings=self.settings, metrics=self.metrics, shadows=self.shadows
            ),
            metrics=self.metrics,
            cluster="lab",
            clock=self.clock,
        )

    def process(
        self, values: Iterable[bytes | None], *, topic: str = "url-events", first: int = 0
    ) -> Outcomes:
        return self.pipeline.process([chunk(values, topic=topic, first=first)])

    def metric(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"stream_detector_{name}", labels) or 0.0


def chunk(
    values: Iterable[bytes | None], *, topic: str = "url-events", partition: int = 0, first: int = 0
) -> Chunk:
    return Chunk(topic, partition, [Record(first + n, value) for n, value in enumerate(values)])


def line(url: str, **fields: str) -> bytes:
    return json.dumps({"url": url, **fields}).encode()
