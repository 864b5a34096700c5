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

from stream_detector.kafka.clients import client_options
from stream_detector.kafka.rights import Part, Right
from stream_detector.kafka.topics import right_problems, topic_problems
from stream_detector.settings.fields import ENVIRONMENT_PREFIX, Settings
from stream_detector.settings.loading import load_settings
from support.broker import KafkaBroker, free_ports, java_command
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
        """The settings of a service without their prefix, adapted to this machine."""
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
        """``docker compose run SERVICE [COMMAND]``, with the program of this checkout."""
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
    """A folder for each volume, after the service ``users`` has run."""
    folder = tmp_path_factory.mktemp("users")
    for name in volumes_of_users():
        (folder / name).mkdir()
    make_users(folder)
    return folder


def volumes_of_users() -> dict[str, str]:
    """The path of each volume in the service ``users``, by user."""
    volumes = [volume.split(":") for volume in SERVICES["users"]["volumes"]]
    return {name.removeprefix("user-"): target for name, target, *_ in volumes if name[0].isalpha()}


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory, users: Path) -> Iterator[ComposeKafka]:
    """As after ``docker compose up``: topics exist, rights are granted."""
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
    producer = KafkaProducer(**client_options(settings, KafkaProducer))
    try:
        producer.send(topic, b"http://a.example/", partition=0).get(timeout=30)
    finally:
        producer.close(timeout=5)


def read(settings: Settings, topic: str, group: str | None) -> int:
    """The number of records in the first answer that has any; commits in ``group``."""
    options = client_options(settings, KafkaConsumer) | {"group_id": group}
    consumer = KafkaConsumer(**options)
    partition = TopicPartition(topic, 0)
    try:
        consumer.assign([partition])
        consumer.seek_to_beginning(partition)
        found = consumer.poll(timeout_ms=10_000).get(partition, [])
        if group is not None:
            consumer.commit()
        return len(found)
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


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("service", "topics"),
    [
        ("detector", [INPUT, LABELS, MODELS]),
        ("trainer", [INPUT, VERDICTS, LABELS]),
        ("demo", [VERDICTS, LABELS, MODELS]),
    ],
)
def test_a_service_writes_only_its_own_topics(
    kafka: ComposeKafka, service: str, topics: list[str]
) -> None:
    """A compromised detector can neither write a label nor announce a model."""
    settings = settings_of(kafka.settings(service))

    for topic in topics:
        with pytest.raises(TopicAuthorizationFailedError):
            write(settings, topic)


@pytest.mark.kafka
def test_the_detector_reads_no_labels_and_the_demo_no_records(kafka: ComposeKafka) -> None:
    for service, topic in (("detector", LABELS), ("demo", INPUT)):
        settings = settings_of(kafka.settings(service))
        [problem] = right_problems(settings, [Right("topic", topic, "READ")])
        assert "READ" in problem


@pytest.mark.kafka
def test_on_port_9092_anybody_writes_records_and_reads_the_outputs(
    kafka: ComposeKafka,
) -> None:
    anybody = Settings(bootstrap_servers=[kafka.bootstrap_servers])
    detector = settings_of(kafka.settings("detector"))

    write(anybody, INPUT)
    for topic, group in ((VERDICTS, "soc"), ("url-alerts", None), ("url-events-dlq", None)):
        write(detector, topic)
        assert read(anybody, topic, group)
    assert read(detector, INPUT, None)


@pytest.mark.kafka
@pytest.mark.parametrize("topic", [VERDICTS, "url-alerts", LABELS, "url-label-feeds", MODELS])
def test_on_port_9092_nobody_writes_verdicts_labels_or_models(
    kafka: ComposeKafka, topic: str
) -> None:
    with pytest.raises(TopicAuthorizationFailedError):
        write(Settings(bootstrap_servers=[kafka.bootstrap_servers]), topic)


@pytest.mark.kafka
@pytest.mark.parametrize("group", ["stream-detector", "stream-detector-labels"])
def test_on_port_9092_nobody_moves_the_offsets_of_detector_or_trainer(
    kafka: ComposeKafka, group: str
) -> None:
    with pytest.raises(GroupAuthorizationFailedError):
        read(Settings(bootstrap_servers=[kafka.bootstrap_servers]), VERDICTS, group)


@pytest.mark.kafka
def test_only_the_administrator_writes_labels(kafka: ComposeKafka) -> None:
    label = ("label", "http://a.example/", "malicious", "--analyst", "kim")

    refused = run_command(*label, settings={"BOOTSTRAP_SERVERS": kafka.bootstrap_servers})
    done = kafka.run("administrator", "stream-detector", *label)

    assert_one_line_error(refused, 1, "topic url-labels", "WRITE")
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.kafka
def test_nobody_logs_in_with_the_password_of_another(kafka: ComposeKafka) -> None:
    others = str(kafka.users / "trainer" / "password")
    given = kafka.settings("administrator") | {"SASL_PASSWORD_FILE": others}

    done = run_command("topics", "check", settings=given)

    assert_one_line_error(done, 1, "refuses to log 'administrator' in")


@pytest.mark.kafka
def test_a_second_start_gives_the_same_rights(kafka: ComposeKafka) -> None:
    made, given = kafka.run("topics"), kafka.run("rights")

    assert made.returncode == given.returncode == 0
    assert b"created" not in made.stdout
    assert re.findall(r"^(\S+): User:(\S+) has", given.stdout.decode(), re.MULTILINE) == [
        ("detector", "detector"),
        ("trainer", "trainer"),
        ("log-shipper", "log-shipper"),
        ("consumer", "ANONYMOUS"),
        ("dead-letter-replayer", "ANONYMOUS"),
    ]


@pytest.mark.kafka
def test_kafkas_tools_log_in_with_the_brokers_properties(kafka: ComposeKafka) -> None:
    """As the runbook says, in the broker's container."""
    tool = java_command("org.apache.kafka.tools.AclCommand")
    properties = kafka.users / "kafka" / "admin.properties"
    words = ["--bootstrap-server", kafka.inside, "--command-config", str(properties), "--list"]

    done = subprocess.run([*tool, *words], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "principal=User:detector" in done.stdout


@pytest.mark.kafka
def test_only_an_administrator_grants_rights(kafka: ComposeKafka) -> None:
    command = ("topics", "acls", "--apply", "--part", "labeller", "--principal=labeller=detector")

    done = kafka.run("detector", "stream-detector", *command)

    assert_one_line_error(done, 1, "does not let detector give rights", "ALTER on the cluster")


def test_passwords_are_made_once_and_differ(users: Path) -> None:
    files = sorted(users.glob("*/password"))
    before = [file.read_bytes() for file in files]

    said = make_users(users)

    assert [file.parent.name for file in files] == sorted(volumes_of_users())
    assert [file.read_bytes() for file in files] == before
    assert len(set(before)) == len(before)
    assert all(len(password.strip()) >= 43 for password in before)
    assert said == ""


def test_only_the_owner_reads_a_password_and_the_brokers_group_the_logins(users: Path) -> None:
    modes = {
        str(file.relative_to(users)): oct(file.stat().st_mode & 0o777) for file in users.glob("*/*")
    }

    shared = {"kafka/jaas.conf", "kafka/admin.properties"}
    assert {name for name, mode in modes.items() if mode == "0o440"} == shared
    assert {mode for name, mode in modes.items() if name not in shared} == {"0o400"}


def test_a_user_without_password_gets_one_and_the_others_keep_theirs(
    tmp_path: Path,
) -> None:
    for name in volumes_of_users():
        (tmp_path / name).mkdir()
    make_users(tmp_path)
    kept = (tmp_path / "trainer" / "password").read_text()
    (tmp_path / "detector" / "password").unlink()

    said = make_users(tmp_path)

    logins = (tmp_path / "kafka" / "jaas.conf").read_text()
    assert said == "made a password for detector\n"
    for name in ("detector", "trainer"):
        password = (tmp_path / name / "password").read_text().strip()
        assert f'user_{name}="{password}"' in logins
    assert (tmp_path / "trainer" / "password").read_text() == kept


def test_a_service_sees_only_the_password_of_its_own_user() -> None:
    for name, service in SERVICES.items():
        mounts = [each for each in service.get("volumes", ()) if each.startswith("user-")]
        if name == "users":
            continue
        user = service.get("environment", {}).get("STREAM_DETECTOR_SASL_USERNAME")
        user = "kafka" if name == "kafka" else user
        assert mounts == ([f"user-{user}:/srv/user:ro"] if user else []), name


def test_the_image_has_folders_that_set_the_owners_of_volumes() -> None:
    dockerfile = (DEPLOY / "detector" / "Dockerfile").read_text()
    [command] = re.findall(
        r"install --directory --owner=10001 --group=10001((?:\\\n|[^\n])*)", dockerfile
    )

    assert {"/srv/user", *volumes_of_users().values()} <= set(command.split())
    # The broker reads its logins as a member of their group.
    group = SERVICES["kafka"]["user"].partition(":")[2]
    assert SERVICES["users"]["user"] == f"10001:{group}"
