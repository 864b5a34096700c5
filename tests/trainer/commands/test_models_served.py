"""What is announced, what workers serve and what may go: commands beside a real worker, whose
bundles have to be signed, and a real Prometheus.
"""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from support.announced import Models, bench_following, wait_for_metric, wait_until_serves
from support.commands import run_trainer
from support.processes import free_port, wait_until
from support.prometheus import Prometheus

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(900)]


class Trainer:
    """``stream-trainer models`` with the settings that the worker has."""

    def __init__(self, models: Models) -> None:
        self._folder = models.folder
        settings = models.settings
        self._settings = {
            "BOOTSTRAP_SERVERS": settings.bootstrap_servers[0],
            "MODEL_STORE": settings.model_store,
            "MODELS_TOPIC": settings.models_topic,
            "URL_BUNDLE": str(settings.url_bundle),
            "HOST_BUNDLE": str(settings.host_bundle),
        }

    def models(self, *words: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = run_trainer(
            "models", *words, folder=self._folder, settings=self._settings, timeout=240
        )
        assert done.returncode == code, done.stderr
        return done

    def served(self, *asked: str) -> dict[str, dict]:
        """What `list` says of each version, by sha256."""
        lines = self.models("list", "--json", *asked).stdout.splitlines()
        return {model["sha256"]: model for model in map(json.loads, lines)}

    def pruned(self, *words: object) -> set[str]:
        """The versions that `prune` names, by the beginning of their sha256."""
        return {line.split()[-6] for line in self.models("prune", *words).stdout.splitlines()}


def test_serving_workers_are_listed_a_late_signature_counts_and_prune_spares_served_versions(
    kafka, topics, tmp_path
):
    models = Models(kafka.bootstrap_servers, topics, tmp_path)
    trainer = Trainer(models)
    first, second, third = (models.sha256(name) for name in ("first", "second", "third"))
    trainer.models("new-key", "models.key")
    key = str(tmp_path / "models.key.pub")
    with bench_following(models, topics, STREAM_DETECTOR_MODEL_PUBLIC_KEY=key) as bench:
        worker = bench.start_worker()
        address = f"127.0.0.1:{bench.ports[-1]}"
        nobody = f"http://127.0.0.1:{free_port()}"

        # Announced without a signature: the worker refuses it, and the list does not claim it.
        trainer.models("publish", "second", "--force", "a drill")
        wait_for_metric(bench, "model_refusals_total", 'reason="signature"', "} 1.0")
        done = trainer.models("list", "--worker", f"{address}/", "--worker", nobody, code=1)
        assert f"{nobody} can't be asked what serves (" in done.stderr
        header, *rows = done.stdout.splitlines()
        after_sha256 = {row.split()[1]: row[header.index("announced") :] for row in rows}
        assert after_sha256[first[:12]].split() == [address, "rollback", "goes", "back", "to", "it"]
        day, time, remark = after_sha256[second[:12]].split(maxsplit=2)
        assert datetime.fromisoformat(f"{day}T{time}+00:00") <= datetime.now(UTC)
        assert remark == "forced: a drill"

        # What the worker's log says to do.
        assert "announce it with --signing-key" in worker.log.read_text()
        trainer.models("publish", "second", "--force", "a drill", "--signing-key", "models.key")
        wait_until_serves(bench, second)

        # `prune` spares what is announced and what a rollback needs.
        trainer.models("publish", "third", "--no-announce")
        assert trainer.pruned("--keep", 0) == {third[:12]}
        refused = trainer.models("prune", "--keep", 0, "--delete", "--worker", nobody, code=1)
        assert f"nothing is removed: {nobody} can't be asked" in refused.stderr
        assert third in {path.name for path in Path(models.store.url, "url").iterdir()}

        scraped = {"job_name": "detector", "static_configs": [{"targets": [address]}]}
        with Prometheus(tmp_path / "prometheus", [scraped]) as prometheus:
            wait_until(
                lambda: prometheus.query("stream_detector_model_info"),
                timeout=60,
                what="Prometheus to have scraped the worker",
            )
            served = trainer.served("--prometheus", prometheus.url)
            assert served[second]["served_by"] == [address]
            hosts = [model for model in served.values() if model["kind"] == "host"]
            assert [(host["stored"], host["served_by"]) for host in hosts] == [(False, [address])]

        assert trainer.pruned("--keep", 0, "--delete") == {third[:12]}
        assert {path.name for path in Path(models.store.url, "url").iterdir()} == {first, second}
        trainer.models("rollback", "--signing-key", "models.key")
        wait_until_serves(bench, first)
        # The one that was rolled back is known to retraining as long as it is in the store.
        assert trainer.pruned("--keep", 0, "--delete") == set()
        assert worker.stop() == 0
