"""Model families: ways to make a model, behind one small interface (``base``).

``neural`` has the networks, which a worker can serve; ``classical`` and ``anomaly`` have
scikit-learn's models and a language model, for comparison.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stream_detector.events import Kind

NETWORK_NAMES = ("wide_bilstm", "bilstm", "lstm_embed", "lstm_onehot", "cnn_lstm")
CLASSICAL_NAMES = (
    "logistic_regression",
    "linear_svm",
    "naive_bayes",
    "random_forest",
    "gradient_boosting",
    "lexical",
)
ANOMALY_NAMES = ("isolation_forest", "one_class_svm", "language_model")
FAMILY_NAMES = (*NETWORK_NAMES, *CLASSICAL_NAMES, *ANOMALY_NAMES)
"""Named here, so that ``--help`` need not import TensorFlow."""

LENGTH_MAX: Mapping["Kind", int] = {"url": 192, "host": 80}
"""Characters that networks read: 99% of URLs and all but a few hosts in ten thousand fit."""
