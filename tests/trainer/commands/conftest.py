"""``stream-trainer`` as a user runs it, on a real Kafka and a store in a folder."""

import subprocess

import pytest

from support.commands import run_trainer


@pytest.fixture
def trainer(kafka, topics, tmp_path):
    settings = {
        "BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "MODEL_STORE": str(tmp_path / "store"),
        "MODELS_TOPIC": topics("models", partitions=1, cleanup_policy="compact"),
    }

    def trainer(*arguments: object, code: int = 0, **changes: str) -> subprocess.CompletedProcess:
        environment = {"COLUMNS": "200", **changes}
        done = run_trainer(
            *arguments, folder=tmp_path, settings=settings, timeout=240, **environment
        )
        assert done.returncode == code, done.stderr
        if code in {1, 2}:
            assert done.stderr.splitlines()[-1].startswith("stream-trainer: ")
            assert "Traceback" not in done.stderr
        return done

    return trainer
