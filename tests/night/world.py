"""Real parts on which failures are played: Kafka, workers, a trainer, Prometheus."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from night.alerts import AlertLog
from night.history import write_calm_days
from night.processes import Supervised
from night.traffic import EVIL_DOMAIN, Traffic
from stream_detector.events import Kind
from support.broker import KafkaBroker
from support.certificates import CertificateAuthority
from support.cluster import KafkaCluster
from support.commands import run_command
from support.prometheus import Prometheus

__all__ = ["Parts", "World"]

_TICK_SECONDS = 0.25
_LINE_SECONDS = 10.0
_READY_SECONDS = 240.0
_PARTITIONS = "4"
_SCRAPE_INTERVAL = "1500ms"
"""The shipped one, shortened as the rules are."""


@dataclass(frozen=True)
class Parts:
    """What a world is made of."""

    name: str
    rates: Mapping[str, float]
    """Records a second by input topic."""
    days_before: Mapping[str, float]
    """As ``rates``, of the calm days that Prometheus has in its data."""
    brokers: int = 1
    workers: int = 1
    trainer: bool = False
    thin: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Topics with one replica: the broker of each partition."""


class World:
    """A context manager: Kafka and traffic run in it; ``start`` starts the rest.

    Everything in it is called from the thread that entered it.
    """

    def __init__(self, parts: Parts, folder: Path, rules: Path, say: Callable[[str], None]) -> None:
        """Keep everything in the new ``folder``; ``say`` shows a line."""
        self.parts = parts
        self.folder = folder
        self.topics = list(parts.rates)
        self._rules = rules
        self._say = say
        self._next_line = 0.0
        self._is_watched = False
        self._stack = ExitStack()
        self.kafka: KafkaBroker | KafkaCluster
        self.settings: dict[str, str]
        self.workers: list[Supervised] = []
        self.trainer: Supervised | None = None
        self.traffic: Traffic
        self.prometheus: Prometheus
        self.alerts: AlertLog

    @property
    def servers(self) -> str:
        """Kafka's addresses."""
        return self.kafka.bootstrap_servers

    @property
    def store(self) -> Path:
        """The folder of the model store."""
        return self.folder / "store"

    @property
    def supervised(self) -> list[Supervised]:
        """Workers and trainer."""
        return [*self.workers, *([self.trainer] if self.trainer else [])]

    def say(self, text: str) -> None:
        """Show a line, with the time and the world's name."""
        self._say(f"{time.strftime('%H:%M:%S')}  {self.parts.name}: {text}")

    def tick(self, state: str) -> None:
        """Do what a supervisor does; show ``state`` now and then."""
        for process in self.supervised:
            process.tick()
        if time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + _LINE_SECONDS
            firing = ", ".join(sorted({alert.name for alert in self.alerts.firing})) or "none"
            self.say(f"{state}; firing: {firing}")
        time.sleep(_TICK_SECONDS)

    def wait(self, condition: Callable[[], bool], *, seconds: float, state: str) -> bool:
        """Wait until ``condition()``, at most so long; what it was at last."""
        deadline = time.monotonic() + seconds
        while not (met := condition()) and time.monotonic() < deadline:
            self.tick(state)
        return met

    def start(self) -> None:
        """Start what does not run, and wait until all is ready.

        Raises ``RuntimeError`` where that takes too long.
        """
        for process in self.supervised:
            if process.has_ended:
                process.start()
        waiting = list(self.supervised)

        def all_ready() -> bool:
            waiting[:] = [process for process in waiting if not process.is_ready()]
            if not self._is_watched and any(worker not in waiting for worker in self.workers):
                self._watch()
            return not waiting

        if not self.wait(all_ready, seconds=_READY_SECONDS, state="waiting for all to be ready"):
            raise RuntimeError(
                f"{self.parts.name}: not ready after {_READY_SECONDS:.0f} s: {waiting[0].log}"
            )

    def _watch(self) -> None:
        """Start Prometheus.

        Not before the first worker is ready: how long a start takes on this machine is not
        shortened as the rules are.
        """
        self._is_watched = True
        write_calm_days(self.parts.days_before, self.prometheus.data)
        self._stack.enter_context(self.prometheus)
        self._stack.enter_context(self.alerts)

    def create_topics(self) -> None:
        """``stream-detector topics create``: those that are missing."""
        done = run_command("topics", "create", settings=self.settings)
        assert done.returncode == 0, done.stderr.decode()

    def issue_certificate(self, days_left: float) -> None:
        """A certificate for the trainer's server, in the place of the one it has."""
        self._authority.issue("server", days_left=days_left)

    def __enter__(self) -> Self:
        """Kafka has its topics, and traffic begins."""
        self.folder.mkdir(parents=True)
        try:
            self._enter()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _enter(self) -> None:
        self.say("starting Kafka")
        self.kafka = (
            KafkaBroker(self.folder / "kafka", long_lived=True)
            if self.parts.brokers == 1
            else KafkaCluster(self.folder / "kafka", self.parts.brokers, long_lived=True)
        )
        self._stack.enter_context(self.kafka)
        self._save_files()
        self.settings = {
            "BOOTSTRAP_SERVERS": self.servers,
            "INPUT_TOPICS": ",".join(self.topics),
            "TOPIC_PARTITIONS": _PARTITIONS,
            "MODEL_STORE": str(self.store),
            "URL_BUNDLE": str(self.folder / "first"),
            "HOST_BUNDLE": str(self.folder / "host"),
            "DEVICE": "cpu",
            "DENY_LIST": str(self.folder / "deny"),
        }
        self._create_thin_topics()
        self.create_topics()
        jobs = [self._job("detector", self._make_workers())]
        if self.parts.trainer:
            jobs.append(self._job("trainer", [self._make_trainer()]) | _TLS)
        self.prometheus = Prometheus(
            self.folder / "prometheus", jobs, rules=self._rules, interval=_SCRAPE_INTERVAL
        )
        self.alerts = AlertLog(self.prometheus)
        self.traffic = self._stack.enter_context(Traffic(self.servers, self.parts.rates))

    def _create_thin_topics(self) -> None:
        if not self.parts.thin:
            return
        topics = [
            NewTopic(
                name,
                replica_assignments={number: [broker] for number, broker in enumerate(brokers)},
                topic_configs={"min.insync.replicas": "1"},
            )
            for name, brokers in self.parts.thin.items()
        ]
        with KafkaAdminClient(bootstrap_servers=self.servers.split(",")) as admin:
            admin.create_topics(topics)

    def _save_files(self) -> None:
        # TensorFlow, for which nobody should wait who asks for help.
        from stream_detector.models.bundle import save_bundle
        from support.bundles import ARCHITECTURE, small_manifest

        (self.folder / "deny").write_text(f"{EVIL_DOMAIN}\n", encoding="utf-8")
        self.store.mkdir()
        # Weights at random score around a half: nothing is malicious but what is denied.
        kinds: Mapping[str, Kind] = {
            "first": "url",
            "second": "url",
            "third": "url",
            "host": "host",
        }
        for seed, (name, kind) in enumerate(kinds.items()):
            manifest = msgspec.structs.replace(small_manifest(kind), created_at=datetime.now(UTC))
            save_bundle(self.folder / name, manifest, ARCHITECTURE.initial_weights(seed))

    def _make_workers(self) -> list[Supervised]:
        self.workers = [
            Supervised(f"worker-{number}", "stream_detector", ["run"], self.settings, self.folder)
            for number in range(1, self.parts.workers + 1)
        ]
        return self.workers

    def _make_trainer(self) -> Supervised:
        self._authority = CertificateAuthority(self.folder / "certificates")
        self.issue_certificate(days_left=90)
        web = self.folder / "web.yml"
        web.write_text(
            "tls_server_config:\n"
            f"  cert_file: {self.folder}/certificates/server.crt\n"
            f"  key_file: {self.folder}/certificates/server.key\n",
            encoding="utf-8",
        )
        (self.folder / "labels").mkdir()
        self.trainer = Supervised(
            "trainer",
            "trainer",
            ["watch", "--folder", str(self.folder / "labels" / "watch")],
            {**self.settings, "HTTP_WEB_CONFIG": str(web)},
            self.folder,
        )
        self.trainer.scheme = "https"
        return self.trainer

    def _job(self, name: str, processes: list[Supervised]) -> dict[str, Any]:
        """How Prometheus scrapes them: each has its name for an instance."""
        targets = [
            {"targets": [f"127.0.0.1:{process.port}"], "labels": {"instance": process.name}}
            for process in processes
        ]
        return {"job_name": name, "static_configs": targets}

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End everything."""
        for process in self.supervised:
            process.kill()
        self._stack.close()


_TLS = {"scheme": "https", "tls_config": {"insecure_skip_verify": True}}
