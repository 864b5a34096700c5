"""Calm days before the night, written into Prometheus' data: what alerts compare with."""

import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from night.shipped import FACTOR
from support.prometheus import FOLDER

__all__ = ["write_calm_days"]

_DAYS = 4
_STEP_SECONDS = 15.0
_ALERTS_PER_SECOND = 0.01


def write_calm_days(rates: Mapping[str, float], data: Path) -> None:
    """Four shortened days in which no record was late, and few alerts were made.

    ``rates`` are records a second by topic.

    Written before Prometheus starts on ``data``. The series are those whose length the rules ask
    for, of a worker that is gone: ages of records by topic, and the rate of alerts.
    """
    file = data.parent / "calm-days.txt"
    lines = [*_lines(rates), "# EOF\n"]
    file.write_text("".join(lines), encoding="utf-8")
    subprocess.run(
        [FOLDER / "promtool", "tsdb", "create-blocks-from", "openmetrics", file, data],
        check=True,
        capture_output=True,
    )


def _lines(rates: Mapping[str, float]) -> Iterator[str]:
    end = time.time() - 2
    steps = int(_DAYS * 86400 / FACTOR / _STEP_SECONDS)
    times = [end - _STEP_SECONDS * number for number in reversed(range(steps))]
    for topic, rate in rates.items():
        for name, more in (("bucket", ',le="60.0"'), ("count", "")):
            labels = f'{{instance="before",job="detector",topic="{topic}"{more}}}'
            for number, at in enumerate(times):
                value = number * _STEP_SECONDS * rate
                yield f"stream_detector_record_age_seconds_{name}{labels} {value} {at:.3f}\n"
    for at in times:
        yield f"stream_detector_alerts:rate15m {_ALERTS_PER_SECOND} {at:.3f}\n"
