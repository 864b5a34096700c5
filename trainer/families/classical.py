"""scikit-learn's models, on character n-grams and on lexical features.

The classifiers are the study's table. The study remarked that its task should ideally be outlier
detection: the outlier detectors learn from benign rows what ordinary texts look like, and the
report measures them with the same figures.
"""

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression, SGDOneClassSVM
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from stream_detector.terminal.progress import Progress
from trainer.examples.datasets import Dataset
from trainer.families.base import Family, Fitted, benign_texts
from trainer.families.lexical import lexical_features

_NGRAM_BUCKETS = 2**18
_DENSE_BUCKETS = 256

_ROWS_A_THREAD = 20_000
"""With fewer rows OpenMP's threads wait for one another longer than they work: gradient boosting on
600 rows takes 2 s with one thread, 5 with two, and minutes on cores that others use too."""

_ODDS_MAX = 1e4
"""A forest whose trees all agree has infinite odds."""


def _ngrams(**options: Any) -> HashingVectorizer:
    """Hashed character n-grams of 1 to 3, with their case, sparse; each row has length 1."""
    return HashingVectorizer(
        **{
            "analyzer": "char",
            "ngram_range": (1, 3),
            "n_features": _NGRAM_BUCKETS,
            "lowercase": False,
            "dtype": np.float32,
            **options,
        }
    )


def _dense_features(texts: Sequence[str]) -> NDArray[np.float32]:
    """Lexical features and hashed n-grams in few buckets, for models that need dense rows."""
    counts = _ngrams(n_features=_DENSE_BUCKETS, alternate_sign=False).transform(texts)
    return np.hstack([lexical_features(texts), counts.toarray()])


def _dense() -> FunctionTransformer:
    return FunctionTransformer(_dense_features)


def _threads_for(rows: int) -> threadpool_limits:
    """Limit OpenMP, in the block, to the threads that ``rows`` keep busy."""
    threads = min(os.cpu_count() or 1, max(1, rows // _ROWS_A_THREAD))
    return threadpool_limits(threads, user_api="openmp")


def _scores(pipeline: Pipeline, texts: Sequence[str]) -> NDArray[np.float32]:
    """A classifier's decision function, or the logarithm of the odds where there is none."""
    with _threads_for(len(texts)):
        if hasattr(pipeline, "decision_function"):
            return np.asarray(pipeline.decision_function(texts), np.float32)
        # Logarithms: naive Bayes is so sure that its probabilities round to 0 or 1.
        with np.errstate(divide="ignore"):  # A forest's may be 0 outright.
            benign, malicious = pipeline.predict_log_proba(texts).T
    odds: NDArray[np.float32] = np.clip(malicious - benign, -_ODDS_MAX, _ODDS_MAX)
    return odds.astype(np.float32)


class _Classical(Family):
    """A scikit-learn pipeline; ``steps`` makes its parts from a seed."""

    def __init__(
        self,
        name: str,
        summary: str,
        steps: Callable[[int], Sequence[Any]],
        *,
        supervised: bool = True,
    ) -> None:
        self.name, self.summary, self.supervised = name, summary, supervised
        self._steps = steps

    def fit(
        self,
        train: Dataset,
        validation: Dataset,  # noqa: ARG002 - none of these stops early
        *,
        seed: int,
        progress: Progress,
    ) -> Fitted:
        """See the base class; outlier detectors ignore malicious rows."""
        texts = train.texts if self.supervised else benign_texts(train)
        what = f"{self.name}: {len(texts):,} {'rows' if self.supervised else 'benign rows'}"
        progress.tell(what)
        with progress.stage(what), _threads_for(len(texts)):
            pipeline = make_pipeline(*self._steps(seed))
            pipeline.fit(texts, train.labels if self.supervised else None)
        if self.supervised:
            return Fitted(lambda texts: _scores(pipeline, texts))
        # scikit-learn's decision function is high for ordinary rows.
        return Fitted(lambda texts: -_scores(pipeline, texts))


CLASSICAL: tuple[Family, ...] = (
    _Classical(
        "logistic_regression",
        "logistic regression on character 1-to-3-grams",
        lambda seed: [_ngrams(), LogisticRegression(C=10, solver="liblinear", random_state=seed)],
    ),
    _Classical(
        "linear_svm",
        "linear SVM on character 1-to-3-grams",
        lambda seed: [_ngrams(), LinearSVC(C=0.5, random_state=seed)],
    ),
    _Classical(
        "naive_bayes",
        "multinomial naive Bayes on character 1-to-3-grams",
        lambda _: [_ngrams(alternate_sign=False, norm=None), MultinomialNB()],
    ),
    _Classical(
        "random_forest",
        "random forest on lexical features and n-grams in 256 buckets",
        lambda seed: [
            _dense(),
            RandomForestClassifier(200, min_samples_leaf=2, n_jobs=-1, random_state=seed),
        ],
    ),
    _Classical(
        "gradient_boosting",
        "gradient boosting on lexical features and n-grams in 256 buckets",
        lambda seed: [_dense(), HistGradientBoostingClassifier(max_iter=200, random_state=seed)],
    ),
    _Classical(
        "lexical",
        "logistic regression on lexical features",
        lambda seed: [
            FunctionTransformer(lexical_features),
            StandardScaler(),
            LogisticRegression(max_iter=1000, random_state=seed),
        ],
    ),
)

OUTLIERS: tuple[Family, ...] = (
    # Liu et al. 2008, doi:10.1109/ICDM.2008.17.
    _Classical(
        "isolation_forest",
        "isolation forest on lexical features and n-grams of benign rows",
        lambda seed: [
            _dense(),
            StandardScaler(),
            IsolationForest(n_estimators=200, n_jobs=-1, random_state=seed),
        ],
        supervised=False,
    ),
    # Schölkopf et al. 2001; the approximated kernel makes its time linear in the rows.
    _Classical(
        "one_class_svm",
        "one-class SVM on lexical features and n-grams of benign rows",
        lambda seed: [
            _dense(),
            StandardScaler(),
            Nystroem(n_components=200, random_state=seed),
            SGDOneClassSVM(nu=0.05, random_state=seed),
        ],
        supervised=False,
    ),
)
