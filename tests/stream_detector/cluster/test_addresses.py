"""Commands and a worker on three brokers, by whichever addresses their user gives."""

import json
import socket
import subprocess
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from support.accounting import mixed_records
from support.bench import Bench
from support.bundles import save_small_bundle
from support.cluster import KafkaCluster
from support.commands import command_line, environment_of, run_command, run_trainer
from support.processes import ROOT, free_port
from support.records import end_offsets, produce

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(300)]

_NAME = "kafka.test"
_NAMES = {
    "PYTHONPATH": f"{ROOT / 'tests' / 'support' / 'names'}:{ROOT}:{ROOT / 'tests'}",
    # On the brokers' ports nothing listens at ::1.
    "TESTS_HOSTS": f"{_NAME}=::1,127.0.0.1",
}
"""Variables with which ``_NAME`` is the name of a host with several addresses."""


def _closed(host: str = "127.0.0.1") -> str:
    return f"[{host}]:{free_port(host)}" if ":" in host else f"{host}:{free_port(host)}"


_LISTS: dict[str, Callable[[KafkaCluster, str], list[str]]] = {
    "one": lambda cluster, _: cluster.addresses[:1],
    "two, the first down": lambda cluster, _: [_closed(), cluster.addresses[1]],
    "three": lambda cluster, _: cluster.addresses,
    "IPv6 literals, the first down": lambda cluster, _: [_closed("::1"), cluster.ipv6_addresses[2]],
    "a name of several addresses": lambda cluster, _: [f"{_NAME}:{cluster.brokers[0].port}"],
    "only the last answers": lambda cluster, mute: [
        *(_closed(), mute, _closed("::1"), "kafka.invalid:9092"),
        cluster.addresses[2],
    ],
}


@pytest.fixture(scope="module")
def mute_address() -> Iterator[str]:
    """Takes connections and never answers, as a broker does that hangs."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        yield f"127.0.0.1:{mute.getsockname()[1]}"


@pytest.fixture(params=_LISTS)
def addresses(request: pytest.FixtureRequest, cluster: KafkaCluster, mute_address: str) -> str:
    return ",".join(_LISTS[request.param](cluster, mute_address))


@pytest.fixture(scope="module")
def worst(cluster: KafkaCluster, mute_address: str) -> str:
    """Addresses of which only the last answers."""
    return ",".join(_LISTS["only the last answers"](cluster, mute_address))


def run(*arguments: str, settings: Mapping[str, str]) -> str:
    """What a command prints that ends well."""
    done = subprocess.run(
        command_line(*arguments),
        env=environment_of(settings) | _NAMES,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_topics_are_made_and_written_by_any_list_of_addresses(
    addresses: str, cluster: KafkaCluster
) -> None:
    settings = {"BOOTSTRAP_SERVERS": addresses, "TOPIC_PREFIX": f"{uuid.uuid4().hex[:8]}."}
    topic = f"{settings['TOPIC_PREFIX']}url-events"

    made = run("topics", "create", settings=settings)
    run("topics", "check", settings=settings)
    run("replay", "--records", "20", "--rate", "1000", settings=settings)

    assert f"{topic}" in made
    assert sum(end_offsets(cluster.addresses[0], topic).values()) == 20
    assert made.count("3 replicas") == len(made.splitlines())
    with KafkaAdminClient(bootstrap_servers=cluster.addresses) as admin:
        found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    configs = {name: each["value"] for name, each in found["topic"][topic].items()}
    assert configs["min.insync.replicas"] == "2"
    assert configs["message.timestamp.type"] == "LogAppendTime"


def test_labels_are_written_and_collected(
    worst: str, cluster: KafkaCluster, tmp_path: Path
) -> None:
    settings = {"BOOTSTRAP_SERVERS": worst, "TOPIC_PREFIX": f"{uuid.uuid4().hex[:8]}."}
    run("topics", "create", settings=settings)
    events = f"{settings['TOPIC_PREFIX']}url-events"
    ((partition, offset),) = produce(cluster.bootstrap_servers, events, [b"http://judged.example/"])
    settings["CLUSTER"] = "tests"

    verdict = f"tests:{events}:{partition}:{offset}:0"
    run("label", "--verdict-id", verdict, "malicious", "--analyst", "kim", settings=settings)
    done = run_trainer("labels", "collect", folder=tmp_path, settings=settings)

    assert done.returncode == 0, done.stderr
    shown = run_trainer("labels", "show", "judged.example", folder=tmp_path, settings=settings)
    assert "malicious" in shown.stdout


def test_a_model_is_announced_and_listed(worst: str, tmp_path: Path) -> None:
    settings = {
        "BOOTSTRAP_SERVERS": worst,
        "TOPIC_PREFIX": f"{uuid.uuid4().hex[:8]}.",
        "MODEL_STORE": str(tmp_path / "store"),
    }
    run("topics", "create", settings=settings)
    bundle = save_small_bundle(tmp_path / "bundle", seed=0)

    publish = ("models", "publish", "bundle", "--force", "a test")
    for arguments in (publish, ("models", "list", "--json")):
        done = run_trainer(*arguments, folder=tmp_path, settings=settings)
        assert done.returncode == 0, done.stderr

    listed = map(json.loads, done.stdout.splitlines())
    assert [model["sha256"] for model in listed if model["announced"]] == [bundle.sha256]


def test_doctor_finds_all_well_and_warns_of_addresses_that_do_not_answer(worst: str) -> None:
    settings = {
        "BOOTSTRAP_SERVERS": worst,
        "TOPIC_PREFIX": f"{uuid.uuid4().hex[:8]}.",
        "HTTP_PORT": "0",
    }
    run("topics", "create", settings=settings)
    done = run_command("doctor", settings=settings)
    assert done.returncode == 0, done.stdout
    assert b"FAIL" not in done.stdout
    *dead, alive = worst.split(",")
    (line,) = (line for line in done.stdout.decode().splitlines() if " Kafka " in line)
    before, _, warning = line.partition("; warning: ")
    assert before.endswith(f" at {alive}")
    assert [f"{address}: " in warning for address in worst.split(",")] == [True] * len(dead) + [
        False
    ]


@pytest.mark.parametrize("kind", ["IPv6 literals, the first down", "a name of several addresses"])
def test_a_worker_reads_and_writes(
    kind: str, cluster: KafkaCluster, cluster_topics: Any, mute_address: str, tmp_path: Path
) -> None:
    bench = Bench(
        cluster.bootstrap_servers,
        cluster_topics,
        tmp_path,
        **_NAMES,
        STREAM_DETECTOR_BOOTSTRAP_SERVERS=",".join(_LISTS[kind](cluster, mute_address)),
    )
    try:
        bench.account.send(mixed_records(500))
        worker = bench.start_worker()
        bench.wait_until_committed(worker)
        assert worker.stop() == 0
        bench.prove()
    finally:
        bench.close()
