"""Write the reference of all metrics: ``python deploy/metrics.py deploy/metrics.md``."""

import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from stream_detector.metrics import Metrics
from trainer.watching.watch_metrics import WatchMetrics

_RULES = Path(__file__).parent / "prometheus" / "rules"
_TEXT = """\
# Metrics

`make dashboards` generates this page from the code, and a test compares the two. What to do about a
bad value: [runbook](runbook.md).

## Worker: `stream-detector run`, port 9464

{worker}

## Trainer: `stream-trainer watch`, port 9465

{trainer}

## Recorded by Prometheus' rules

{recorded}
"""


def _exported(metrics: Metrics | WatchMetrics) -> Iterator[str]:
    # The library has the names of labels only in a private attribute, of the metric or its family.
    labels = {
        family.name: getattr(part, "_labelnames", None) or getattr(family, "_labelnames", ())
        for part in vars(metrics).values()
        if hasattr(part, "describe")
        for family in part.describe()
    }
    yield "| name | type | labels | meaning |"
    yield "|---|---|---|---|"
    for family in metrics.registry.collect():
        name = family.name + ("_total" if family.type == "counter" else "")
        names = ", ".join(f"`{label}`" for label in labels.get(family.name, ()))
        yield f"| `{name}` | {family.type} | {names} | {family.documentation} |"


def _recorded() -> Iterator[str]:
    yield "| name | from |"
    yield "|---|---|"
    for path in sorted(_RULES.glob("*.yml")):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                if "record" in rule:
                    yield f"| `{rule['record']}` | `{' '.join(rule['expr'].split())}` |"


if __name__ == "__main__":
    text = _TEXT.format(
        worker="\n".join(_exported(Metrics())),
        trainer="\n".join(_exported(WatchMetrics())),
        recorded="\n".join(_recorded()),
    )
    Path(sys.argv[1]).write_text(text, encoding="utf-8")
