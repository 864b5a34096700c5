"""Write the reference of all metrics, from the code that exports them and the rules that record.

``python deploy/metrics.py deploy/metrics.md``
"""

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


def main(path: Path) -> None:
    """Write the reference as Markdown."""
    worker, trainer = (_table(metrics) for metrics in (Metrics(), WatchMetrics()))
    text = _TEXT.format(
        worker="\n".join(worker), trainer="\n".join(trainer), recorded="\n".join(_recorded())
    )
    path.write_text(text, encoding="utf-8")


def _table(metrics: Metrics | WatchMetrics) -> Iterator[str]:
    """A row for each metric, in the order in which they are made."""
    labels = dict(_labels(metrics))
    yield "| name | type | labels | meaning |"
    yield "|---|---|---|---|"
    for family in metrics.registry.collect():
        name = family.name + ("_total" if family.type == "counter" else "")
        names = ", ".join(f"`{label}`" for label in labels.get(family.name, ()))
        yield f"| `{name}` | {family.type} | {names} | {family.documentation} |"


def _labels(metrics: Metrics | WatchMetrics) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Names of labels by family; the library has them in a private place only."""
    for part in vars(metrics).values():
        if hasattr(part, "describe"):
            for family in part.describe():
                holder = part if hasattr(part, "_labelnames") else family
                yield family.name, tuple(holder._labelnames)


def _recorded() -> Iterator[str]:
    yield "| name | from |"
    yield "|---|---|"
    for path in sorted(_RULES.glob("*.yml")):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            for rule in group["rules"]:
                if "record" in rule:
                    yield f"| `{rule['record']}` | `{' '.join(rule['expr'].split())}` |"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
