"""Pictures of the dashboards for the README: their queries, on real data, drawn by matplotlib.

``PYTHONPATH=.:tests python -m support.pictures deploy/grafana/pictures --minutes 3``

A worker with the default models reads the sample logs, a copy of the URL model with halved
thresholds is its shadow, and labels are retrained on. Grafana itself is not needed.
"""

import itertools
import json
import re
import tempfile
import textwrap
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
from matplotlib.patches import Rectangle
from PIL import Image

from stream_detector.models.bundle import OperatingPoint, load_bundle, save_bundle
from support.broker import KafkaBroker
from support.observed import Observed, Shown
from support.processes import ROOT
from support.prometheus import Prometheus, as_grafana_asks

_DASHBOARDS = ROOT / "deploy" / "grafana" / "dashboards"
_NOTE = (
    "Not a screenshot: the dashboard's queries, drawn by matplotlib on {minutes:g} minutes of the "
    "sample logs."
)
_COLUMN_INCHES, _ROW_INCHES = 0.5, 0.36
_MARGIN_INCHES, _GAP_INCHES = 0.15, 0.1
_HEAD_ROWS = 2
"""Above the dashboard, for its title."""
_DOTS_PER_INCH = 100
_TEXT_COLUMNS = 190
_PAGE_COLOUR, _EDGE_COLOUR, _QUIET = "#f4f5f5", "#d8d9da", "#808080"
_COLOURS = 64
"""Of a picture, so that it stays small."""
_STEP_SECONDS = 2.0
_LEGENDS_MAX = 6
_LONG = 16
"""Characters of a number's text from which on it is written small."""
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
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    page = _Page(rows)
    page.text(dashboard["title"], x=0, y=-1.0, size=14, weight="bold")
    page.text(_NOTE.format(minutes=minutes), x=24, y=-1.0, size=8, colour=_QUIET, align="right")
    end = time.time()
    for panel in panels:
        place = panel["gridPos"]
        if panel["type"] == "row":
            page.text(panel["title"], x=place["x"], y=place["y"] + 0.7, size=11, weight="bold")
            continue
        axes = page.card(panel["title"], place, has_axes=panel["type"] == "timeseries")
        draw_panel(axes, panel, prometheus, start=end - minutes * 60, end=end)
    page.save(path)


class _Page:
    """A page of cards on a dashboard's grid: 24 columns, and as many rows as are asked for."""

    def __init__(self, rows: int) -> None:
        self._width = 24 * _COLUMN_INCHES + 2 * _MARGIN_INCHES
        self._height = (rows + _HEAD_ROWS) * _ROW_INCHES + _MARGIN_INCHES
        self._figure = plt.figure(
            figsize=(self._width, self._height), dpi=_DOTS_PER_INCH, facecolor=_PAGE_COLOUR
        )

    def text(
        self,
        text: str,
        *,
        x: float,
        y: float,
        size: float,
        colour: str = _COLOUR["text"],
        weight: str = "normal",
        align: str = "left",
    ) -> None:
        """``text`` with its middle at row ``y``, from or up to column ``x``."""
        left, top = self._place(x, y)
        self._figure.text(
            left, top, text, size=size, color=colour, weight=weight, ha=align, va="center"
        )

    def card(self, title: str, place: Mapping[str, int], *, has_axes: bool) -> Axes:
        """A white card of a ``gridPos``, and the axes inside it."""
        gap = _GAP_INCHES / 2
        left, top = self._inches(place["x"], place["y"])
        width = place["w"] * _COLUMN_INCHES - 2 * gap
        height = place["h"] * _ROW_INCHES - 2 * gap
        self._figure.add_artist(
            Rectangle(
                ((left + gap) / self._width, 1 - (top + gap + height) / self._height),
                width / self._width,
                height / self._height,
                facecolor="white",
                edgecolor=_EDGE_COLOUR,
                linewidth=0.6,
                transform=self._figure.transFigure,
                zorder=-1,
            )
        )
        self._figure.text(
            (left + gap + 0.1) / self._width,
            1 - (top + gap + 0.17) / self._height,
            title,
            size=8,
            weight="bold",
            color=_COLOUR["text"],
            va="center",
        )
        before, below = (0.62, 0.3) if has_axes else (0.1, 0.1)
        return self._figure.add_axes(
            (
                (left + gap + before) / self._width,
                1 - (top + gap + height - below) / self._height,
                (width - before - 0.15) / self._width,
                (height - below - 0.36) / self._height,
            )
        )

    def save(self, path: Path) -> None:
        """Write the picture, with few colours."""
        self._figure.savefig(path)
        plt.close(self._figure)
        Image.open(path).convert("RGB").quantize(_COLOURS, Image.Quantize.FASTOCTREE).save(
            path, optimize=True
        )

    def _inches(self, x: float, y: float) -> tuple[float, float]:
        """From the page's left and upper edges."""
        return _MARGIN_INCHES + x * _COLUMN_INCHES, (y + _HEAD_ROWS) * _ROW_INCHES

    def _place(self, x: float, y: float) -> tuple[float, float]:
        left, top = self._inches(x, y)
        return left / self._width, 1 - top / self._height


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
        _draw_text(axes, panel["options"]["content"])
        return
    [target] = panel["targets"]
    found = prometheus.query(as_grafana_asks(target["expr"]))
    defaults = panel.get("fieldConfig", {}).get("defaults", {})
    nothing = defaults.get("noValue", "No data")
    if panel["type"] == "table":
        [organized] = panel["transformations"]
        places = organized["options"]["indexByName"]
        rows = [
            "  ".join(
                (each["value"][1] if label == "Value" else each["metric"][label])[:20]
                for label in sorted(places, key=places.__getitem__)
            )
            for each in found
        ]
        axes.text(0, 0.95, "\n".join(rows) or nothing, size=8, va="top", family="monospace")
        return
    value = float(found[0]["value"][1]) if found else float("nan")
    steps = defaults["thresholds"]["steps"]
    colour = [step["color"] for step in steps if step["value"] is None or value >= step["value"]]
    written = _written(value, unit) if found else nothing
    for mapping in defaults.get("mappings", ()):
        if f"{value:g}" in mapping["options"]:
            meant = mapping["options"][f"{value:g}"]
            written, colour = meant["text"], [meant["color"]]
    axes.text(
        0.5,
        0.5,
        written,
        size=21 if len(written) < _LONG else 10,
        color=_COLOUR[colour[-1]],
        ha="center",
        va="center",
        weight="bold",
    )


def _draw_text(axes: Axes, markdown: str) -> None:
    """Its words, without the marks."""
    lines = []
    for paragraph in re.sub(r"\n(?![\n|])", " ", markdown).splitlines():
        plain = re.sub(r"^\||\|$|`|\\", "", paragraph)
        if not set(plain) <= set("|- "):
            lines += textwrap.wrap(re.sub(r" \| ", ": ", plain, count=1).strip(), _TEXT_COLUMNS)
    axes.text(
        0, 0.98, "\n".join(lines), size=7.5, va="top", color=_COLOUR["text"], linespacing=1.35
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
        expression = as_grafana_asks(target["expr"])
        for series in prometheus.query_range(expression, start=start, end=end, step=_STEP_SECONDS):
            moments, values = zip(*series["values"], strict=True)
            label = _legend(target["legendFormat"], series["metric"])
            axes.plot(
                [(moment - end) / 60 for moment in moments],
                [float(value) for value in values],
                linewidth=1.2,
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
        nothing = panel["fieldConfig"]["defaults"].get("noValue", "No data")
        axes.text(0.5, 0.5, nothing, transform=axes.transAxes, ha="center", size=8, color="grey")


def _legend(pattern: str, labels: Mapping[str, str]) -> str:
    for name, value in labels.items():
        pattern = pattern.replace(f"{{{{{name}}}}}", value)
    return pattern


def _written(value: float, unit: str) -> str:
    if unit == "percentunit":
        return f"{100 * value:.3g}%"
    if unit == "bytes":
        return f"{value / 2**20:.0f} MiB" if value < 2**33 else f"{value / 2**30:.0f} GiB"
    if unit == "s":
        for seconds, name in ((86_400, "d"), (3600, "h"), (60, "min")):
            if value >= 2 * seconds:
                return f"{value / seconds:.3g} {name}"
        return f"{value:.3g} s"
    digits = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{digits}{ {'cps': '/s', 'cpm': '/min'}.get(unit, '') }"


if __name__ == "__main__":
    main()
