"""A broker of three ends under load: nothing is lost, and the worker stays up and ready."""

import pytest
from confluent_kafka.admin import AdminClient

from support.bench import Bench
from support.broker import KafkaBroker
from support.cluster import KafkaCluster
from support.feed import MixedFeed
from support.processes import answers, wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(300)]

_READY_SECONDS = 30.0


def _coordinator(cluster: KafkaCluster, group: str) -> KafkaBroker:
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0})
    found = admin.describe_consumer_groups([group])[group].result()
    return cluster.brokers[found.coordinator.id - 1]


_TARGETS = {
    "leader of input": lambda cluster, bench: cluster.leader(bench.input, 0),
    "leader of verdicts": lambda cluster, bench: cluster.leader(bench.verdicts, 0),
    "coordinator of the group": lambda cluster, bench: _coordinator(cluster, bench.group),
    "controller": lambda cluster, _: cluster.controller(),
}


def wait_for_new_verdicts(bench: Bench, count: int = 200) -> None:
    (worker,) = bench.workers
    bench.wait_for_verdicts(bench.written(bench.verdicts) + count, worker)


def wait_until_ready(bench: Bench) -> None:
    (port,) = bench.ports
    wait_until(
        lambda: answers(f"http://127.0.0.1:{port}/readyz"),
        timeout=_READY_SECONDS,
        what="the worker is ready",
    )


def prove(bench: Bench) -> None:
    (worker,) = bench.workers
    bench.wait_until_committed(worker)
    assert worker.exit_code is None
    assert "Traceback" not in worker.log.read_text()
    bench.prove()


@pytest.mark.parametrize("target", _TARGETS)
def test_nothing_is_lost_when_a_broker_is_killed_under_load(target, own_cluster, bench):
    with MixedFeed(bench):
        wait_for_new_verdicts(bench)
        broker = _TARGETS[target](own_cluster, bench)
        broker.kill()
        # While it is still away.
        wait_for_new_verdicts(bench)
        wait_until_ready(bench)
        broker.start()
        own_cluster.wait_until_healthy()
        wait_for_new_verdicts(bench)
        wait_until_ready(bench)
    prove(bench)


def test_nothing_is_lost_when_the_brokers_are_restarted_one_after_the_other(own_cluster, bench):
    with MixedFeed(bench):
        for broker in own_cluster.brokers:
            wait_for_new_verdicts(bench)
            broker.restart()
            own_cluster.wait_until_healthy()
        wait_for_new_verdicts(bench)
        wait_until_ready(bench)
    prove(bench)
