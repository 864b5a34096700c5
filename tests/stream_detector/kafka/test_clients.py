"""Each client accepts its options, and they take it through TLS and SASL to a real Kafka."""

import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import aiokafka
import kafka as kafka_python
import pytest

from stream_detector.errors import FatalError, RetryableError, SettingsError
from stream_detector.kafka.clients import (
    client_options,
)
from stream_detector.kafka.rights import rights_of
from stream_detector.kafka.topics import cluster_id, create_topics
from stream_detector.settings.fields import Settings
from support.certificates import CertificateAuthority
from support.secured_broker import KEY_PASSWORD, PASSWORD, SecuredBroker


@pytest.fixture
def settings_of_alice(secured_kafka: SecuredBroker) -> Callable[..., Settings]:
    """Settings that log alice in, with whatever a test changes."""
    secured_kafka.add_user("alice")
    return partial(secured_kafka.scram_settings, "alice")


@pytest.mark.kafka
async def test_aiokafka_goes_through_tls_and_sasl(
    secured_kafka: SecuredBroker, settings_of_alice: Callable[..., Settings]
) -> None:
    settings = settings_of_alice(topic_prefix="through.", group_id="through", topic_partitions=1)
    create_topics(secured_kafka.plain_settings(settings))
    rights = {*rights_of("detector", settings), *rights_of("log-shipper", settings)}
    secured_kafka.grant("alice", rights)
    (topic,) = settings.input_topic_names

    async with aiokafka.AIOKafkaProducer(
        **client_options(settings, aiokafka.AIOKafkaProducer)
    ) as producer:
        await producer.send_and_wait(topic, b"hello")
    options = client_options(settings, aiokafka.AIOKafkaConsumer) | {
        "auto_offset_reset": "earliest"
    }
    async with aiokafka.AIOKafkaConsumer(topic, **options) as consumer:
        record = await consumer.getone()

    assert record.value == b"hello"


@pytest.mark.kafka
def test_a_mechanism_that_the_broker_lacks_is_fatal(
    settings_of_alice: Callable[..., Settings],
) -> None:
    with pytest.raises(FatalError, match="sasl_mechanism"):
        cluster_id(settings_of_alice(sasl_mechanism="SCRAM-SHA-256"))


@pytest.mark.kafka
def test_tls_towards_a_plain_listener_is_reported(
    secured_kafka: SecuredBroker, settings_of_alice: Callable[..., Settings]
) -> None:
    with pytest.raises(RetryableError, match="security_protocol"):
        cluster_id(settings_of_alice(bootstrap_servers=[secured_kafka.bootstrap_servers]))


def test_a_certificate_file_that_holds_none_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    with pytest.raises(SettingsError, match="ssl_cafile"):
        client_options(Settings(security_protocol="SSL", ssl_cafile=empty))
    with pytest.raises(SettingsError, match="ssl_certfile"):
        client_options(Settings(security_protocol="SSL", ssl_certfile=empty, ssl_keyfile=empty))


def test_a_locked_key_without_its_password_is_refused_and_asks_nobody(tmp_path: Path) -> None:
    files = CertificateAuthority(tmp_path).issue("client", key_password=KEY_PASSWORD)
    settings = Settings(
        security_protocol="SSL", ssl_certfile=files.certificate, ssl_keyfile=files.key
    )

    with pytest.raises(SettingsError, match="ssl_key_password_file"):
        client_options(settings)


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff"])
def test_a_password_file_without_a_password_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)
    settings = Settings(
        security_protocol="SASL_PLAINTEXT", sasl_username="a", sasl_password_file=file
    )

    with pytest.raises(SettingsError, match="sasl_password_file"):
        client_options(settings)


def test_the_brokers_name_is_checked_by_default() -> None:
    strict = client_options(Settings(security_protocol="SSL"))["ssl_context"]
    lax = client_options(Settings(security_protocol="SSL", ssl_check_hostname=False))

    assert strict.check_hostname
    assert not lax["ssl_context"].check_hostname
    assert lax["ssl_context"].verify_mode is ssl.CERT_REQUIRED


OPTIONS = {
    "session_timeout_ms": "1500",
    "check_crcs": "false",
    "api_version": "2.0",
    "linger_ms": "5",
    "client_id": "7",
    "retry_backoff_ms": "250",
    "receive_buffer_bytes": "4096",
}


def test_each_client_gets_the_options_it_knows_in_their_types() -> None:
    settings = Settings(kafka_options=OPTIONS)

    consumer = client_options(settings, aiokafka.AIOKafkaConsumer)
    assert consumer["session_timeout_ms"] == 1500
    assert consumer["check_crcs"] is False
    assert consumer["client_id"] == "7"
    assert not {"linger_ms", "api_version", "receive_buffer_bytes"} & set(consumer)
    producer = client_options(settings, aiokafka.AIOKafkaProducer)
    assert producer["linger_ms"] == 5
    assert not {"session_timeout_ms", "check_crcs"} & set(producer)
    admin = client_options(settings)
    assert admin["api_version"] == (2, 0)
    assert admin["receive_buffer_bytes"] == 4096
    assert not {"session_timeout_ms", "linger_ms"} & set(admin)


@pytest.mark.parametrize(
    "client",
    [kafka_python.KafkaAdminClient, kafka_python.KafkaConsumer, kafka_python.KafkaProducer],
)
def test_every_option_for_kafka_python_is_one_that_the_client_knows(client: Any) -> None:
    settings = Settings(
        kafka_options=OPTIONS,
        security_protocol="SASL_SSL",
        sasl_username="a",
        sasl_password=PASSWORD,
    )

    assert set(client_options(settings, client)) <= set(client.DEFAULT_CONFIG)


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("sesion_timeout_ms", "1", "session_timeout_ms"),
        ("zzz", "1", "leave it out"),
        ("session_timeout_ms", "soon", "whole number"),
        ("check_crcs", "maybe", "true or false"),
        ("api_version", "new", "2.0"),
        ("group_id", "a", "set group_id"),
        ("enable_auto_commit", "true", "leave it out"),
        ("acks", "0", "leave it out"),
        ("ssl_cafile", "a", "set ssl_cafile"),
        ("value_deserializer", "json.loads", "no text"),
        ("partition_assignment_strategy", "range", "no text"),
    ],
)
def test_an_option_that_can_not_be_set_is_refused_with_a_hint(
    name: str, value: str, hint: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        client_options(Settings(kafka_options={name: value}))

    assert name in str(caught.value)
    assert hint in str(caught.value)
