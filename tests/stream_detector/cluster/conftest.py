"""A worker on three brokers that tests kill, under load."""

from collections.abc import Iterator

import pytest

from support.bench import Bench
from support.cluster import KafkaCluster
from support.processes import free_port


@pytest.fixture(scope="module")
def bench(_cluster_of_module: KafkaCluster, tmp_path_factory, module_topics) -> Iterator[Bench]:
    """What one worker reads and writes, for the tests of one module.

    Of the addresses that the worker has, only the last answers.
    """
    dead = [f"127.0.0.1:{free_port()}", f"[::1]:{free_port('::1')}"]
    bench = Bench(
        _cluster_of_module.bootstrap_servers,
        module_topics,
        tmp_path_factory.mktemp("bench"),
        STREAM_DETECTOR_BOOTSTRAP_SERVERS=",".join([*dead, _cluster_of_module.addresses[-1]]),
        # As a user has it: what a broker's end does to a group is part of the tests.
        STREAM_DETECTOR_KAFKA_OPTIONS="",
    )
    bench.start_worker()
    yield bench
    bench.close()
