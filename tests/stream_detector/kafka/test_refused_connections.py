"""Who is not let in, or would talk to a stranger, is told why in one line: commands on real TLS."""

from pathlib import Path
from typing import Any

import pytest

from stream_detector.errors import FatalError, RetryableError, StreamDetectorError
from stream_detector.kafka.topics import create_topics, topic_problems
from stream_detector.settings.fields import Settings
from support.certificates import CertificateAuthority
from support.commands import assert_one_line_error, run_command
from support.processes import start_module
from support.secured_broker import KEY_PASSWORD, PASSWORD, SecuredBroker, connection_variables

pytestmark = pytest.mark.kafka

PREFIX = "refused."
WRONG_PASSWORD = "tr0ub4dor-and-3"
SECRETS = (PASSWORD, WRONG_PASSWORD, KEY_PASSWORD)


@pytest.fixture
def kafka(secured_kafka: SecuredBroker) -> SecuredBroker:
    """The broker with topics that alice and the bearer of the certificate ``bearer`` may not use.

    Whoever is let in gets as far as the rights.
    """
    secured_kafka.add_user("alice")
    settings = secured_kafka.scram_settings("alice", topic_prefix=PREFIX)
    create_topics(secured_kafka.plain_settings(settings))
    return secured_kafka


def assert_refused(
    settings: Settings, *parts: str, error: type[StreamDetectorError] = FatalError
) -> None:
    """What each command and the worker begin with ends in one line that holds all ``parts``."""
    with pytest.raises(error) as caught:
        topic_problems(settings, "detector")
    message = str(caught.value)
    print(message)
    assert "\n" not in message
    for part in parts:
        assert part in message
    for secret in SECRETS:
        assert secret not in message


def changed(settings: Settings, **changes: Any) -> Settings:
    return Settings(**(settings.model_dump(include=settings.model_fields_set) | changes))


@pytest.fixture
def wrong_password(tmp_path: Path) -> Path:
    file = tmp_path / "wrong"
    file.write_text(WRONG_PASSWORD)
    return file


@pytest.fixture
def strange_authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path / "strange", "strange-ca")


def test_a_user_that_may_log_in_reads_which_rights_it_lacks(kafka: SecuredBroker) -> None:
    for settings in (kafka.scram_settings("alice"), kafka.mutual_settings("bearer")):
        done = run_command(
            *("topics", "check", "--topic-prefix", PREFIX),
            settings=connection_variables(settings),
        )
        assert_one_line_error(done, 1, "not all topics can be used", stdout=done.stdout)
        assert b"topic refused.url-events may not be described: give " in done.stdout
        assert (
            b"topics refused.url-verdicts, refused.url-alerts, refused.url-events-dlq may not"
            in done.stdout
        )


def test_a_wrong_password(kafka: SecuredBroker, wrong_password: Path) -> None:
    settings = kafka.scram_settings("alice", sasl_password_file=wrong_password)

    assert_refused(settings, "refuses to log 'alice' in", "password")


def test_an_unknown_user(kafka: SecuredBroker) -> None:
    assert_refused(kafka.scram_settings("mallory"), "refuses to log 'mallory' in")


def test_a_broker_whose_certificate_has_expired(kafka: SecuredBroker) -> None:
    assert_refused(
        kafka.scram_settings("alice", listener="expired"),
        *(kafka.address("expired"), "certificate has expired", "have it renewed"),
    )


def test_a_broker_whose_certificate_is_for_another_host(kafka: SecuredBroker) -> None:
    settings = kafka.scram_settings("alice", listener="foreign")

    port = kafka.address("foreign").rpartition(":")[2]

    assert_refused(settings, "is for another host", "'127.0.0.1'", "bootstrap_servers")
    assert_refused(
        changed(settings, bootstrap_servers=[f"localhost:{port}"]),
        *("is for another host", "'localhost'"),
    )


def test_a_broker_whose_authority_is_unknown(
    kafka: SecuredBroker, strange_authority: CertificateAuthority
) -> None:
    settings = kafka.scram_settings("alice")

    assert_refused(
        changed(settings, ssl_cafile=strange_authority.file), "not trusted", "ssl_cafile"
    )
    assert_refused(changed(settings, ssl_cafile=None), "not trusted", "ssl_cafile")


def test_a_host_name_that_nobody_knows(kafka: SecuredBroker) -> None:
    assert_refused(
        kafka.scram_settings("alice", bootstrap_servers=["kafka.invalid:9093"]),
        *("kafka.invalid:9093: ", "bootstrap_servers"),
        error=RetryableError,
    )


def test_a_listener_that_wants_a_certificate_and_gets_none(kafka: SecuredBroker) -> None:
    settings = changed(
        kafka.mutual_settings("bearer"),
        ssl_certfile=None,
        ssl_keyfile=None,
        ssl_key_password_file=None,
    )

    assert_refused(settings, "refuses this client's certificate", "ssl_certfile")


@pytest.mark.parametrize("fault", ["expired", "strange"])
def test_a_client_certificate_that_is_not_accepted(
    fault: str, kafka: SecuredBroker, strange_authority: CertificateAuthority
) -> None:
    files = (
        kafka.authority.issue("expired-client", days_left=-1)
        if fault == "expired"
        else strange_authority.issue("bearer")
    )
    settings = changed(
        kafka.mutual_settings("bearer"),
        ssl_certfile=files.certificate,
        ssl_keyfile=files.key,
        ssl_key_password_file=None,
    )

    assert_refused(settings, "refuses this client's certificate", "ssl_certfile", "valid")


def test_a_key_whose_password_is_wrong(kafka: SecuredBroker, wrong_password: Path) -> None:
    settings = changed(kafka.mutual_settings("bearer"), ssl_key_password_file=wrong_password)
    done = run_command("topics", "check", settings=connection_variables(settings))

    assert_one_line_error(done, 2, "ssl_keyfile", "ssl_key_password_file")
    assert WRONG_PASSWORD.encode() not in done.stderr
    assert KEY_PASSWORD.encode() not in done.stderr


@pytest.mark.parametrize("fault", ["password", "expired", "foreign", "authority", "certificate"])
def test_the_worker_ends_with_one_line(
    fault: str,
    kafka: SecuredBroker,
    wrong_password: Path,
    strange_authority: CertificateAuthority,
    tmp_path: Path,
) -> None:
    listener = fault if fault in {"expired", "foreign"} else "scram"
    settings = kafka.scram_settings("alice", listener=listener)
    part = {"expired": "has expired", "foreign": "another host", "authority": "not trusted"}.get(
        fault, "refuses"
    )
    if fault == "password":
        settings = changed(settings, sasl_password_file=wrong_password)
    elif fault == "authority":
        settings = changed(settings, ssl_cafile=strange_authority.file)
    elif fault == "certificate":
        files = strange_authority.issue("bearer")
        settings = changed(
            kafka.mutual_settings("bearer"),
            ssl_certfile=files.certificate,
            ssl_keyfile=files.key,
            ssl_key_password_file=None,
        )
    variables = {
        **connection_variables(settings),
        "TOPIC_PREFIX": PREFIX,
        "HTTP_PORT": "0",
    }
    worker = start_module(
        *("stream_detector", "run"),
        log=tmp_path / "worker.log",
        environment={f"STREAM_DETECTOR_{name}": value for name, value in variables.items()},
    )
    try:
        assert worker.wait(60) == 1
    finally:
        worker.kill()

    log = worker.log.read_text()
    (line,) = [line for line in log.splitlines() if part in line]
    assert "ERROR" in line.upper()
    assert line == log.splitlines()[-1]
    for secret in (*SECRETS, "Traceback"):
        assert secret not in log
