"""Model families: ways to make a model, behind one small interface (``base``).

``known`` has all of them: networks, which a worker can serve, and for comparison scikit-learn's
models (``classical``) and a language model.
"""

from collections.abc import Mapping

from stream_detector.events import Kind

NETWORK_NAMES = ("wide_bilstm", "bilstm", "lstm_embed", "lstm_onehot", "cnn_lstm")
FAMILY_NAMES = (
    *NETWORK_NAMES,
    *("logistic_regression", "linear_svm", "naive_bayes", "random_forest", "gradient_boosting"),
    *("lexical", "isolation_forest", "one_class_svm", "language_model"),
)
"""Named here, so that ``--help`` need not import TensorFlow and scikit-learn."""

LENGTH_MAX: Mapping[Kind, int] = {"url": 192, "host": 80}
"""Characters that networks read: 99% of URLs and all but a few hosts in ten thousand fit."""
