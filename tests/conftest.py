"""Fixtures every test may use, and the rule that nothing is skipped in CI."""

import os
import signal
import uuid
from collections.abc import Iterator
from typing import Protocol

import pytest

from support.broker import KafkaBroker
from support.cluster import KafkaCluster
from support.secured_broker import SecuredBroker


class Topics(Protocol):
    """Makes a topic with a name of its own and returns the name."""

    def __call__(self, label: str = "topic", *, partitions: int = 4, **settings: str) -> str: ...


def pytest_configure() -> None:
    """Let Ctrl-C reach what the tests start: a shell's background job has it ignored."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    """The session's broker, started with the first test that asks for it. Leave it running."""
    with KafkaBroker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture(scope="module")
def _kafka_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBroker]:
    # A broker that was killed registers again once its old session has ended: after 3 s, not 12.
    properties = ["broker.session.timeout.ms=3000"]
    with KafkaBroker(tmp_path_factory.mktemp("own-kafka"), properties=properties) as broker:
        yield broker


@pytest.fixture
def own_kafka(_kafka_of_module: KafkaBroker) -> KafkaBroker:
    """A broker for the tests of one module, which may stop, kill, pause and start it.

    It runs at the beginning of each test.
    """
    if _kafka_of_module.running:
        # A test that failed may have left it paused.
        os.kill(_kafka_of_module.pid, signal.SIGCONT)
    else:
        _kafka_of_module.start()
    return _kafka_of_module


@pytest.fixture(scope="session")
def secured_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    """The session's broker that knows users and their rights. Leave it running."""
    with SecuredBroker(tmp_path_factory.mktemp("secured-kafka")) as broker:
        yield broker


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """The session's three brokers. Leave them running."""
    with KafkaCluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def _cluster_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    with KafkaCluster(tmp_path_factory.mktemp("own-cluster")) as cluster:
        yield cluster


@pytest.fixture
def own_cluster(_cluster_of_module: KafkaCluster) -> KafkaCluster:
    """Three brokers for the tests of one module, which may stop, kill and start them.

    All of them run, and are in sync, at the beginning of each test.
    """
    _cluster_of_module.start()
    return _cluster_of_module


@pytest.fixture
def topics(kafka: KafkaBroker) -> Topics:
    """``topics("events", partitions=4)`` makes a topic of the session's broker, returns its name.

    More keyword arguments are the topic's settings, with underscores for dots.
    """
    return _topics_of(kafka)


@pytest.fixture(scope="session")
def session_topics(kafka: KafkaBroker) -> Topics:
    """The same for what lives longer than a test."""
    return _topics_of(kafka)


@pytest.fixture
def own_topics(own_kafka: KafkaBroker) -> Topics:
    """The same on the broker of the module."""
    return _topics_of(own_kafka)


@pytest.fixture
def secured_topics(secured_kafka: SecuredBroker) -> Topics:
    """The same on the broker that knows users."""
    return _topics_of(secured_kafka)


@pytest.fixture
def cluster_topics(cluster: KafkaCluster) -> Topics:
    """The same on the session's three brokers, each of which has a copy."""
    return _topics_of(cluster)


@pytest.fixture(scope="module")
def module_topics(_cluster_of_module: KafkaCluster) -> Topics:
    """The same on the three brokers of the module, for what lives longer than a test."""
    return _topics_of(_cluster_of_module)


def _topics_of(broker: KafkaBroker | KafkaCluster) -> Topics:
    def create(label: str = "topic", *, partitions: int = 4, **settings: str) -> str:
        name = f"{label}-{uuid.uuid4().hex[:8]}"
        broker.create_topic(name, partitions=partitions, **settings)
        return name

    return create
