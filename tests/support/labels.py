"""Labels for tests, as parts, as records and as rows of a store."""

from datetime import UTC, datetime, timedelta
from typing import Any

from stream_detector.events import Label
from stream_detector.wire.labels import label_message, make_label
from trainer.labels.store import StoredLabel

__all__ = ["NOON", "label_record", "label_with", "stored_label"]

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def label_with(url: str = "http://evil.example/x", label: Any = "malicious", **parts: Any) -> Label:
    """A label of analyst kim at noon, but for ``parts``."""
    return make_label(
        url, label, **({"source": "soc", "labeled_at": NOON, "analyst": "kim"} | parts)
    )


def label_record(url: str, label: str = "malicious", **parts: Any) -> bytes:
    """The value of a record."""
    value = label_message(label_with(url, label, **parts))[1]
    assert value is not None
    return value


def stored_label(
    url: str = "http://evil.example/x",
    label: str = "malicious",
    *,
    partition: int = 0,
    offset: int = 0,
    days: int = 0,
    hours: float = 0,
    **parts: Any,
) -> StoredLabel:
    """As ``label_with``, written ``days`` after and labelled ``hours`` after that noon."""
    labeled_at = NOON + timedelta(hours=hours)
    return StoredLabel(
        label_with(url, label, **({"labeled_at": labeled_at} | parts)),
        "url-labels",
        partition,
        offset,
        NOON + timedelta(days=days),
    )
