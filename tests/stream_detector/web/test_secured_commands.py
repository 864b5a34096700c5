"""A web configuration, as the commands take it."""

import http.client
import json
import socket
import ssl
import time
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stream_detector.errors import SettingsError
from stream_detector.metrics import Metrics
from stream_detector.web.server import HealthServer
from support.certificates import CertificateAuthority
from support.commands import assert_one_line_error, environment_of, run_command
from support.processes import ROOT, ChildProcess, free_port, start_module, wait_for_line
from support.web import PASSWORD, TLS, basic, users


def test_the_worker_refuses_a_wrong_file_before_it_starts(tmp_path: Path) -> None:
    wrong = tmp_path / "web.yml"
    wrong.write_text("tls_config: {}\n")

    worker = run_command("run", "--http-web-config", str(wrong), "--http-port", "0")

    assert worker.returncode == 2
    assert b"tls_config is not known here" in worker.stderr + worker.stdout
    assert b"Traceback" not in worker.stderr + worker.stdout
    missing = run_command("run", "--http-web-config", str(tmp_path / "none.yml"))
    assert_one_line_error(missing, 2, "http_web_config", "none.yml", "--http-web-config")


def test_a_worker_serves_over_tls_after_a_login(
    folder: Path, authority: CertificateAuthority, trusting: ssl.SSLContext, tmp_path: Path
) -> None:
    file = folder / "worker.yml"
    file.write_text(TLS + users(kim=PASSWORD))
    with socket.create_server(("127.0.0.1", 0)) as mute:  # A Kafka that never answers.
        worker = _start(
            "support.rule_worker",
            log=tmp_path / "worker.log",
            BOOTSTRAP_SERVERS=f"127.0.0.1:{mute.getsockname()[1]}",
            HTTP_PORT=str(free_port()),
            HTTP_WEB_CONFIG=str(file),
        )
        try:
            line = json.loads(wait_for_line(worker, "metrics and health on https://"))
            port = int(line["message"].rpartition(":")[2])
            connection = http.client.HTTPSConnection(
                "127.0.0.1", port, timeout=20, context=trusting
            )
            connection.request("GET", "/readyz", headers=basic("kim", PASSWORD))
            assert connection.getresponse().status == 503
            connection.close()
            connection.request("GET", "/readyz")
            assert connection.getresponse().status == 401
            connection.close()
            worker.stop()
        finally:
            worker.kill()
    assert PASSWORD not in worker.log.read_text()


@pytest.mark.parametrize(
    "command",
    [("support.rule_worker",), ("trainer", "watch", "--folder", "watch")],
    ids=["worker", "watch"],
)
def test_worker_and_watch_show_when_their_certificates_expire(
    folder: Path,
    authority: CertificateAuthority,
    trusting: ssl.SSLContext,
    tmp_path: Path,
    command: tuple[str, ...],
) -> None:
    client = authority.issue("client", days_left=-1)
    file = folder / "expiry.yml"
    file.write_text(TLS)
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as mute:  # A Kafka that never answers.
        process = _start(
            *command,
            log=tmp_path / "process.log",
            BOOTSTRAP_SERVERS=f"127.0.0.1:{mute.getsockname()[1]}",
            SECURITY_PROTOCOL="SSL",
            SSL_CERTFILE=str(client.certificate),
            SSL_KEYFILE=str(client.key),
            SSL_CAFILE=str(authority.file),
            HTTP_PORT=str(port),
            HTTP_WEB_CONFIG=str(file),
        )
        try:
            wait_for_line(process, "metrics and health on https://")
            text = _metrics(port, trusting)
            lines = [line for line in process.log.read_text().splitlines() if "expire" in line]
        finally:
            process.kill()

    days = {
        sample.labels["certificate"]: round((sample.value - time.time()) / 86400)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "stream_detector_certificate_expiry_timestamp_seconds"
    }
    assert days == {"http_server": 90, "kafka_client": -1, "kafka_authority": 90}
    (line,) = lines
    assert f"ssl_certfile {client.certificate} has expired" in json.loads(line)["message"]


def _metrics(port: int, trusting: ssl.SSLContext) -> str:
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=trusting)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def _start(*command: str, log: Path, **settings: str) -> ChildProcess:
    return start_module(
        *command,
        log=log,
        environment={**environment_of(settings), "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
    )


def test_a_server_that_can_not_be_made_leaves_nothing_open(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(SettingsError):
        HealthServer(
            registry=Metrics().registry,
            host="127.0.0.1",
            port=0,
            readiness=lambda: (True, ""),
            web_config=tmp_path / "none.yml",
        )
    assert len(list(Path("/proc/self/fd").iterdir())) == before
