"""Which of several addresses is taken, and what is told where none is."""

import socket
import time
from collections.abc import Iterator

import pytest

from stream_detector.errors import RetryableError
from stream_detector.kafka.probing import host_and_port, reachable_broker
from support.broker import KafkaBroker
from support.processes import free_port
from support.secured_broker import SecuredBroker


@pytest.fixture
def mute_address() -> Iterator[str]:
    """Takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        yield f"127.0.0.1:{mute.getsockname()[1]}"


@pytest.mark.kafka
def test_the_one_that_answers_is_taken_without_a_wait_for_the_others(
    kafka: KafkaBroker, mute_address: str
) -> None:
    addresses = [f"127.0.0.1:{free_port()}", mute_address, "kafka.invalid:9092"]
    began = time.monotonic()

    found = reachable_broker([*addresses, kafka.bootstrap_servers], None, seconds=30)

    assert found == kafka.bootstrap_servers
    assert time.monotonic() - began < 15


@pytest.mark.kafka
def test_if_none_answers_each_address_is_named_with_its_reason(
    secured_kafka: SecuredBroker, mute_address: str
) -> None:
    closed, tls = f"[::1]:{free_port('::1')}", secured_kafka.address("scram")

    with pytest.raises(RetryableError) as caught:
        reachable_broker([closed, mute_address, tls, "kafka.invalid:1"], None, seconds=2)

    told = str(caught.value)
    assert f"({closed}: Connection refused; " in told
    assert f"; {mute_address}: it accepts connections but does not answer; " in told
    assert f"; {tls}: it wants TLS; " in told
    assert "; kafka.invalid:1: " in told
    assert told.endswith("check that it runs, bootstrap_servers and security_protocol")


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("kafka-1:9092", ("kafka-1", 9092)),
        ("[2001:db8::1]:9092", ("2001:db8::1", 9092)),
        ("[fe80::1%eth0]:1", ("fe80::1%eth0", 1)),
    ],
)
def test_an_address_is_taken_apart(address: str, parts: tuple[str, int]) -> None:
    assert host_and_port(address) == parts
