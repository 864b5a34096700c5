"""The commands with which trainer/README.md retrains, line by line on a real Kafka.

But for the worker and the watch, which go on until they are stopped, and for what a retraining does
once it has its labels: these have tests of their own.
"""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from stream_detector.models.bundle import load_bundle, save_bundle
from support.commands import environment_of
from support.processes import ROOT, ChildProcess, wait_for_line
from support.retraining import corpus, save_wide_champion, write_corpus

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(900)]

LONG_RUNNING = ("stream-detector run", "stream-trainer watch")


def block() -> list[str]:
    """The lines of the README's block, without comments."""
    text = (ROOT / "trainer" / "README.md").read_text()
    found = re.search(r"These commands work while workers run:\n\n(.*?)\n\n", text, re.DOTALL)
    assert found is not None
    lines = [line.partition("#")[0].strip() for line in found[1].splitlines()]
    return [line for line in lines if not line.startswith(LONG_RUNNING)]


def test_the_retrain_block_runs_as_it_is_written(kafka, tmp_path: Path) -> None:
    served = save_wide_champion(tmp_path / "served", corpus(write_corpus(tmp_path / "urls.csv")))
    for number, name in enumerate(("url", "next"), start=2):
        manifest = msgspec.structs.replace(served.manifest, version=str(number))
        (tmp_path / "bundles").mkdir(exist_ok=True)
        save_bundle(tmp_path / "bundles" / name, manifest, served.weights)
    environment = environment_of(
        {
            "BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "TOPIC_PREFIX": "readme.",
            "LABELS_GROUP_ID": "readme",
            "URL_BUNDLE": str(tmp_path / "served"),
        }
    )
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"

    said = {}
    for line in block():
        if line.startswith("export "):
            name, _, _ = line.removeprefix("export ").partition("=")
            environment[name] = str(tmp_path / "store")
            continue
        # No worker runs here that could be asked.
        words = shlex.split(line.partition(" --worker ")[0])
        program = shutil.which(words[0], path=environment["PATH"])
        assert program is not None
        if line.startswith("stream-trainer retrain"):
            with ChildProcess(
                [program, *words[1:]],
                log=tmp_path / "retrain.log",
                environment=environment,
                folder=tmp_path,
            ) as retraining:
                wait_for_line(retraining, "1 trained on", timeout=200)
                retraining.kill()
            continue
        done = subprocess.run(
            words,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        assert done.returncode == 0, f"{line}: {done.stderr}"
        said[" ".join(words[:3])] = done.stdout + done.stderr

    assert "1 labels stored" in said["stream-trainer labels collect"]
    published = load_bundle(tmp_path / "bundles" / "url")
    assert f"({published.ref.short})" in said["stream-trainer models publish"]
    assert "announced: url model" in said["stream-trainer models rollback"]
    rows = {row.split()[1]: row for row in said["stream-trainer models list"].splitlines()}
    assert "rollback goes back to it" not in rows[published.ref.short]
    assert "shadow, share 0.1" in rows[load_bundle(tmp_path / "bundles" / "next").ref.short]
    assert sum("rollback goes back to it" in row for row in rows.values()) == 1
