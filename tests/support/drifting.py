"""Verdicts of two windows, for tests of drift: a day of ordinary ones, and the days before."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from stream_detector.events import ModelRef, SourcePosition
from stream_detector.wire.outcomes import verdict_message
from support.verdicts import verdict_with

__all__ = ["END", "INJECTED_DOMAIN", "INJECTED_TOPIC", "injected", "ordinary", "verdict_record"]

END = datetime(2026, 11, 20, tzinfo=UTC)
INJECTED_DOMAIN = "injected.example"
INJECTED_TOPIC = "proxy-new"


def verdict_record(
    text: str, domain: str, *, hours_ago: float, topic: str = "proxy-a", **fields: Any
) -> tuple[datetime, bytes]:
    """When it was written, and the value of a record as the worker writes it."""
    detected_at = END - timedelta(hours=hours_ago)
    score = fields.get("score", 0.01)
    verdict = "benign" if score is None or score < 0.5 else "suspicious"
    value = verdict_message(
        verdict_with(
            canonical=text,
            host=text.partition("/")[0],
            registered_domain=domain,
            detected_at=detected_at,
            source=SourcePosition(topic, 0, 0, 0),
            **{"score": score, "verdict": verdict, **fields},
        )
    )[1]
    assert value is not None
    return detected_at, value


def ordinary(
    count: int, model: ModelRef, *, hours: tuple[float, float], seed: int = 0
) -> Iterator[tuple[datetime, bytes]]:
    """Benign verdicts by one model on 100 domains and two input topics."""
    draws = random.Random(seed)
    for number in range(count):
        domain = f"shop{draws.randrange(100)}.example"
        yield verdict_record(
            f"{domain}/a/{draws.choice(['page', 'longer-page'])}{number + seed * 10_000:06d}",
            domain,
            hours_ago=draws.uniform(*hours),
            topic=draws.choice(["proxy-a", "proxy-b"]),
            score=draws.betavariate(0.5, 20) / 2,
            model=model,
        )


def injected(count: int, model: ModelRef) -> Iterator[tuple[datetime, bytes]]:
    """Verdicts of the last day from a new topic on a new domain, most of them suspicious."""
    draws = random.Random(1)
    for number in range(count):
        yield verdict_record(
            f"cdn.{INJECTED_DOMAIN}/get/{number}/setup.exe?id={number:020d}",
            INJECTED_DOMAIN,
            hours_ago=draws.uniform(0.01, 23),
            topic=INJECTED_TOPIC,
            score=draws.uniform(0.4, 0.9),
            model=model,
        )
