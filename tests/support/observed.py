"""A worker and a trainer's watch at work on a real Kafka, and a Prometheus that scrapes both."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Self

from stream_detector.events import Kind
from stream_detector.models.store import ModelStore
from stream_detector.settings.fields import Settings
from support.labels import label_record
from support.processes import ChildProcess, free_port, start_module, wait_for_http, wait_until
from support.prometheus import Prometheus
from support.records import end_offsets, produce
from trainer.publishing.promotion import announce_shadow
from trainer.publishing.storing import store_bundle

__all__ = ["Observed", "Shown"]

_TOPIC_SECONDS = 30.0
_READY_SECONDS = 180.0


class Shown(NamedTuple):
    """What is to be seen at work."""

    bundles: Mapping[Kind, Path]
    """That serve."""
    shadow: Path
    """The bundle that is tried beside them."""
    corpus: Path
    """Rows for the retraining."""
    rate: float
    """Sample records a second."""
    retrain: Sequence[str] = ()
    """Options of the retraining, which begins with the first label."""
    environment: Mapping[str, str] = {}
    """More settings of the worker."""


class Observed:
    """All of it, as long as the block lasts; ``prometheus`` is there to be asked."""

    def __init__(self, bootstrap_servers: str, topics, folder: Path, shown: Shown) -> None:
        self._folder = folder
        self._shown = shown
        self.settings = settings = Settings(
            bootstrap_servers=[bootstrap_servers],
            input_topics=[topics("events")],
            verdicts_topic=topics("verdicts"),
            alerts_topic=topics("alerts"),
            dead_letters_topic=topics("dlq", max_message_bytes="2000000"),
            labels_topic=topics("labels"),
            feed_labels_topic=topics("label-feeds"),
            labels_dead_letters_topic=topics("labels-dlq"),
            models_topic=topics("models", partitions=1, cleanup_policy="compact"),
            shadow_topic=topics("shadow"),
            model_store=str(folder / "store"),
        )
        self._environment = {
            "STREAM_DETECTOR_BOOTSTRAP_SERVERS": bootstrap_servers,
            "STREAM_DETECTOR_GROUP_ID": f"group-{settings.input_topics[0]}",
            "STREAM_DETECTOR_LABELS_GROUP_ID": f"group-{settings.labels_topic}",
            "STREAM_DETECTOR_INPUT_TOPICS": settings.input_topics[0],
            "STREAM_DETECTOR_DEVICE": "cpu",
            **{
                f"STREAM_DETECTOR_{kind.upper()}_BUNDLE": str(shown.bundles[kind])
                for kind in shown.bundles
            },
            **{
                f"STREAM_DETECTOR_{name.upper()}": getattr(settings, name)
                for name in (
                    *("verdicts_topic", "alerts_topic", "dead_letters_topic", "labels_topic"),
                    *("feed_labels_topic", "labels_dead_letters_topic"),
                    *("models_topic", "shadow_topic", "model_store"),
                )
            },
            **shown.environment,
        }
        self._processes: list[ChildProcess] = []

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if hasattr(self, "prometheus"):
            self.prometheus.__exit__()
        for process in reversed(self._processes):
            process.kill()

    def _start(self) -> None:
        settings = self.settings
        wait_until(
            lambda: bool(end_offsets(settings.bootstrap_servers[0], settings.models_topic)),
            timeout=_TOPIC_SECONDS,
            what="the topic of models",
        )
        stored, _ = store_bundle(self._shown.shadow, ModelStore(settings.model_store))
        announce_shadow(settings, stored, 1.0)
        ports = {"detector": free_port(), "trainer": free_port()}
        worker = self._run("stream_detector", "run", "--http-port", str(ports["detector"]))
        watch = self._run(
            *("trainer", "watch", "--folder", str(self._folder / "watch"), "--new-labels", "1"),
            *("--url-data", str(self._shown.corpus), "--http-port", str(ports["trainer"])),
            *("--", *self._shown.retrain),
        )
        jobs = [
            {"job_name": job, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
            for job, port in ports.items()
        ]
        self.prometheus = Prometheus(self._folder / "prometheus", jobs).__enter__()
        self.write_labels("http://first.example/a", "http://second.example/b")
        for job, process in (("detector", worker), ("trainer", watch)):
            url = f"http://127.0.0.1:{ports[job]}/readyz"
            wait_for_http(process, url, timeout=_READY_SECONDS)
        rate = ("--rate", str(self._shown.rate), "--records", "10000000")
        self._run("stream_detector", "replay", *rate)

    def write_labels(self, *urls: str) -> None:
        """Write labels, and one that is none."""
        now = datetime.now(UTC)
        values = [label_record(url, labeled_at=now) for url in urls]
        servers = self.settings.bootstrap_servers[0]
        produce(servers, self.settings.labels_topic, [*values, b"no label"])

    def _run(self, module: str, *arguments: str) -> ChildProcess:
        process = start_module(
            module,
            *arguments,
            log=self._folder / f"{module}-{arguments[0]}.log",
            environment=self._environment,
        )
        self._processes.append(process)
        return process
