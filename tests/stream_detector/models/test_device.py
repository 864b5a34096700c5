"""The choice of the device; no GPU is needed to test it."""

import pytest

from stream_detector.errors import SettingsError
from stream_detector.models.device import choose_device, training_devices

GPU = ["/physical_device:GPU:0"]


@pytest.mark.parametrize(
    ("wanted", "gpus", "device"),
    [
        ("auto", [], "/CPU:0"),
        ("auto", GPU, "/GPU:0"),
        ("cpu", GPU, "/CPU:0"),
        ("cpu", [], "/CPU:0"),
        ("gpu", GPU, "/GPU:0"),
    ],
)
def test_the_device_is_what_was_asked_for_and_is_there(wanted, gpus, device):
    assert choose_device(wanted, gpus) == device


def test_a_gpu_that_is_missing_is_an_error_that_says_what_to_do():
    with pytest.raises(SettingsError, match=r"sees none: check the driver.*device to auto"):
        choose_device("gpu", [])


@pytest.mark.parametrize(
    ("gpus", "devices"), [([], []), (GPU, []), (GPU * 3, ["/GPU:0", "/GPU:1", "/GPU:2"])]
)
def test_a_training_is_shared_only_where_there_are_several_gpus(gpus, devices):
    assert training_devices(gpus) == devices
