"""Scores canonical texts with the served bundles: sorted by length, in few compiled shapes.

XLA compiles a graph for each shape, for seconds. So a batch is cut into groups of a few fixed
numbers of rows, and the number of time steps is an input of the graph, not a shape: three compiled
graphs a model serve every batch and length. Sorted by length, a group of short names runs few
steps instead of as many as the batch's longest URL.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from stream_detector.errors import DeviceError, ScoringError
from stream_detector.events import Kind
from stream_detector.models.architectures.compiled import compiled_logits
from stream_detector.models.base import ServedModel
from stream_detector.models.bundle import Bundle
from stream_detector.models.encoding import encode, shorten
from stream_detector.models.lean_tensorflow import tf

GROUP_ROWS = (1024, 256, 32)
"""Rows of a group, largest first: 1024 is the fastest per text, 32 pads a single text the least.
Each more would cost a compilation at start and at every switch of a model."""


class Scorer:
    """Fulfils ``models.base.TextScorer`` with one bundle a kind, on one device."""

    def __init__(self, bundles: Mapping[Kind, Bundle], *, device: str) -> None:
        """``device`` is a TensorFlow name, from ``device.choose_device``."""
        self.device = device
        self._networks = {kind: Network(bundle, device) for kind, bundle in bundles.items()}

    @property
    def models(self) -> Mapping[Kind, ServedModel]:
        """The model that serves each kind."""
        return {kind: network.served for kind, network in self._networks.items()}

    def warm_up(self) -> None:
        """Compile every shape that ``score`` uses."""
        for network in self._networks.values():
            network.warm_up()

    def switch(self, kind: Kind, network: "Network") -> None:
        """Serve ``kind`` with the warm ``network`` from the next call of ``score`` on.

        Called from the thread that owns the scorer, and so between two batches.
        """
        self._networks[kind] = network

    def score(self, kind: Kind, texts: Sequence[str]) -> NDArray[np.float32]:
        """Calibrated probabilities, shape ``[len(texts)]``; see ``TextScorer``."""
        try:
            return self._networks[kind].score(texts)
        except Exception as error:
            if isinstance(error, _device_faults()):
                raise DeviceError(
                    f"the model failed on {self.device} with {type(error).__name__}: is there "
                    "memory left? lower batch_records, or set device = cpu"
                ) from error
            raise ScoringError(f"the model raised {type(error).__name__}: {error}") from error


class Network:
    """One bundle's weights on one device, and the graph that all bundles of its network share.

    ``score`` and ``warm_up`` are called from one thread at a time; another network may score in
    another thread meanwhile.
    """

    def __init__(self, bundle: Bundle, device: str) -> None:
        self.served = ServedModel(
            ref=bundle.ref,
            thresholds=bundle.thresholds,
            reference=bundle.manifest.reference,
            created_at=bundle.manifest.created_at,
        )
        self._length_max = bundle.architecture.length_max
        self._calibration = bundle.manifest.calibration
        self._device = device
        with tf.device(device):
            self._weights = {name: tf.constant(value) for name, value in bundle.weights.items()}
        self.run = compiled_logits(bundle.architecture)

    def warm_up(self) -> None:
        """Compile every shape that ``score`` uses."""
        # A batch of exactly this many rows is one group. A shape that is not compiled here would
        # be compiled in the middle of the traffic, and hold it up for seconds.
        for rows in GROUP_ROWS:
            self.score(["warm"] * rows)

    def score(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Calibrated probabilities, shape ``[len(texts)]``."""
        if not texts:
            return np.empty(0, np.float32)
        short = [shorten(text, self._length_max) for text in texts]
        order = np.argsort(
            np.fromiter(map(len, short), dtype=np.int32, count=len(short)), kind="stable"
        )
        logits = np.empty(len(short), np.float32)
        # A GPU runs a group while the next one is encoded: results are fetched at the end.
        pending = []
        for rows, columns in _groups(order):
            batch = encode([short[row] for row in rows], steps=self._length_max, columns=columns)
            with tf.device(self._device):
                pending.append((rows, self.run(self._weights, *map(tf.constant, batch))))
        for rows, result in pending:
            logits[rows] = result.numpy()[: len(rows)]
        return self._calibration.apply(logits)


def _device_faults() -> tuple[type[Exception], ...]:
    """The errors for which no text of the batch is at fault."""
    errors = tf.errors
    return (
        errors.ResourceExhaustedError,
        errors.InternalError,
        errors.UnavailableError,
        MemoryError,
    )


def _groups(order: NDArray[np.int64]) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Cut rows sorted by length into groups, each with the number of rows it is padded to."""
    start = 0
    while start < len(order):
        left = len(order) - start
        columns = next((rows for rows in GROUP_ROWS if rows <= left), GROUP_ROWS[-1])
        yield order[start : start + columns], columns
        start += columns
