"""``stream-trainer`` as a user runs it, on a real Kafka and a store in a folder."""

import os
import subprocess
import sys

import pytest

from stream_detector.settings import ENVIRONMENT_PREFIX
from support.processes import ROOT


@pytest.fixture
def trainer(kafka, topics, tmp_path):
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(ENVIRONMENT_PREFIX)
    }
    environment |= {
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "200",
        "STREAM_DETECTOR_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "STREAM_DETECTOR_MODEL_STORE": str(tmp_path / "store"),
        "STREAM_DETECTOR_MODELS_TOPIC": topics("models", partitions=1, cleanup_policy="compact"),
    }

    def trainer(*arguments: object, code: int = 0, **changes: str) -> subprocess.CompletedProcess:
        done = subprocess.run(
            [sys.executable, "-m", "trainer", *map(str, arguments)],
            cwd=tmp_path,
            env={**environment, **changes},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == code, done.stderr
        if code in {1, 2}:
            assert done.stderr.splitlines()[-1].startswith("stream-trainer: ")
            assert "Traceback" not in done.stderr
        return done

    return trainer
