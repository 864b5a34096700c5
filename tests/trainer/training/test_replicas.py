"""A training that several devices share, on two logical CPU devices."""

import json
import subprocess
import sys

import pytest

from support.processes import ROOT

pytestmark = pytest.mark.slow


def test_two_devices_that_share_each_batch_come_to_the_weights_of_one():
    result = subprocess.run(
        [sys.executable, "-m", "support.shared_training"],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["difference"] < 1e-4
    # What is compared is not what it was at the start.
    assert found["moved"] > 1e-3
