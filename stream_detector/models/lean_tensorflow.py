"""TensorFlow without Keras: import ``tf`` from here.

``import tensorflow`` loads Keras as well, and Keras loads scikit-learn, scipy.stats and matplotlib:
1.6 of 3.5 s of CPU, for nothing that a worker runs. ``tf.keras`` is still there: it is loaded where
training first uses it.
"""

import os

from stream_detector.system.native_output import native_output_held_back

__all__ = ["tf"]

# TensorFlow decides on its Keras while it is imported: by this variable it asks for Keras 2
# (the package tf_keras), which is not installed, and goes on without any. It reads the variable
# again when ``tf.keras`` is first used, and must then find the Keras 3 that is installed: so the
# variable is set for the import alone. Tested against the pinned TensorFlow (test_lean_tensorflow).
_CHOICE = "TF_USE_LEGACY_KERAS"

_chosen = os.environ.get(_CHOICE)
os.environ[_CHOICE] = "1"
try:
    # Its C++ part announces its build and searches for CUDA on stderr.
    with native_output_held_back():
        import tensorflow as tf
finally:
    del os.environ[_CHOICE]
    if _chosen is not None:
        os.environ[_CHOICE] = _chosen
