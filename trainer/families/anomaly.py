"""Anomaly detection: models that learn from benign rows alone what ordinary looks like.

The study remarked that its task should ideally be one of outliers. These are measured beside the
supervised families, with the same figures.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import SGDOneClassSVM
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from trainer.examples.datasets import Dataset
from trainer.families.base import Family, Fitted
from trainer.families.classical import dense_features
from trainer.families.language_model import EPOCHS_MAX, fit_language_model
from trainer.shown_progress import Progress

__all__ = ["OUTLIERS", "LanguageModelSurprise"]


class _FittedOutliers:
    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    def scores(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Minus how ordinary scikit-learn finds them."""
        return -np.asarray(self._pipeline.decision_function(texts), np.float32)


class _Outliers(Family):
    supervised = False

    def fit(
        self,
        train: Dataset,
        validation: Dataset,  # noqa: ARG002 - none of these stops early
        *,
        seed: int,
        progress: Progress,
    ) -> Fitted:
        """See the base class; malicious rows are not looked at."""
        benign = _benign_texts(train)
        what = f"{self.name}: {len(benign):,} benign rows"
        progress.tell(what)
        model = make_pipeline(
            FunctionTransformer(dense_features), StandardScaler(), *self._steps(seed)
        )
        with progress.stage(what):
            return _FittedOutliers(model.fit(benign))

    def _steps(self, seed: int) -> Sequence[Any]:
        raise NotImplementedError


class IsolationForestOutliers(_Outliers):
    """Isolation forest: Liu et al. 2008, doi:10.1109/ICDM.2008.17."""

    name = "isolation_forest"
    summary = "isolation forest on lexical features and n-grams, benign rows alone"

    def _steps(self, seed: int) -> Sequence[Any]:
        return [IsolationForest(n_estimators=200, n_jobs=-1, random_state=seed)]


class OneClassSvmOutliers(_Outliers):
    """One-class SVM (Schölkopf et al. 2001), its kernel approximated: time linear in the rows."""

    name = "one_class_svm"
    summary = "one-class SVM on lexical features and n-grams, benign rows alone"

    def _steps(self, seed: int) -> Sequence[Any]:
        return [
            Nystroem(n_components=200, random_state=seed),
            SGDOneClassSVM(nu=0.05, random_state=seed),
        ]


class LanguageModelSurprise(Family):
    """A character language model of benign texts; the score is its surprise per character."""

    name = "language_model"
    summary = "surprise per character of an LSTM language model of benign rows"
    supervised = False

    def __init__(self, *, epochs: int = EPOCHS_MAX) -> None:
        """It is trained for so many ``epochs``, but never for more than ``EPOCHS_MAX``."""
        self._epochs = min(epochs, EPOCHS_MAX)

    def fit(
        self,
        train: Dataset,
        validation: Dataset,
        *,
        seed: int,
        progress: Progress,
    ) -> Fitted:
        """See the base class; malicious rows are not looked at."""
        return fit_language_model(
            _benign_texts(train),
            _benign_texts(validation),
            epochs=self._epochs,
            seed=seed,
            progress=progress,
        )


def _benign_texts(dataset: Dataset) -> list[str]:
    return [dataset.texts[row] for row in np.flatnonzero(dataset.labels == 0)]


OUTLIERS: tuple[Family, ...] = (IsolationForestOutliers(), OneClassSvmOutliers())
