"""scikit-learn's classifiers: the study's table, on character n-grams and on lexical features."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from trainer.examples.datasets import Dataset
from trainer.families.base import Family, Fitted
from trainer.families.lexical import lexical_features
from trainer.shown_progress import Progress

__all__ = ["CLASSICAL", "FittedPipeline", "dense_features", "ngrams"]

_NGRAM_BUCKETS = 2**18
_DENSE_BUCKETS = 256


def ngrams(**options: Any) -> HashingVectorizer:
    """Hashed character n-grams of 1 to 3, with their case, sparse, one row a text of length 1."""
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


def dense_features(texts: Sequence[str]) -> NDArray[np.float32]:
    """Lexical features beside hashed n-grams in few buckets, for models that need dense rows."""
    counts = ngrams(n_features=_DENSE_BUCKETS, alternate_sign=False).transform(texts)
    return np.hstack([lexical_features(texts), counts.toarray()])


_ROWS_A_THREAD = 20_000
"""Below it OpenMP's threads wait for one another longer than they work: gradient boosting on 600
rows takes 2 s with one thread, 5 with two, and minutes on cores that others use too."""

_ODDS_MAX = 1e4
"""A forest whose trees all agree has infinite odds."""


class FittedPipeline:
    """A fitted scikit-learn pipeline."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    def scores(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The decision function, or the logarithm of the odds where there is none."""
        with _threads_for(len(texts)):
            return self._scores(texts)

    def _scores(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if hasattr(self._pipeline, "decision_function"):
            return np.asarray(self._pipeline.decision_function(texts), np.float32)
        # Of the logarithms: naive Bayes is so sure that its probabilities are 0 or 1 by rounding.
        with np.errstate(divide="ignore"):  # A forest's may be 0 outright.
            benign, malicious = self._pipeline.predict_log_proba(texts).T
        odds: NDArray[np.float32] = np.clip(malicious - benign, -_ODDS_MAX, _ODDS_MAX)
        return odds.astype(np.float32)


def _threads_for(rows: int) -> threadpool_limits:
    """The block computes with as many threads as so many rows are worth."""
    threads = min(os.cpu_count() or 1, max(1, rows // _ROWS_A_THREAD))
    return threadpool_limits(threads, user_api="openmp")


class _Classifier(Family):
    def fit(
        self,
        train: Dataset,
        validation: Dataset,  # noqa: ARG002 - none of these stops early
        *,
        seed: int,
        progress: Progress,
    ) -> Fitted:
        """See the base class."""
        what = f"{self.name}: {len(train.texts):,} rows"
        progress.tell(what)
        with progress.stage(what), _threads_for(len(train.texts)):
            return FittedPipeline(self._pipeline(seed).fit(train.texts, train.labels))

    def _pipeline(self, seed: int) -> Pipeline:
        raise NotImplementedError


class LogisticNgrams(_Classifier):
    """Logistic regression on hashed character n-grams."""

    name = "logistic_regression"
    summary = "logistic regression on character 1-to-3-grams"

    def _pipeline(self, seed: int) -> Pipeline:
        return make_pipeline(
            ngrams(), LogisticRegression(C=10, solver="liblinear", random_state=seed)
        )


class LinearSvmNgrams(_Classifier):
    """A linear support vector machine on hashed character n-grams."""

    name = "linear_svm"
    summary = "linear SVM on character 1-to-3-grams"

    def _pipeline(self, seed: int) -> Pipeline:
        return make_pipeline(ngrams(), LinearSVC(C=0.5, random_state=seed))


class NaiveBayesNgrams(_Classifier):
    """Multinomial naive Bayes on counts of hashed character n-grams."""

    name = "naive_bayes"
    summary = "multinomial naive Bayes on character 1-to-3-grams"

    def _pipeline(self, seed: int) -> Pipeline:  # noqa: ARG002 - nothing in it is drawn
        return make_pipeline(ngrams(alternate_sign=False, norm=None), MultinomialNB())


class RandomForest(_Classifier):
    """A random forest on lexical features and n-grams in few buckets."""

    name = "random_forest"
    summary = "random forest on lexical features and n-grams in 256 buckets"

    def _pipeline(self, seed: int) -> Pipeline:
        return make_pipeline(
            FunctionTransformer(dense_features),
            RandomForestClassifier(200, min_samples_leaf=2, n_jobs=-1, random_state=seed),
        )


class GradientBoosting(_Classifier):
    """Gradient boosting on lexical features and n-grams in few buckets."""

    name = "gradient_boosting"
    summary = "gradient boosting on lexical features and n-grams in 256 buckets"

    def _pipeline(self, seed: int) -> Pipeline:
        return make_pipeline(
            FunctionTransformer(dense_features),
            HistGradientBoostingClassifier(max_iter=200, random_state=seed),
        )


class LexicalLogistic(_Classifier):
    """Logistic regression on lexical features alone."""

    name = "lexical"
    summary = "logistic regression on lexical features alone"

    def _pipeline(self, seed: int) -> Pipeline:
        return make_pipeline(
            FunctionTransformer(lexical_features),
            StandardScaler(),
            LogisticRegression(max_iter=1000, random_state=seed),
        )


CLASSICAL: tuple[Family, ...] = (
    LogisticNgrams(),
    LinearSvmNgrams(),
    NaiveBayesNgrams(),
    RandomForest(),
    GradientBoosting(),
    LexicalLogistic(),
)
