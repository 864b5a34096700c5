"""A champion that has learned a rule in seconds, and challengers made of it."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from stream_detector.models.architectures.bilstm import BiLstm
from stream_detector.models.bundle import Bundle, save_bundle
from stream_detector.models.manifest import OperatingPoint, OperatingPoints
from support.examples import rule
from trainer.examples.datasets import Dataset, census_of
from trainer.examples.labelled import Examples
from trainer.training.building import build_bundle
from trainer.training.fitting import fit
from trainer.training.recipe import Recipe

__all__ = ["named", "save_challenger", "save_champion", "save_ignorant", "write_rows"]

_NETWORK = BiLstm(length_max=24, embedding=8, units=8, hidden=8)


def named(count: int, seed: int) -> Dataset:
    """Rows of ``rule`` as host names: those with digits are malicious."""
    rows = rule(count, seed)
    return rows._replace(texts=[f"{text}.example" for text in rows.texts])


def write_rows(path: Path, rows: Dataset) -> None:
    """A CSV file for ``--data``, all of it the test part."""
    lines = [f"{text},{label},test" for text, label in zip(rows.texts, rows.labels, strict=True)]
    path.write_text("\n".join(["host,label,part", *lines, ""]))


def save_champion(folder: Path) -> Bundle:
    """Train, calibrate and save a bundle for hosts that knows the rule."""
    # Malicious rows are every other one: both parts have both.
    parts = np.array(["val", "val", "test", "test"] * 1000)
    validation = named(4000, 2)._replace(parts=parts)
    recipe = Recipe(epochs=3, batch_size=64, learning_rate=1e-2, seed=1)
    fitted = fit(
        _NETWORK,
        named(1500, 1),
        validation.of_part("val"),
        recipe,
        kind="host",
        on_step=lambda *_: None,
        on_epoch=lambda _: None,
    )
    return build_bundle(
        folder,
        name="rule",
        kind="host",
        architecture=_NETWORK,
        fitted=fitted,
        dataset=validation,
        census=census_of(validation),
        recipe=recipe,
        examples=Examples(files=()),
        licences={},
        command="none",
    )


def save_challenger(
    folder: Path, champion: Bundle, *, thresholds: tuple[float, float] | None = None, **changes: Any
) -> Bundle:
    """The champion with another version, and ``changes`` of its manifest."""
    if thresholds is not None:
        suspicious, malicious = thresholds
        changes["thresholds"] = OperatingPoints(
            suspicious=OperatingPoint(threshold=suspicious, false_positive_rate=0.01),
            malicious=OperatingPoint(threshold=malicious, false_positive_rate=0.001),
        )
    manifest = msgspec.structs.replace(champion.manifest, **{"version": "2", **changes})
    return save_bundle(folder, manifest, champion.weights)


def save_ignorant(folder: Path, champion: Bundle) -> Bundle:
    """The champion with weights at random: it knows nothing."""
    manifest = msgspec.structs.replace(champion.manifest, version="ignorant")
    return save_bundle(folder, manifest, _NETWORK.initial_weights(7))
