"""Verdicts for tests, made from the fields that their JSON has."""

from datetime import UTC, datetime
from typing import Any

from stream_detector.events import (
    Canonical,
    Decision,
    ModelRef,
    Sighting,
    SourcePosition,
    Thresholds,
    Verdict,
)

FIELDS: dict[str, Any] = {
    "id": "c:url-events:3:17:1",
    "event_time": datetime(2026, 11, 1, 10, 0, 0, 250_000, tzinfo=UTC),
    "detected_at": datetime(2026, 11, 1, 10, 0, 1, tzinfo=UTC),
    "source": SourcePosition("url-events", 3, 17, 1),
    "format": "json",
    "client": "10.0.0.1",
    "log_id": "abc",
    "observed": "http://user@www.EVIL.com/x#part",
    "canonical": "evil.com/x",
    "kind": "url",
    "host": "evil.com",
    "registered_domain": "evil.com",
    "score": 0.96875,
    "verdict": "malicious",
    "reason": "model",
    "thresholds": Thresholds(suspicious=0.5, malicious=0.9),
    "model": ModelRef(name="url-model", version="3", sha256="a" * 64),
    "notes": ("userinfo", "fragment"),
}


def verdict_with(**fields: Any) -> Verdict:
    """A malicious verdict on a URL, but for ``fields``."""
    values = FIELDS | fields
    canonical = Canonical(
        values["kind"],
        values["canonical"],
        values["host"],
        values["registered_domain"],
        values["notes"],
    )
    return Verdict(
        Sighting(**{name: values[name] for name in Sighting.__struct_fields__ if name in values}),
        Decision(
            canonical=canonical,
            labels=(values["kind"], values["verdict"], values["model"].name, values["reason"]),
            **{
                name: values[name]
                for name in Decision.__struct_fields__
                if name not in {"canonical", "labels", "written", "masked"}
            },
        ),
    )
