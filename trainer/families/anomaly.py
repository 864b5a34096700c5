"""Anomaly detection: models that learn from benign rows alone what ordinary texts look like.

The study remarked that its task should ideally be outlier detection. The report measures these with
the same figures as the supervised families.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import SGDOneClassSVM
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from stream_detector.terminal.progress import Progress
from trainer.examples.datasets import Dataset
from trainer.families.base import Family, Fitted
from trainer.families.classical import dense_features
from trainer.families.language_model import EPOCHS_MAX, fit_language_model


class _FittedOutliers:
    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    def scores(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The negated decision function: scikit-learn's is high for ordinary rows."""
        return -np.asarray(self._pipeline.decision_function(texts), np.float32)


class _Outliers(Family):
    """An outlier detector of scikit-learn; ``steps`` makes its last parts from a seed."""

    supervised = False

    def __init__(self, name: str, summary: str, steps: Callable[[int], Sequence[Any]]) -> None:
        self.name, self.summary, self._steps = name, summary, steps

    def fit(
        self,
        train: Dataset,
        validation: Dataset,  # noqa: ARG002 - none of these stops early
        *,
        seed: int,
        progress: Progress,
    ) -> Fitted:
        """See the base class; it ignores malicious rows."""
        benign = _benign_texts(train)
        what = f"{self.name}: {len(benign):,} benign rows"
        progress.tell(what)
        dense = FunctionTransformer(dense_features)
        with progress.stage(what):
            model = make_pipeline(dense, StandardScaler(), *self._steps(seed))
            return _FittedOutliers(model.fit(benign))


class LanguageModelSurprise(Family):
    """A character language model of benign texts; the score is its surprise per character."""

    name = "language_model"
    summary = "surprise per character of an LSTM language model of benign rows"
    supervised = False

    def __init__(self, *, epochs: int) -> None:
        """Train for ``epochs``, but never for more than ``EPOCHS_MAX``."""
        self._epochs = min(epochs, EPOCHS_MAX)

    def fit(self, train: Dataset, validation: Dataset, *, seed: int, progress: Progress) -> Fitted:
        """See the base class; it ignores malicious rows."""
        return fit_language_model(
            _benign_texts(train),
            _benign_texts(validation),
            epochs=self._epochs,
            seed=seed,
            progress=progress,
        )


def _benign_texts(dataset: Dataset) -> list[str]:
    return [dataset.texts[row] for row in np.flatnonzero(dataset.labels == 0)]


OUTLIERS: tuple[Family, ...] = (
    # Liu et al. 2008, doi:10.1109/ICDM.2008.17.
    _Outliers(
        "isolation_forest",
        "isolation forest on lexical features and n-grams, benign rows alone",
        lambda seed: [IsolationForest(n_estimators=200, n_jobs=-1, random_state=seed)],
    ),
    # Schölkopf et al. 2001; the approximated kernel makes its time linear in the rows.
    _Outliers(
        "one_class_svm",
        "one-class SVM on lexical features and n-grams, benign rows alone",
        lambda seed: [
            Nystroem(n_components=200, random_state=seed),
            SGDOneClassSVM(nu=0.05, random_state=seed),
        ],
    ),
)
