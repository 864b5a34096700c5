"""The Kafka users of docker-compose.yml: what each may do on a broker with the shipped settings.

The broker, the passwords and the rights are made by the very files and commands of the services;
only addresses and folders are others.
"""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError

from stream_detector.kafka.clients import kafka_python_options
from stream_detector.kafka.rights import Part
from stream_detector.kafka.topics import topic_problems
from stream_detector.settings import ENVIRONMENT_PREFIX, Settings, load_settings
from support.broker import KafkaBroker, free_ports
from support.commands import assert_one_line_error, run_command
from support.processes import ROOT

DEPLOY = ROOT / "deploy"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())[
    "services"
]
MAKE_USERS = DEPLOY / "kafka" / "make_users.py"
PROPERTIES = (DEPLOY / "kafka" / "broker" / "server.properties").read_text()
INPUT, VERDICTS, LABELS, MODELS = "url-events", "url-verdicts", "url-labels", "url-models"


class ComposeKafka(KafkaBroker):
    """A broker with the settings and logins of the service ``kafka``."""

    def __init__(self, folder: Path, users: Path) -> None:
        super().__init__(folder)
        self.users = users
        (inside,) = free_ports(1)
        self.inside = f"127.0.0.1:{inside}"
        text = PROPERTIES
        for shipped, here in (
            ("1@127.0.0.1:9093", self.voter),
            ("CONTROLLER://127.0.0.1:9093", self.controller_listener),
            ("KAFKA://kafka:19092", f"KAFKA://{self.inside}"),
            ("KAFKA://:19092", f"KAFKA://{self.inside}"),
            ("HOST://localhost:9092", f"HOST://{self.bootstrap_servers}"),
            ("HOST://:9092", f"HOST://{self.bootstrap_servers}"),
            ("/var/lib/kafka/data", str(folder / "data")),
        ):
            assert shipped in text
            text = text.replace(shipped, here)
        self.properties = text.splitlines()

    def settings(self, service: str) -> dict[str, str]:
        """The settings of a service, without their prefix, as they are here."""
        given = {
            name.removeprefix(ENVIRONMENT_PREFIX): value
            for name, value in SERVICES[service]["environment"].items()
        }
        (volume,) = [
            volume.split(":")[0]
            for volume in SERVICES[service]["volumes"]
            if volume.endswith(":/srv/user:ro")
        ]
        folder = str(self.users / volume.removeprefix("user-"))
        given["SASL_PASSWORD_FILE"] = given["SASL_PASSWORD_FILE"].replace("/srv/user", folder)
        return {**given, "BOOTSTRAP_SERVERS": self.inside}

    def run(self, service: str, *command: str) -> subprocess.CompletedProcess[bytes]:
        """``docker compose run SERVICE [COMMAND]``, by the program of this checkout."""
        program, *words = command or SERVICES[service]["command"]
        assert program == "stream-detector"
        return run_command(*words, settings=self.settings(service))


def make_users(folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-I", MAKE_USERS, folder], capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The volumes, with a folder each as in the image, after the service ``users``."""
    folder = tmp_path_factory.mktemp("users")
    for name in volumes_of_users():
        (folder / name).mkdir()
    make_users(folder)
    return folder


def volumes_of_users() -> dict[str, str]:
    """Where the service ``users`` sees each volume, by user."""
    volumes = [volume.split(":") for volume in SERVICES["users"]["volumes"]]
    return {
        name.removeprefix("user-"): target for name, target, *_ in volumes if name[0].isalpha()
    }


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory, users: Path) -> Iterator[ComposeKafka]:
    """Up as after ``docker compose up``: topics made, rights given."""
    broker = ComposeKafka(tmp_path_factory.mktemp("kafka"), users)
    options = SERVICES["kafka"]["environment"]["KAFKA_OPTS"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_TOOL_OPTIONS", options.replace("/srv/user", str(users / "kafka")))
        broker.start()
    try:
        for service in ("topics", "rights"):
            done = broker.run(service)
            assert done.returncode == 0, done.stderr.decode()
        yield broker
    finally:
        broker.kill()


def settings_of(given: Mapping[str, str]) -> Settings:
    variables = {ENVIRONMENT_PREFIX + name: value for name, value in given.items()}
    return load_settings({}, variables, None)[0]


def write(settings: Settings, topic: str) -> None:
    producer = KafkaProducer(**kafka_python_options(settings, KafkaProducer))
    try:
        producer.send(topic, b"http://a.example/").get(timeout=30)
    finally:
        producer.close(timeout=5)


def read(settings: Settings, topic: str, group: str | None) -> None:
    consumer = KafkaConsumer(
        **kafka_python_options(settings, KafkaConsumer) | {"group_id": group}
    )
    partition = TopicPartition(topic, 0)
    try:
        consumer.assign([partition])
        consumer.seek_to_beginning(partition)
        consumer.poll(timeout_ms=1000)
        if group is not None:
            consumer.commit()
    finally:
        consumer.close()


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("service", "parts"),
    [
        ("detector", ["detector"]),
        ("trainer", ["trainer", "label-collector", "model-publisher"]),
        ("demo", ["log-shipper"]),
        ("administrator", ["detector", "trainer", "labeller", "feed-labeller", "topic-maker"]),
    ],
)
def test_a_service_has_all_rights_of_its_part(
    kafka: ComposeKafka, service: str, parts: list[Part]
) -> None:
    settings = settings_of(kafka.settings(service))

    assert [topic_problems(settings, part) for part in parts] == [[]] * len(parts)
