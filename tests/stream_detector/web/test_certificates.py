"""When certificates expire: which of a file counts, and and what the gauge and the log show."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Gauge

from stream_detector.metrics import certificate_gauge
from stream_detector.settings.fields import Settings
from stream_detector.web.certificates import (
    CertificateFile,
    kafka_certificates,
    show_certificates,
)
from stream_detector.web.config import WatchedWebConfig
from support.certificates import CertificateAuthority

METRIC = "stream_detector_certificate_expiry_timestamp_seconds"
TLS = "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def gauge(registry: CollectorRegistry) -> Gauge:
    return certificate_gauge(registry)


def days_shown(registry: CollectorRegistry, certificate: str) -> int | None:
    """Days until then, rounded; None if it is not shown."""
    expiry = registry.get_sample_value(METRIC, {"certificate": certificate})
    if expiry is None:
        return None
    return round((datetime.fromtimestamp(expiry, UTC) - datetime.now(UTC)) / timedelta(days=1))


def joined(file: Path, *parts: Path) -> Path:
    file.write_bytes(b"".join(part.read_bytes() for part in parts))
    return file


def test_a_chain_expires_with_its_first_certificate(
    tmp_path: Path, registry: CollectorRegistry, gauge: Gauge
) -> None:
    authority = CertificateAuthority(tmp_path, days_left=20)
    own = authority.issue("own", days_left=60)
    issuer = authority.issue("issuer", days_left=30).certificate
    chain = joined(tmp_path / "chain.pem", own.key, own.certificate, issuer, authority.file)

    for name in ("http_server", "kafka_client"):
        show_certificates([CertificateFile(name, "cert_file", chain)], gauge)  # type: ignore[arg-type]
        assert days_shown(registry, name) == 30, "a root at its end does not count"
    alone = CertificateFile("kafka_client", "ssl_certfile", authority.file)
    show_certificates([alone], gauge)
    assert days_shown(registry, "kafka_client") == 20, "unless it is all there is"


def test_authorities_expire_with_the_last_of_them(
    tmp_path: Path, registry: CollectorRegistry, gauge: Gauge, caplog: pytest.LogCaptureFixture
) -> None:
    old = CertificateAuthority(tmp_path, "old", days_left=-1).file
    new = CertificateAuthority(tmp_path, "new", days_left=80).file
    both = joined(tmp_path / "both.pem", old, new)

    show_certificates(kafka_certificates(Settings(ssl_cafile=both, security_protocol="SSL")), gauge)

    assert days_shown(registry, "kafka_authority") == 80
    assert days_shown(registry, "kafka_client") is None
    assert caplog.records == [], "a new authority replaces an old one"


@pytest.mark.parametrize(
    ("days_left", "fault"),
    [(-1, "has expired"), (13.5, "expires within 14 days"), (14.5, "")],
)
def test_an_expired_certificate_is_logged_once_with_what_to_do(
    tmp_path: Path, gauge: Gauge, caplog: pytest.LogCaptureFixture, days_left: float, fault: str
) -> None:
    files = CertificateAuthority(tmp_path).issue("client", days_left=days_left)
    settings = Settings(
        security_protocol="SSL", ssl_certfile=files.certificate, ssl_keyfile=files.key
    )

    show_certificates(kafka_certificates(settings), gauge)

    if not fault:
        assert caplog.records == []
        return
    (record,) = caplog.records
    day = datetime.now(UTC) + timedelta(days=days_left)
    assert record.levelname == "WARNING"
    assert record.message.startswith(f"ssl_certfile {files.certificate} {fault} ({day:%Y-%m-%d} ")
    assert record.message.endswith(" UTC): renew it and restart")


def test_an_unreadable_certificate_is_logged_and_not_shown(
    tmp_path: Path, registry: CollectorRegistry, gauge: Gauge, caplog: pytest.LogCaptureFixture
) -> None:
    files = CertificateAuthority(tmp_path).issue("client")
    shown = CertificateFile("kafka_client", "ssl_certfile", files.certificate)
    for path, reason in [
        (files.key, "not PEM certificates"),
        (tmp_path / "none", "No such file or directory"),
    ]:
        show_certificates([shown], gauge)
        assert days_shown(registry, "kafka_client") == 90
        show_certificates([shown._replace(path=path)], gauge)
        assert days_shown(registry, "kafka_client") is None
        assert f"ssl_certfile {path} can't be read for its expiry ({reason})" in caplog.text
    assert "PRIVATE" not in caplog.text


def test_a_reload_shows_the_expiry_of_the_new_certificates(
    tmp_path: Path, registry: CollectorRegistry, gauge: Gauge, caplog: pytest.LogCaptureFixture
) -> None:
    authority = CertificateAuthority(tmp_path, days_left=70)
    authority.issue("server", days_left=3)
    file = tmp_path / "web.yml"
    file.write_text(TLS)
    watched = WatchedWebConfig(file, gauge)
    assert days_shown(registry, "http_server") == 3
    assert days_shown(registry, "http_client_authority") is None
    assert watched.current() is watched.current()
    (record,) = caplog.records
    assert f"{file}: cert_file {tmp_path / 'server.crt'} expires within 14" in record.message
    assert record.message.endswith("UTC): renew it")

    authority.issue("server", days_left=40)
    assert watched.current() is not None
    assert days_shown(registry, "http_server") == 40

    (tmp_path / "server.crt").write_text("half of a certificate")
    assert watched.current() is not None
    assert days_shown(registry, "http_server") == 40, "the one before is served still"

    authority.issue("server", days_left=50)
    checked = "client_auth_type: VerifyClientCertIfGiven, client_ca_file: ca.pem}"
    file.write_text(TLS.replace("server.key}", f"server.key, {checked}"))
    assert watched.current() is not None
    assert days_shown(registry, "http_server") == 50
    assert days_shown(registry, "http_client_authority") == 70
    assert len(caplog.records) == 2
