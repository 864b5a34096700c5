"""Where an example is run: a folder with the files it names, programs on PATH, topics in Kafka."""

import asyncio
import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from confluent_kafka import Producer

from stream_detector.events import (
    Alert,
    Counts,
    DeadLetter,
    RejectReason,
    ScoreDifference,
    SourcePosition,
    VerdictPair,
)
from stream_detector.kafka.announcements import announce
from stream_detector.kafka.rights import rights_of
from stream_detector.kafka.topics import cluster_id, create_topics
from stream_detector.models.announcement import Announcement
from stream_detector.models.store import ModelStore
from stream_detector.settings.fields import Settings
from stream_detector.wire.comparisons import comparison_key, encode_comparison
from stream_detector.wire.outcomes import dead_letter_headers, encode_alert
from support.broker import java_command
from support.commands import environment_of
from support.example_files import SHIPPED, model_at, verdicts_before
from support.labels import label_record
from support.processes import free_port
from support.records import produce
from support.secured_broker import SecuredBroker
from support.verdicts import verdict_with

__all__ = ["USER", "World"]

USER = "svc-detector"
"""Who the examples with a login are."""

_INPUTS = ("url-events", "proxy", "dns")


class World:
    """A folder and topics of its own, on a broker that others use too.

    ``state`` says what Kafka holds: ``nothing``, ``logs`` (all topics but those of announced
    models, with records), or ``models`` (those too, the shipped models announced, and a model store
    set in the environment).
    """

    def __init__(
        self, broker: SecuredBroker, folder: Path, files: Path, *, prefix: str, state: str
    ) -> None:
        self._broker = broker
        self.folder = folder
        self._graphs = files.with_name(f"{files.name}-graphs")
        shutil.copytree(files, folder, symlinks=True)
        self._prefix = prefix
        self._make_programs()
        names = {"topic_prefix": prefix, "topic_partitions": 2}
        self._settings = Settings(bootstrap_servers=[broker.bootstrap_servers], **names)
        following = self._settings.model_copy(
            update={"model_store": str(folder / "srv" / "models")}
        )
        self._store = {"MODEL_STORE": following.model_store} if state == "models" else {}
        self._verdict_id = ""
        if state != "nothing":
            self._fill()
        if state == "models":
            self._announce(following)

    def environment(self, line: str, exported: Mapping[str, str]) -> dict[str, str]:
        """Variables for ``line``, with those that lines before it have exported."""
        variables = self.text_environment() | exported
        if "SASL_SSL" in f"{line} {exported}":
            variables["STREAM_DETECTOR_BOOTSTRAP_SERVERS"] = self._broker.address("scram")
        variables["STREAM_DETECTOR_HTTP_PORT"] = str(free_port())
        return variables

    def text_environment(self) -> dict[str, str]:
        """Variables that every line has."""
        given = {
            "BOOTSTRAP_SERVERS": self._broker.bootstrap_servers,
            "TOPIC_PREFIX": self._prefix,
            **self._store,
        }
        path = f"{self.folder / '.venv' / 'bin'}:{os.environ['PATH']}"
        # Compiled graphs are kept from line to line: most of what a worker takes to start.
        cache = f"--tf_xla_persistent_cache_directory={self._graphs}"
        return {**environment_of(given), "PATH": path, "TF_XLA_FLAGS": cache}

    def real(self, line: str) -> str:
        """``line`` with what stands for something in it put in.

        Addresses become the test broker's, folders of the system those of the same name in the
        world's folder, versions and ids those that are there.
        """
        stored = model_at(self.folder / "bundles" / "url")
        substitutions = {
            r"\bkafka-1:9092(,kafka-2:9092)?|\blocalhost:9092": self._broker.bootstrap_servers,
            r"(?<![\w.])/(?=(srv|etc|run)/)": f"{self.folder}/",
            r"\b3f9a\b": stored.sha256[:8],
            r"'k2Xf:url-events:3:17:0'": self._verdict_id,
            r"\burl-events:3:1200-1249\b": "url-events:0:0-0",
            r'"url-alerts"': f'"{self._prefix}url-alerts"',
            r"(?<=--topic )url-events\b": f"{self._prefix}url-events",
        }
        for pattern, value in substitutions.items():
            line = re.sub(pattern, lambda _, value=value: value, line)
        return line

    def let_in(self) -> None:
        """Give the examples' user its password, certificate and the rights of a worker."""
        self._broker.add_user(USER)
        store = {"model_store": self._store.get("MODEL_STORE", "")}
        settings = self._settings.model_copy(update=store)
        self._broker.grant(USER, rights_of("detector", settings))
        settings = self._broker.scram_settings(USER)
        for source, target in (
            (settings.sasl_password_file, "run/secrets/kafka"),
            (settings.ssl_cafile, "etc/kafka/ca.pem"),
        ):
            path = self.folder / target
            path.parent.mkdir(exist_ok=True)
            shutil.copyfile(str(source), path)

    def _make_programs(self) -> None:
        programs = self.folder / ".venv" / "bin"
        programs.mkdir(parents=True)
        commands = {
            "stream-detector": [sys.executable, "-m", "stream_detector"],
            "stream-trainer": [sys.executable, "-m", "trainer"],
            "python": [sys.executable],
            "kafka-acls.sh": java_command("org.apache.kafka.tools.AclCommand"),
            "kafka-console-producer.sh": java_command("org.apache.kafka.tools.ConsoleProducer"),
        }
        for name, command in commands.items():
            program = programs / name
            program.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
            program.chmod(0o755)

    def _fill(self) -> None:
        settings = self._settings
        topics = settings.model_copy(update={"input_topics": list(_INPUTS)})
        create_topics(topics)
        servers = self._broker.bootstrap_servers
        url = b"http://paypal-login.example.net/verify"
        produce(servers, settings.input_topic_names[0], [url], partition=0)
        (events,) = settings.input_topic_names
        self._verdict_id = f"{cluster_id(settings)}:{events}:0:0:0"
        labels = [
            label_record("http://evil.example/x"),
            label_record("http://shop.example/", "benign"),
        ]
        produce(servers, settings.topic(settings.labels_topic), labels)
        letter = DeadLetter(
            key=None,
            value=b'{"url": ',
            reason=RejectReason.MALFORMED,
            detail="truncated",
            source=SourcePosition(events, 0, 0, 0),
            record_time=None,
        )
        produce(
            servers,
            settings.dead_letters_topic_name,
            [letter.value],
            headers=dead_letter_headers(letter),
        )
        alert = Alert(verdict_with(), folded=0, window_seconds=3600.0)
        produce(servers, settings.alerts_topic_name, [encode_alert(alert)])
        now = datetime.now(UTC)
        producer = Producer({"bootstrap.servers": servers, "log_level": 2})
        for written_at, value in verdicts_before(now, model_at(SHIPPED["url"])):
            producer.produce(
                settings.verdicts_topic_name,
                value,
                timestamp=int(written_at.timestamp() * 1000),
            )
        assert producer.flush(30) == 0

    def _announce(self, settings: Settings) -> None:
        """The shipped models; of both kinds another was announced before."""
        create_topics(settings)
        store = ModelStore(settings.model_store)
        for kind, bundle in SHIPPED.items():
            model = store.find(model_at(bundle).sha256)
            announcement = Announcement(
                name=model.ref.name,
                kind=kind,
                version=model.ref.version,
                sha256=model.ref.sha256,
                url=model.url,
                thresholds=model.thresholds,
                announced_at=datetime.now(UTC),
                previous=(model_at(self.folder / "bundles" / kind).sha256,),
            )
            asyncio.run(announce(settings, announcement))
        self._compare(settings)

    def _compare(self, settings: Settings) -> None:
        """What a worker wrote of a shadow, ``bundles/next``."""
        counts = Counts(
            id="c:url-events:0:0:counts:url",
            compared_at=datetime.now(UTC),
            kind="url",
            served=model_at(SHIPPED["url"]),
            shadow=model_at(self.folder / "bundles" / "next"),
            share=0.1,
            texts=12,
            passed_over=0,
            verdicts=(VerdictPair("benign", "benign", 12),),
            score_difference=ScoreDifference(mean=0.0, mean_absolute=0.0, max_absolute=0.0),
        )
        produce(
            settings.bootstrap_servers[0],
            settings.shadow_topic_name,
            [encode_comparison(counts)],
            keys=[comparison_key(counts)],
        )
