"""A real ``stream-trainer watch`` on a real Kafka, with a corpus and a champion that are small."""

import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from stream_detector.models.announcement import Announcement
from stream_detector.models.bundle import load_bundle
from stream_detector.settings.fields import Settings
from support.commands import environment_of
from support.processes import ROOT, ChildProcess, answers, free_port, processes_with, start_module
from support.records import produce, read_all
from trainer.labels.store import LabelStore
from trainer.publishing.promotion import announced_now

__all__ = ["FOLDER", "Watching"]

WAIT_SECONDS = 240
FOLDER = "retrainings"
OPTIONS = ("--only-ngrams", "--resamples", "100", "--label-visits", "50", "--voice-share", "1")
"""Of each retraining: a few labels can make a model worse, which is how the gate gets to refuse."""


class Watching:
    """Topics, a model store and watches, which all end with ``close``.

    ``given`` holds ``urls.csv`` and the bundle ``champion``.
    """

    def __init__(self, bootstrap_servers: str, topics: Any, folder: Path, given: Path) -> None:
        self.kafka = bootstrap_servers
        self.folder = folder
        self.topic: str = topics("labels", partitions=2)
        self.models_topic: str = topics("models", partitions=1, cleanup_policy="compact")
        self.settings = Settings(
            bootstrap_servers=[bootstrap_servers],
            model_store=str(folder / "store"),
            models_topic=self.models_topic,
            url_bundle=folder / "champion",
        )
        self.mark = f"WATCHING_TEST_MARK={uuid.uuid4().hex}"
        name, _, value = self.mark.partition("=")
        self.environment = {
            name: value,
            **environment_of(
                {
                    "BOOTSTRAP_SERVERS": bootstrap_servers,
                    "LABELS_TOPIC": self.topic,
                    "FEED_LABELS_TOPIC": topics("label-feeds", partitions=1),
                    "LABELS_DEAD_LETTERS_TOPIC": topics("labels-dlq", partitions=1),
                    "LABELS_GROUP_ID": self.topic,
                    "MODELS_TOPIC": self.models_topic,
                    "MODEL_STORE": self.settings.model_store,
                }
            ),
        }
        self.watches: list[ChildProcess] = []
        self.ports: list[int] = []
        shutil.copytree(given, folder, dirs_exist_ok=True)
        self.champion = load_bundle(folder / "champion")

    def start(
        self,
        *options: str,
        folder: str = FOLDER,
        data: Sequence[str] = ("--url-data", "urls.csv"),
        stops_at: str = "",
        **environment: str,
    ) -> ChildProcess:
        """A watch that retrains with the first label; see ``support/stops`` on ``stops_at``."""
        if stops_at:
            environment |= {
                "TRAINER_STOPS_AT": stops_at,
                "PYTHONPATH": f"{ROOT / 'tests' / 'support' / 'stops'}:{ROOT}",
            }
        self.ports.append(free_port())
        watch = start_module(
            *("trainer", "watch", "--folder", folder, *data),
            *("--http-port", str(self.ports[-1]), "--new-labels", "1", *options),
            *("--", *OPTIONS),
            log=self.folder / f"watch-{len(self.watches)}.log",
            environment={**self.environment, **environment},
        )
        self.watches.append(watch)
        return watch

    def run(self, module: str, *arguments: str, code: int = 0) -> None:
        """A command of the project, to its end, which has to be with this exit code."""
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=self.folder,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, done.stderr

    def retrain_again(self, *, code: int) -> None:
        """What the watch does, by hand."""
        words = ["retrain", "--kind", "url", "--data", "urls.csv", *OPTIONS]
        words += ["--store", f"{FOLDER}/labels", "--folder", "by-hand"]
        self.run("trainer", *words, code=code)

    def write(self, values: list[bytes | None]) -> None:
        """Write label records."""
        produce(self.kafka, self.topic, values)

    def answers(self, page: str) -> bool:
        """Does the newest watch answer there with a status below 400?"""
        return answers(f"http://127.0.0.1:{self.ports[-1]}/{page}")

    def metric(self, name: str, **labels: str) -> float | None:
        """What the newest watch has of this; None where there is none, or no watch yet."""
        url = f"http://127.0.0.1:{self.ports[-1]}/metrics"
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                text = response.read().decode()
        except urllib.error.URLError:
            return None
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return float(sample.value)
        return None

    def wait_for_metric(self, name: str, value: float = 1.0, **labels: str) -> None:
        """Until the newest watch has at least ``value`` of this; fails if it ends first."""
        self.watches[-1].wait_until(
            lambda: (self.metric(name, **labels) or 0.0) >= value,
            timeout=WAIT_SECONDS,
            what=f"{name} {labels} of {value}",
        )

    def stored(self) -> list[tuple[str, int, int]]:
        """The place in Kafka of each row of the label store."""
        return [each.place for each in LabelStore(self.folder / FOLDER / "labels").labels()]

    def challengers(self) -> list[Path]:
        """Bundles that were trained."""
        return sorted(path for path in (self.folder / FOLDER).glob("url-*") if path.is_dir())

    def announced(self) -> Announcement:
        """What is announced now."""
        return announced_now(self.settings).serving["url"]

    def announcements(self) -> int:
        """How many records the topic of models has; compaction does not come so soon."""
        return len(read_all(self.kafka, self.models_topic))

    def processes(self) -> list[int]:
        """Ids of all processes that descend from what was started here, and run."""
        return processes_with(self.mark)

    def close(self) -> None:
        """End every watch; its retraining dies with it."""
        for watch in self.watches:
            watch.kill()
