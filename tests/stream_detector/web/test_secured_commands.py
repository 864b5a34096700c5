"""A web configuration, as the commands take it."""

import http.client
import json
import os
import socket
import ssl
from pathlib import Path

import pytest

from stream_detector.errors import SettingsError
from stream_detector.health import HealthServer
from stream_detector.metrics import Metrics
from support.certificates import CertificateAuthority
from support.commands import assert_one_line_error, environment_of, run_command
from support.processes import free_port, start_module, wait_for_line
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


def test_a_worker_serves_by_tls_to_who_logs_in(
    folder: Path, authority: CertificateAuthority, trusting: ssl.SSLContext, tmp_path: Path
) -> None:
    file = folder / "worker.yml"
    file.write_text(TLS + users(kim=PASSWORD))
    with socket.create_server(("127.0.0.1", 0)) as mute:  # A Kafka that never answers.
        worker = start_module(
            "support.rule_worker",
            log=tmp_path / "worker.log",
            environment={
                **environment_of(
                    {
                        "BOOTSTRAP_SERVERS": f"127.0.0.1:{mute.getsockname()[1]}",
                        "HTTP_PORT": str(free_port()),
                        "HTTP_WEB_CONFIG": str(file),
                    }
                ),
                "PYTHONPATH": os.environ.get("PYTHONPATH", "") + ":" + ":".join(_paths()),
            },
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


def _paths() -> list[str]:
    root = Path(__file__).resolve().parents[3]
    return [str(root), str(root / "tests")]


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
