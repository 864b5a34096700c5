"""The text of docker-compose.yml and its Dockerfile; `make compose-test` runs the services."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click
import pytest
import yaml

from stream_detector.commands.group import group
from stream_detector.settings.fields import ENVIRONMENT_PREFIX, Settings
from support.processes import ROOT
from trainer.cli import cli as trainer

DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_OFFS = {"users", "topics", "rights", "demo", "administrator"}
OURS = "stream-detector:local"
DOCKERFILE = (DEPLOY / "detector" / "Dockerfile").read_text()

INTERPOLATED = re.compile(r"\$\{\w+:-(.*?)\}")
"""A variable with its default."""

DIGEST = "(@sha256:[0-9a-f]{64})?"

every_service = pytest.mark.parametrize("name", SERVICES)


def arguments_of(dockerfile: str) -> dict[str, str]:
    """Defaults of the build arguments."""
    return dict(re.findall(r"^ARG (\w+)=(\S+)$", dockerfile, re.MULTILINE))


def bind_mounts(service: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    for volume in service.get("volumes", ()):
        source, target, *options = INTERPOLATED.sub(r"\1", volume).split(":")
        assert target.startswith("/")
        if source.startswith("."):
            yield ROOT / source, ",".join(options)


def test_all_promised_services_exist() -> None:
    assert set(SERVICES) == {
        *ONE_OFFS,
        *("kafka", "detector", "trainer", "prometheus", "grafana"),
    }
    optional = [name for name, service in SERVICES.items() if "profiles" in service]
    assert optional == ["demo", "administrator"]
    for name in optional:
        assert SERVICES[name]["profiles"] == [name]


@every_service
def test_a_service_has_no_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"[1-9]\d*:\d+", service["user"])
    for right in ("privileged", "cap_add", "devices", "network_mode", "pid", "ipc"):
        assert right not in service
    assert "docker.sock" not in str(service)


@every_service
def test_a_service_has_limits(name: str) -> None:
    limits = SERVICES[name]["deploy"]["resources"]["limits"]

    # A machine of one core must be able to start it.
    assert 0 < float(limits["cpus"]) <= 1
    assert re.fullmatch(r"\d+[mg]", limits["memory"])
    assert limits["pids"] > 0
    assert SERVICES[name]["logging"]["options"]["max-size"]


@every_service
def test_a_service_has_a_health_check_unless_it_ends_by_itself(name: str) -> None:
    check = SERVICES[name]["healthcheck"]

    if name in ONE_OFFS:
        assert check == {"disable": True}
        assert SERVICES[name]["restart"] != "unless-stopped"
    else:
        assert check["test"][0] == "CMD"
        assert {"interval", "timeout", "retries", "start_period"} <= set(check)


@every_service
def test_services_start_when_their_dependencies_are_healthy_or_done(name: str) -> None:
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        wanted = "service_completed_successfully" if needed in ONE_OFFS else "service_healthy"
        if (name, needed) == ("prometheus", "detector"):
            wanted = "service_started"  # It is to tell of a detector that is not healthy.
        assert how == {"condition": wanted}
    assert "depends_on" in SERVICES[name] or name == "users"


@every_service
def test_ports_are_published_only_on_loopback(name: str) -> None:
    for port in SERVICES[name].get("ports", ()):
        assert re.fullmatch(r"127\.0\.0\.1:(\d+):\d+", port)
    if name in {"detector", "trainer"}:
        # Only one container can hold a published port, so --scale would fail.
        assert "ports" not in SERVICES[name]


@every_service
def test_images_are_pinned_and_built_from_one_dockerfile(name: str) -> None:
    image = SERVICES[name]["image"]

    if image == OURS:
        assert SERVICES[name]["build"] == {
            "context": ".",
            "dockerfile": "deploy/detector/Dockerfile",
        }
    else:
        assert re.fullmatch(rf"[a-z]+/[a-z]+:v?\d+\.\d+\.\d+{DIGEST}", image)
        assert "build" not in SERVICES[name]


def test_kafka_is_the_version_that_the_tests_run_on() -> None:
    namespace = {"m": "http://maven.apache.org/POM/4.0.0"}
    pom = ElementTree.parse(DEPLOY / "kafka" / "pom.xml")
    version = pom.findtext("m:properties/m:kafka.version", namespaces=namespace)

    assert SERVICES["kafka"]["image"].partition("@")[0] == f"apache/kafka:{version}"


@every_service
def test_mounted_files_exist_and_are_read_only(name: str) -> None:
    for path, options in bind_mounts(SERVICES[name]):
        assert path.exists()
        assert options == "ro"


def test_every_volume_is_named_and_used() -> None:
    used = {
        volume.partition(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", ())
        if not volume.startswith((".", "$"))
    }

    assert used == set(COMPOSE["volumes"])


def test_only_the_trainer_among_running_services_writes_the_model_store() -> None:
    store = SERVICES["trainer"]["environment"]["STREAM_DETECTOR_MODEL_STORE"]

    assert f"models:{store}" in SERVICES["trainer"]["volumes"]
    assert f"models:{store}:ro" in SERVICES["detector"]["volumes"]
    # A volume takes its owner from the folder of the image.
    assert f"--owner=10001 --group=10001 {store} " in DOCKERFILE


@every_service
def test_settings_exist(name: str) -> None:
    given = {
        key.removeprefix(ENVIRONMENT_PREFIX).lower(): value
        for key, value in SERVICES[name].get("environment", {}).items()
        if key.startswith(ENVIRONMENT_PREFIX)
    }

    assert set(given) <= set(Settings.model_fields)
    if SERVICES[name]["image"] == OURS and name != "users":
        assert given["bootstrap_servers"] == "kafka:19092"
        assert all(isinstance(value, str) for value in given.values())


def test_commands_exist() -> None:
    commands = [
        words.split() if isinstance(words := service["command"], str) else words
        for service in SERVICES.values()
        if service["image"] == OURS and service["command"][0] != "python"
    ]
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]

    for program, command, *_ in commands:
        assert program in scripts
        known = group if program == "stream-detector" else trainer
        assert command in known.list_commands(click.Context(known))


def test_the_worker_has_time_to_stop_in_order() -> None:
    seconds = int(SERVICES["detector"]["stop_grace_period"].removesuffix("s"))

    # Plus the margin after which a worker forces its own exit.
    assert seconds > Settings().shutdown_timeout + 15


def test_kafka_listens_where_containers_and_this_machine_connect() -> None:
    properties = dict(
        line.split("=", 1)
        for line in (DEPLOY / "kafka" / "broker" / "server.properties").read_text().splitlines()
        if line and not line.startswith("#")
    )

    advertised = properties["advertised.listeners"].split(",")
    assert advertised == ["KAFKA://kafka:19092", "HOST://localhost:9092"]
    assert SERVICES["kafka"]["ports"] == ["127.0.0.1:9092:9092"]
    folder = "./deploy/kafka/broker:/mnt/shared/config:ro"
    assert folder in SERVICES["kafka"]["volumes"]
    assert f"kafka-data:{properties['log.dirs']}" in SERVICES["kafka"]["volumes"]


def test_kafka_keeps_at_most_what_its_settings_say() -> None:
    text = (DEPLOY / "kafka" / "broker" / "server.properties").read_text()
    properties = dict(re.findall(r"^([\w.]+)=(.*)$", text, re.MULTILINE))
    settings = Settings(model_store="/srv/models")

    topics = [*settings.input_topic_names, *settings.output_topic_names]
    topics += [*settings.label_topic_names, *settings.shadow_topic_names]
    partitions = len(topics) * settings.topic_partitions + len(settings.announcement_topic_names)
    assert f"the {partitions} partitions" in text
    a_partition = int(properties["log.retention.bytes"]) + int(properties["log.segment.bytes"])
    [gigabytes] = re.findall(r"less than (\d+) GiB", text.replace("\n# ", " "))
    # The broker deletes whole segments, but never the one that it writes to.
    assert partitions * a_partition < int(gigabytes) * 2**30


def test_prometheus_scrapes_every_detector_and_the_trainer() -> None:
    settings = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())

    found = {
        name: discovery["port"]
        for job in settings["scrape_configs"]
        for discovery in job.get("dns_sd_configs", ())
        for name in discovery["names"]
    }
    assert found == {"detector": 9464, "trainer": 9465}
    for name, port in found.items():
        assert SERVICES[name]["expose"] == [str(port)]
        assert SERVICES[name]["healthcheck"]["test"] == ["CMD", "is-ready", str(port)]


def test_grafana_finds_prometheus_and_the_dashboards() -> None:
    provisioning = DEPLOY / "grafana" / "provisioning"
    [source] = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())[
        "datasources"
    ]
    [provider] = yaml.safe_load((provisioning / "dashboards" / "files.yml").read_text())[
        "providers"
    ]

    assert source["url"] == "http://prometheus:9090"
    assert source["uid"] == "prometheus"
    assert provider["options"]["path"] == "/etc/stream-detector/dashboards"
    assert "./deploy/grafana:/etc/stream-detector:ro" in SERVICES["grafana"]["volumes"]
    environment = SERVICES["grafana"]["environment"]
    assert environment["GF_PATHS_PROVISIONING"] == "/etc/stream-detector/provisioning"
    assert not any("PASSWORD" in name for name in environment)


def test_the_image_is_pinned_and_runs_without_root() -> None:
    arguments = arguments_of(DOCKERFILE)

    # After `make digests`, with its digest.
    assert re.fullmatch(rf"python:3\.11\.\d+-slim-bookworm{DIGEST}", arguments["BASE"])
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {"${BASE}"}
    assert (DEPLOY / "requirements" / f"{arguments['REQUIREMENTS']}.txt").exists()
    [gpu] = re.findall(r"--build-arg REQUIREMENTS=(\S+)", DOCKERFILE)
    assert (DEPLOY / "requirements" / f"{gpu}.txt").exists()
    assert re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE) == ["10001:10001"]
    assert SERVICES["detector"]["user"] == "10001:10001"
    # Docker's classic builder does not support these.
    for feature in ("--mount", "<<", "--link", "--chmod"):
        assert feature not in DOCKERFILE


def test_the_build_context_has_every_copied_file() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    kept = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copied = [
        word
        for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE)
        for word in line.split()[:-1]
    ]

    assert "*" in ignored
    assert set(copied) == kept
    for name in kept:
        assert (ROOT / name).exists()


def test_compose_test_changes_only_what_it_declares() -> None:
    class Loader(yaml.SafeLoader):
        """Reads Compose's own tags."""

    Loader.add_constructor("!override", lambda loader, node: loader.construct_sequence(node))
    text = (ROOT / "tests" / "deploy" / "compose" / "docker-compose.yml").read_text()
    override = yaml.load(text, Loader)

    assert set(override["services"]) == {*SERVICES, "probe"}
    for name, service in override["services"].items():
        if name != "probe":
            assert set(service) <= {"image", "ports", "profiles"}
        assert all(port.startswith("127.0.0.1::") for port in service.get("ports", ()))
