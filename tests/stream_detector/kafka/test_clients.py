"""Each client accepts its options, and they take it through TLS and SASL to a real Kafka."""

import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiokafka
import kafka as kafka_python
import pytest
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    KafkaAdminClient,
    ResourcePattern,
    ResourceType,
)

from stream_detector.errors import FatalError, RetryableError, SettingsError
from stream_detector.kafka.clients import (
    aiokafka_consumer_options,
    aiokafka_producer_options,
    kafka_python_options,
)
from stream_detector.kafka.inspection import group_problem
from stream_detector.kafka.topics import check_topics, cluster_id, create_topics
from stream_detector.settings import Settings
from support.broker import KafkaBroker
from support.processes import free_port

PASSWORD = "correct-horse-battery"
KEY_PASSWORD = "staple-of-the-key"


class SecuredBroker(KafkaBroker):
    """A Kafka with a listener for TLS with client certificates and SASL, and with rights.

    ``alice`` may nothing until she is given rights; the plain listener may everything.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.secured_port = free_port()
        self.ca, self.certificate, self.key = _certificates(folder)
        plain = f"PLAINTEXT://127.0.0.1:{self.port}"
        secured = f"SASL_SSL://127.0.0.1:{self.secured_port}"
        login = "org.apache.kafka.common.security.plain.PlainLoginModule"
        self._properties = (
            f"listeners={plain},{secured},CONTROLLER://127.0.0.1:{self._controller_port}",
            f"advertised.listeners={plain},{secured}",
            "listener.security.protocol.map="
            "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL",
            "sasl.enabled.mechanisms=PLAIN",
            "listener.name.sasl_ssl.plain.sasl.jaas.config="
            f'{login} required user_alice="{PASSWORD}";',
            "ssl.keystore.type=PEM",
            f"ssl.keystore.location={folder / 'broker.pem'}",
            "ssl.truststore.type=PEM",
            f"ssl.truststore.location={self.ca}",
            "ssl.client.auth=required",
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users=User:ANONYMOUS",
        )

    def allow(self, resource: ResourceType, name: str, operation: ACLOperation) -> None:
        """Give alice one right."""
        admin = KafkaAdminClient(bootstrap_servers=self.bootstrap_servers)
        try:
            admin.create_acls(
                [
                    ACL(
                        principal="User:alice",
                        host="*",
                        operation=operation,
                        permission_type=ACLPermissionType.ALLOW,
                        resource_pattern=ResourcePattern(resource, name),
                    )
                ]
            )
        finally:
            admin.close()


def _certificates(folder: Path) -> tuple[Path, Path, Path]:
    """A CA, the broker's key and certificate (``broker.pem``), the client's with a password."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=folder)

    ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    openssl("req", "-x509", *ec, "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=CA")
    for name, password in (("broker", ""), ("client", KEY_PASSWORD)):
        locked = ["-passout", f"pass:{password}"] if password else ["-nodes"]
        address = ["-addext", "subjectAltName=IP:127.0.0.1"]
        signed = ["-CA", "ca.pem", "-CAkey", "ca.key"]
        out = ["-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", f"/CN={name}"]
        openssl("req", "-x509", *ec, *locked, *signed, *address, *out)
    broker = (folder / "broker.key").read_bytes() + (folder / "broker.crt").read_bytes()
    (folder / "broker.pem").write_bytes(broker)
    return folder / "ca.pem", folder / "client.crt", folder / "client.key"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    with SecuredBroker(tmp_path_factory.mktemp("secured")) as broker:
        yield broker


@pytest.fixture
def settings_of_alice(secured: SecuredBroker, tmp_path: Path) -> Callable[..., Settings]:
    """Settings that log alice in, with whatever a test changes."""
    password = tmp_path / "password"
    password.write_text(PASSWORD + "\n")
    key_password = tmp_path / "key-password"
    key_password.write_text(KEY_PASSWORD + "\n")

    def make(**changes: Any) -> Settings:
        values = {
            "bootstrap_servers": [f"127.0.0.1:{secured.secured_port}"],
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "PLAIN",
            "sasl_username": "alice",
            "sasl_password_file": password,
            "ssl_cafile": secured.ca,
            "ssl_certfile": secured.certificate,
            "ssl_keyfile": secured.key,
            "ssl_key_password_file": key_password,
        }
        return Settings(**(values | changes))

    return make


def topics_of(name: str) -> dict[str, Any]:
    return {
        "input_topics": [f"{name}-in"],
        "verdicts_topic": f"{name}-verdicts",
        "alerts_topic": f"{name}-alerts",
        "dead_letters_topic": f"{name}-dlq",
        "topic_partitions": 1,
    }


@pytest.mark.kafka
async def test_aiokafka_goes_through_tls_and_sasl(
    secured: SecuredBroker, settings_of_alice: Callable[..., Settings]
) -> None:
    settings = settings_of_alice(**topics_of("through"), group_id="through")
    plain = settings.model_copy(
        update={"bootstrap_servers": [secured.bootstrap_servers], "security_protocol": "PLAINTEXT"}
    )
    create_topics(plain)
    topic = settings.input_topic_names[0]
    for operation in (ACLOperation.READ, ACLOperation.WRITE):
        secured.allow(ResourceType.TOPIC, topic, operation)

    async with aiokafka.AIOKafkaProducer(**aiokafka_producer_options(settings)) as producer:
        await producer.send_and_wait(topic, b"hello")
    options = aiokafka_consumer_options(settings) | {"auto_offset_reset": "earliest"}
    async with aiokafka.AIOKafkaConsumer(topic, **options) as consumer:
        record = await consumer.getone()

    assert record.value == b"hello"


@pytest.mark.kafka
def test_missing_rights_are_told_one_by_one(
    secured: SecuredBroker, settings_of_alice: Callable[..., Settings]
) -> None:
    settings = settings_of_alice(**topics_of("rights"), group_id="rights")
    plain = settings.model_copy(
        update={"bootstrap_servers": [secured.bootstrap_servers], "security_protocol": "PLAINTEXT"}
    )
    create_topics(plain)
    names = [*settings.input_topic_names, *settings.output_topic_names]
    assert len(check_topics(settings)) == len(names)
    for name in names:
        secured.allow(ResourceType.TOPIC, name, ACLOperation.DESCRIBE)
    for name in names[:-1]:
        operation = ACLOperation.READ if name.endswith("-in") else ACLOperation.WRITE
        secured.allow(ResourceType.TOPIC, name, operation)
    assert check_topics(settings) == [
        "topic rights-dlq may not be used: give alice the right WRITE"
    ]
    secured.allow(ResourceType.TOPIC, names[-1], ACLOperation.WRITE)
    assert check_topics(settings) == []

    assert "give alice the right READ" in group_problem(settings)
    secured.allow(ResourceType.GROUP, "rights", ACLOperation.READ)
    assert group_problem(settings) == ""


@pytest.mark.kafka
def test_a_topic_that_may_not_be_made_is_fatal(settings_of_alice: Callable[..., Settings]) -> None:
    with pytest.raises(FatalError, match="alice"):
        create_topics(settings_of_alice(**topics_of("forbidden")))


@pytest.mark.kafka
def test_a_wrong_password_is_fatal_and_not_in_the_message(
    settings_of_alice: Callable[..., Settings], tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("tr0ub4dor")

    with pytest.raises(FatalError, match=r"refuses to log 'alice' in") as caught:
        cluster_id(settings_of_alice(sasl_password_file=wrong))

    assert "tr0ub4dor" not in str(caught.value)


@pytest.mark.kafka
def test_a_mechanism_that_the_broker_lacks_is_fatal(
    settings_of_alice: Callable[..., Settings],
) -> None:
    with pytest.raises(FatalError, match="sasl_mechanism"):
        cluster_id(settings_of_alice(sasl_mechanism="SCRAM-SHA-256"))


@pytest.mark.kafka
def test_a_broker_that_is_not_trusted_is_fatal(settings_of_alice: Callable[..., Settings]) -> None:
    with pytest.raises(FatalError, match="ssl_cafile"):
        cluster_id(settings_of_alice(ssl_cafile=None))


@pytest.mark.kafka
def test_tls_towards_a_plain_listener_is_told(
    secured: SecuredBroker, settings_of_alice: Callable[..., Settings]
) -> None:
    with pytest.raises(RetryableError, match="security_protocol"):
        cluster_id(settings_of_alice(bootstrap_servers=[secured.bootstrap_servers]))


def test_a_certificate_file_that_holds_none_is_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    with pytest.raises(SettingsError, match="ssl_cafile"):
        aiokafka_consumer_options(Settings(security_protocol="SSL", ssl_cafile=empty))
    with pytest.raises(SettingsError, match="ssl_certfile"):
        aiokafka_consumer_options(
            Settings(security_protocol="SSL", ssl_certfile=empty, ssl_keyfile=empty)
        )


def test_a_locked_key_without_its_password_is_refused_and_asks_nobody(tmp_path: Path) -> None:
    _, certificate, key = _certificates(tmp_path)
    settings = Settings(security_protocol="SSL", ssl_certfile=certificate, ssl_keyfile=key)

    with pytest.raises(SettingsError, match="ssl_key_password_file"):
        kafka_python_options(settings)


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff"])
def test_a_password_file_without_a_password_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)
    settings = Settings(
        security_protocol="SASL_PLAINTEXT", sasl_username="a", sasl_password_file=file
    )

    with pytest.raises(SettingsError, match="sasl_password_file"):
        aiokafka_producer_options(settings)


def test_the_brokers_name_is_checked_unless_told_otherwise() -> None:
    strict = aiokafka_consumer_options(Settings(security_protocol="SSL"))["ssl_context"]
    lax = aiokafka_consumer_options(Settings(security_protocol="SSL", ssl_check_hostname=False))

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

    consumer = aiokafka_consumer_options(settings)
    assert consumer["session_timeout_ms"] == 1500
    assert consumer["check_crcs"] is False
    assert consumer["client_id"] == "7"
    assert not {"linger_ms", "api_version", "receive_buffer_bytes"} & set(consumer)
    producer = aiokafka_producer_options(settings)
    assert producer["linger_ms"] == 5
    assert not {"session_timeout_ms", "check_crcs"} & set(producer)
    admin = kafka_python_options(settings)
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

    assert set(kafka_python_options(settings, client)) <= set(client.DEFAULT_CONFIG)


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
        aiokafka_consumer_options(Settings(kafka_options={name: value}))

    assert name in str(caught.value)
    assert hint in str(caught.value)
