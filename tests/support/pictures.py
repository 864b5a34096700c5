"""Pictures of the dashboards for the README: their queries, on real data, drawn by matplotlib.

``PYTHONPATH=.:tests python -m support.pictures deploy/grafana/pictures --minutes 3``

A worker with the default models reads the sample logs, a copy of the URL model with halved
thresholds is its shadow, and labels are retrained on. Grafana itself is not needed.
"""

import itertools
import json
import tempfile
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import matplotlib as mpl
import msgspec
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from PIL import Image

from stream_detector.models.bundle import OperatingPoint, load_bundle, save_bundle
from support.broker import KafkaBroker
from support.observed import Observed, Shown
from support.processes import ROOT
from support.prometheus import Prometheus

_DASHBOARDS = ROOT / "deploy" / "grafana" / "dashboards"
_NOTE = (
    "Not a screenshot: the dashboard's queries, drawn by matplotlib on {minutes:g} minutes of the "
    "sample logs."
)
_COLUMN_INCHES, _ROW_INCHES = 0.5, 0.36
_DOTS_PER_INCH = 75
_COLOURS = 64
"""Of a picture, so that it stays small."""
_STEP_SECONDS = 2.0
_LEGENDS_MAX = 6
_COLUMNS = ("kind", "name", "version", "sha256")
"""Of tables."""
_COLOUR = {"green": "#2e8b57", "orange": "#d98200", "red": "#c4162a", "text": "#333333"}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--minutes", default=3.0, show_default=True)
def main(folder: Path, minutes: float) -> None:
    """Draw each dashboard into FOLDER."""
    mpl.use("agg")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        own = Path(name)
        with (
            KafkaBroker(own / "kafka") as broker,
            Observed(broker.bootstrap_servers, _topics_of(broker), own, _shown(own)) as observed,
        ):
            began = time.time()
            for number in itertools.count():
                observed.write_labels(*(f"http://a{number}.example/{place}" for place in range(5)))
                if time.time() - began > minutes * 60:
                    break
                time.sleep(20)
            for path in sorted(_DASHBOARDS.glob("*.json")):
                draw(
                    json.loads(path.read_text()),
                    observed.prometheus,
                    folder / f"{path.stem}.png",
                    minutes=minutes,
                )
                click.echo(
                    f"{path.stem}: {(folder / path.stem).with_suffix('.png').stat().st_size}"
                )


def _topics_of(broker: KafkaBroker) -> Any:
    def create(label: str, *, partitions: int = 4, **settings: str) -> str:
        name = label if label != "events" else "url-events"
        broker.create_topic(name, partitions=partitions, **settings)
        return name

    return create


def _shown(own: Path) -> Shown:
    models = ROOT / "data" / "models"
    served = load_bundle(models / "url", kind="url")
    thresholds = served.manifest.thresholds

    def halved(point: OperatingPoint) -> OperatingPoint:
        return msgspec.structs.replace(point, threshold=point.threshold / 2)

    lower = msgspec.structs.replace(
        thresholds,
        suspicious=halved(thresholds.suspicious),
        malicious=halved(thresholds.malicious),
    )
    manifest = msgspec.structs.replace(
        served.manifest, version=uuid.uuid4().hex[:8], thresholds=lower
    )
    save_bundle(own / "next", manifest, served.weights)
    return Shown(
        bundles={"url": models / "url", "host": models / "host"},
        shadow=own / "next",
        corpus=ROOT / "data" / "labelled" / "urls.csv.gz",
        retrain=["--only-ngrams"],
        rate=150,
        # The samples come round again, and are to be scored again.
        environment={"STREAM_DETECTOR_CACHE_ENTRIES": "500"},
    )


def draw(dashboard: dict[str, Any], prometheus: Prometheus, path: Path, *, minutes: float) -> None:
    """One dashboard as a picture of a few colours."""
    panels = dashboard["panels"]
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels) + 2
    figure = plt.figure(figsize=(24 * _COLUMN_INCHES, height * _ROW_INCHES), dpi=_DOTS_PER_INCH)
    figure.text(0.01, 1 - 0.9 / height, dashboard["title"], size=13, weight="bold")
    figure.text(0.99, 1 - 0.9 / height, _NOTE.format(minutes=minutes), size=8, ha="right")
    end = time.time()
    for panel in panels:
        place = panel["gridPos"]
        top = 1 - (place["y"] + 1.6) / height
        if panel["type"] == "row":
            figure.text(0.01, top - 0.4 / height, panel["title"], size=11, weight="bold")
            continue
        axes = figure.add_axes(
            (
                (place["x"] + 1.0) / 24,
                top - (place["h"] - 1.0) / height,
                (place["w"] - 1.4) / 24,
                (place["h"] - 2.2) / height,
            )
        )
        axes.set_title(panel["title"], size=8, loc="left", pad=3)
        draw_panel(axes, panel, prometheus, start=end - minutes * 60, end=end)
    figure.savefig(path)
    plt.close(figure)
    Image.open(path).convert("RGB").quantize(_COLOURS, Image.Quantize.FASTOCTREE).save(
        path, optimize=True
    )


def draw_panel(
    axes: Axes, panel: dict[str, Any], prometheus: Prometheus, *, start: float, end: float
) -> None:
    """A panel by its type."""
    unit = panel.get("fieldConfig", {}).get("defaults", {}).get("unit", "short")
    if panel["type"] == "timeseries":
        _draw_lines(axes, panel, prometheus, start=start, end=end, unit=unit)
        return
    axes.axis("off")
    if panel["type"] == "text":
        axes.text(0, 0.9, "\n".join(panel["options"]["content"].splitlines()[:2]), size=7, va="top")
        return
    [target] = panel["targets"]
    found = prometheus.query(_asked(target["expr"]))
    if panel["type"] == "table":
        rows = [
            "  ".join([*(each["metric"][label][:20] for label in _COLUMNS), each["value"][1]])
            for each in found
        ]
        axes.text(0, 0.9, "\n".join(rows) or "none", size=8, va="top", family="monospace")
        return
    value = float(found[0]["value"][1]) if found else float("nan")
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    colour = [step["color"] for step in steps if step["value"] is None or value >= step["value"]]
    axes.text(
        0,
        0.35,
        _written(value, unit),
        size=20,
        color=_COLOUR[colour[-1]],
        va="center",
        weight="bold",
    )


def _draw_lines(
    axes: Axes,
    panel: dict[str, Any],
    prometheus: Prometheus,
    *,
    start: float,
    end: float,
    unit: str,
) -> None:
    drawn = 0
    for target in panel["targets"]:
        expression = _asked(target["expr"])
        for series in prometheus.query_range(expression, start=start, end=end, step=_STEP_SECONDS):
            moments, values = zip(*series["values"], strict=True)
            label = _legend(target["legendFormat"], series["metric"])
            axes.plot(
                [(moment - end) / 60 for moment in moments],
                [float(value) for value in values],
                linewidth=1,
                label=label if drawn < _LEGENDS_MAX else None,
            )
            drawn += 1
    axes.set_xlim((start - end) / 60, 0)
    axes.tick_params(labelsize=6)
    lowest = panel["fieldConfig"]["defaults"].get("min")
    bottom, top = axes.get_ylim()
    bottom = bottom if lowest is None else lowest
    # Room for the legend.
    axes.set_ylim(bottom, max(bottom + (top - bottom) * 1.4, 1e-3))
    axes.yaxis.set_major_formatter(lambda value, _: _written(value, unit))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g} min")
    axes.grid(linewidth=0.3)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if drawn:
        axes.legend(fontsize=6, ncols=2, loc="upper left", framealpha=0.6)
    else:
        axes.text(0.5, 0.5, "none", transform=axes.transAxes, ha="center", size=8, color="grey")


def _asked(query: str) -> str:
    return query.replace("$__rate_interval", "15s")


def _legend(pattern: str, labels: Mapping[str, str]) -> str:
    for name, value in labels.items():
        pattern = pattern.replace(f"{{{{{name}}}}}", value)
    return pattern


def _written(value: float, unit: str) -> str:
    if unit == "percentunit":
        return f"{100 * value:.3g}%"
    if unit == "bytes":
        return f"{value / 2**20:.0f} MiB"
    if unit == "s":
        for seconds, name in ((86_400, "d"), (3600, "h"), (60, "min")):
            if value >= 2 * seconds:
                return f"{value / seconds:.3g} {name}"
        return f"{value:.3g} s"
    digits = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{digits}{ {'cps': '/s', 'cpm': '/min'}.get(unit, '') }"


if __name__ == "__main__":
    main()
