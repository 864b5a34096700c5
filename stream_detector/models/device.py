"""Chooses the device that the model runs on, and sets TensorFlow up."""

import logging
from collections.abc import Sequence
from typing import Literal

from stream_detector.errors import SettingsError
from stream_detector.models.lean_tensorflow import tf
from stream_detector.system.cores import usable_cores

DeviceChoice = Literal["auto", "cpu", "gpu"]


def choose_device(wanted: DeviceChoice, gpus: Sequence[str]) -> str:
    """The TensorFlow name of the device to use, given the visible ``gpus``.

    Raises:
        SettingsError: ``gpu`` was asked for and there is none.
    """
    if wanted == "cpu" or (wanted == "auto" and not gpus):
        return "/CPU:0"
    if not gpus:
        raise SettingsError(
            "device is gpu, and TensorFlow sees none: check the driver and that the package "
            "tensorflow[and-cuda] is installed, or set device to auto"
        )
    return "/GPU:0"


def training_devices(gpus: Sequence[str]) -> list[str]:
    """TensorFlow names of the GPUs that share a training; empty for one or none.

    Without several, TensorFlow places the training itself, on the GPU if it has one.
    """
    return [f"/GPU:{number}" for number in range(len(gpus))] if len(gpus) > 1 else []


def visible_gpus() -> list[str]:
    """Names of the GPUs that TensorFlow sees."""
    return [device.name for device in tf.config.list_physical_devices("GPU")]


def prepare_tensorflow(threads: int) -> None:
    """Set the CPU threads (0: as many as the process may use); before the first operation.

    Without effect where TensorFlow has already run something in this process.
    """
    # TensorFlow warns of retracing; here each shape is traced once, on purpose.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    threads = threads or usable_cores()
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        # The graph is one XLA cluster after another: more threads would only contend.
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        return
