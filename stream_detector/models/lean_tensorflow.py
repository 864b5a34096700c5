"""TensorFlow, imported at the first use of ``tf`` and without Keras: import ``tf`` from here.

TensorFlow takes seconds to import. The import waits until some name of ``tf`` is used, so every
module may import the scorer at its top: ``--help`` and a wrong setting need no TensorFlow, and a
worker answers at its HTTP port while it loads. Use ``tf`` only inside functions.

``import tensorflow`` also loads Keras, which loads scikit-learn, scipy.stats and matplotlib: 1.6 of
3.5 s of CPU for code that a worker never runs. ``tf.keras`` still works: TensorFlow loads Keras
when training first uses it.
"""

import functools
import os
import threading
from typing import TYPE_CHECKING, Any

from stream_detector.system.native_output import native_output_held_back

if TYPE_CHECKING:
    import tensorflow

_CHOICE = "TF_USE_LEGACY_KERAS"
_lock = threading.Lock()
"""A worker's threads may be the first to need TensorFlow at the same time."""


class _TensorFlow:
    """Stands for the module until one of its names is used."""

    def __getattr__(self, name: str) -> Any:
        with _lock:
            value = getattr(_imported(), name)
        setattr(self, name, value)  # Python calls __getattr__ only for names that are missing.
        return value


@functools.cache
def _imported() -> Any:
    # TensorFlow chooses its Keras while it is imported. With this variable set it asks for Keras 2
    # (the package tf_keras), which is not installed, and continues without any. TensorFlow reads
    # the variable again when ``tf.keras`` is first used, and must then find Keras 3, so the
    # variable is set only during the import. test_lean_tensorflow tests the pinned version.
    chosen = os.environ.get(_CHOICE)
    os.environ[_CHOICE] = "1"
    try:
        # TensorFlow's C++ part writes its build and a search for CUDA to stderr.
        with native_output_held_back():
            import tensorflow  # noqa: PLC0415
    finally:
        del os.environ[_CHOICE]
        if chosen is not None:
            os.environ[_CHOICE] = chosen
    return tensorflow


if TYPE_CHECKING:
    tf = tensorflow
else:
    tf = _TensorFlow()
