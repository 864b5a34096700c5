"""TensorFlow without Keras: import ``tf`` from here.

``import tensorflow`` loads Keras as well, and Keras loads scikit-learn, scipy.stats and matplotlib:
1.6 of 3.5 s of CPU, for nothing that a worker runs. ``tf.keras`` is still there: it is loaded where
training first uses it.
"""

import os

__all__ = ["tf"]

# Its banner and the search for CUDA are no news to anybody.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

_CHOICE = "TF_USE_LEGACY_KERAS"

_chosen = os.environ.get(_CHOICE)
# Keras 2, which is not installed: TensorFlow goes on without. It reads the variable a second time
# when ``tf.keras`` is first used, and must then find the Keras that is installed.
os.environ[_CHOICE] = "1"
try:
    import tensorflow as tf
finally:
    del os.environ[_CHOICE]
    if _chosen is not None:
        os.environ[_CHOICE] = _chosen
