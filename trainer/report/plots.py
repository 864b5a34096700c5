"""The plots of a report, as SVG; drawing needs no screen."""

import io
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from trainer.report.figures import Measured

_SIZE = (6.4, 4.0)
"""Inches."""

_RATES = np.logspace(-4, 0, 300)


def plots(
    models: Sequence[Measured], scores: Sequence[NDArray[np.float32]], labels: NDArray[np.int8]
) -> dict[str, bytes]:
    """SVG by name: ``roc``, and for each model ``calibration-NAME`` and ``history-NAME``."""
    drawn = {"roc": _svg(lambda axes: _roc(axes, models, scores, labels))}
    for model in models:
        drawn[f"calibration-{model.name}"] = _svg(partial(_calibration, model))
        if model.history:
            drawn[f"history-{model.name}"] = _history(model.history)
    return drawn


def _roc(
    axes: Axes,
    models: Sequence[Measured],
    scores: Sequence[NDArray[np.float32]],
    labels: NDArray[np.int8],
) -> None:
    for model, of_model in zip(models, scores, strict=True):
        false_positives, true_positives, _ = roc_curve(labels, of_model)
        # A step for every row would make a plot of megabytes.
        places = np.searchsorted(false_positives, _RATES, side="right") - 1
        axes.plot(_RATES, true_positives[places], label=f"{model.name} ({model.roc_auc:.4f})")
    axes.set_xscale("log")
    axes.set_xlim(1e-4, 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("false-positive rate")
    axes.set_ylabel("true-positive rate")
    axes.legend(loc="lower right", title="ROC AUC")


def _calibration(model: Measured, axes: Axes) -> None:
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    axes.plot(
        [one.score for one in model.calibration],
        [one.malicious_share for one in model.calibration],
        marker="o",
    )
    axes.set_xlabel("score")
    axes.set_ylabel("share of malicious rows")


def _history(history: Sequence[Mapping[str, float]]) -> bytes:
    """The study's plots: a curve for each figure, by epoch."""
    names = [
        name
        for name in ("loss", "validation_auc", "validation_accuracy", "validation_tpr")
        if name in history[0]
    ]
    figure = Figure(figsize=(3.2 * len(names), 3.0), layout="constrained")
    epochs = [epoch["number"] for epoch in history]
    for axes, name in zip(np.atleast_1d(figure.subplots(1, len(names))), names, strict=True):
        axes.plot(epochs, [epoch[name] for epoch in history], marker="o")
        axes.set_title(name.replace("_", " "))
        axes.set_xlabel("epoch")
    return encoded(figure)


def _svg(draw: Callable[[Axes], None]) -> bytes:
    figure = Figure(figsize=_SIZE, layout="constrained")
    axes = figure.subplots()
    axes.grid(alpha=0.3)
    draw(axes)
    return encoded(figure)


def encoded(figure: Figure) -> bytes:
    """A figure as SVG."""
    buffer = io.BytesIO()
    # Without the date, and with ids that do not come from chance, the same figures give the same
    # bytes.
    with matplotlib.rc_context({"svg.hashsalt": "report"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
