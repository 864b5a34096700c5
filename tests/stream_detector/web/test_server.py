import asyncio
import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from stream_detector.errors import SettingsError
from stream_detector.metrics import Metrics
from stream_detector.web import server as health
from stream_detector.web.server import HealthServer
from support.processes import wait_until


class Readiness:
    """What the worker says of itself; tests change it."""

    def __init__(self) -> None:
        self.answer: tuple[bool, str] | Exception = (True, "ready")

    def __call__(self) -> tuple[bool, str]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def readiness() -> Readiness:
    return Readiness()


@pytest.fixture
def server(metrics: Metrics, readiness: Readiness) -> Iterator[HealthServer]:
    with HealthServer(
        registry=metrics.registry, host="127.0.0.1", port=0, readiness=readiness
    ) as running:
        yield running


@contextmanager
def running_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def request(
    server: HealthServer, path: str, *, method: str = "GET", headers: dict[str, str] | None = None
) -> tuple[http.client.HTTPResponse, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        return response, response.read().decode()
    finally:
        connection.close()


def raw_request(server: HealthServer, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while part := client.recv(65536):
            answer += part
        return answer


def test_metrics_shows_the_registry(server: HealthServer, metrics: Metrics) -> None:
    metrics.records.labels("url-events").inc(7)
    response, body = request(server, "/metrics")
    assert response.status == 200
    assert response.headers["Content-Type"].startswith("text/plain")
    assert 'stream_detector_records_total{topic="url-events"} 7.0' in body


def test_metrics_speaks_openmetrics_when_asked(server: HealthServer) -> None:
    accept = "application/openmetrics-text; version=1.0.0"
    response, body = request(server, "/metrics?debug=1", headers={"ACCEPT": accept})
    assert response.headers["Content-Type"].startswith("application/openmetrics-text")
    assert body.endswith("# EOF\n")


def test_readiness_is_the_workers_own(server: HealthServer, readiness: Readiness) -> None:
    response, body = request(server, "/readyz")
    assert (response.status, body) == (200, "ready\n")
    readiness.answer = (False, "no partitions assigned")
    response, body = request(server, "/readyz")
    assert (response.status, body) == (503, "no partitions assigned\n")


def test_a_readiness_check_that_raises_is_not_ready_and_shows_no_secret(
    server: HealthServer, readiness: Readiness
) -> None:
    readiness.answer = RuntimeError("password=hunter2")
    response, body = request(server, "/readyz")
    assert response.status == 503
    assert "hunter2" not in body
    readiness.answer = (True, "ready")
    assert request(server, "/readyz")[0].status == 200


@pytest.mark.parametrize("path", ["/metrics", "/readyz"])
def test_a_failing_request_is_a_500_and_a_log_line(
    server: HealthServer,
    metrics: Metrics,
    readiness: Readiness,
    path: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(Collector):
        def collect(self) -> Iterator[Metric]:
            raise RuntimeError("password=hunter2")

    metrics.registry.register(Broken())
    readiness.answer = (True, "\ud800")
    for method, message in (("GET", "internal error; see the log\n"), ("HEAD", "")):
        response, body = request(server, path, method=method)
        assert (response.status, body) == (500, message)

    assert len(caplog.records) == 2
    assert {record.message for record in caplog.records} == {"a request could not be answered"}
    assert request(server, "/healthz")[0].status == 200


def test_a_loop_that_runs_is_healthy_and_one_that_is_blocked_is_not(
    metrics: Metrics, readiness: Readiness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_LOOP_ANSWERS_SECONDS", 0.2)
    with (
        running_loop() as loop,
        HealthServer(
            registry=metrics.registry, host="127.0.0.1", port=0, readiness=readiness, loop=loop
        ) as server,
    ):
        assert request(server, "/healthz")[0].status == 200
        release = threading.Event()
        loop.call_soon_threadsafe(release.wait)
        try:
            response, body = request(server, "/healthz")
            assert (response.status, body) == (503, "the event loop does not answer\n")
            assert request(server, "/metrics")[0].status == 200
        finally:
            release.set()
        assert request(server, "/healthz")[0].status == 200


def test_a_closed_loop_is_not_healthy(metrics: Metrics, readiness: Readiness) -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    with HealthServer(
        registry=metrics.registry, host="127.0.0.1", port=0, readiness=readiness, loop=loop
    ) as server:
        assert request(server, "/healthz")[0].status == 503


def test_head_gives_only_the_headers(server: HealthServer) -> None:
    response, body = request(server, "/readyz", method="HEAD")
    assert response.status == 200
    assert response.headers["Content-Length"] == "6"
    assert body == ""


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_refused(server: HealthServer, method: str) -> None:
    response, _ = request(server, "/metrics", method=method)
    assert response.status == 405
    assert response.headers["Allow"] == "GET, HEAD"


def test_other_paths_are_not_found_and_not_echoed(server: HealthServer) -> None:
    answer = raw_request(server, b"GET /<script>alert(1)</script> HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"script" not in answer


@pytest.mark.parametrize(
    "data",
    [
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /metrics SPDY/3\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\n\r\n",
        b"X" * 99 + b" /metrics HTTP/1.1\r\nHost: a\r\n\r\n",
    ],
)
def test_garbage_is_a_bad_request(server: HealthServer, data: bytes) -> None:
    answer = raw_request(server, data)
    assert answer.startswith(b"HTTP/1.0 400 ")
    assert answer.endswith(b"\r\n\r\nnot an HTTP/1 request\n")


def test_a_request_without_end_gets_no_answer_and_the_next_one_does(server: HealthServer) -> None:
    assert raw_request(server, b"GET /metrics HTTP/1.1\r\nHost: x") == b""
    assert request(server, "/metrics")[0].status == 200


def test_empty_lines_before_a_request_do_no_harm(server: HealthServer) -> None:
    answer = raw_request(server, b"\r\n\r\nGET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("headers", [b"A: b\r\n" * 4000, b"A: " + b"b" * 20_000])
def test_endless_headers_are_refused(server: HealthServer, headers: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        client.sendall(b"GET / HTTP/1.1\r\n" + headers)
        assert client.recv(100).startswith(b"HTTP/1.0 431 ")


def test_a_slow_client_is_dropped_and_delays_no_other(
    server: HealthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_REQUEST_SECONDS_MAX", 0.3)
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as dawdler:
        dawdler.sendall(b"GET /metr")
        assert request(server, "/metrics")[0].status == 200
        assert dawdler.recv(1) == b""


def test_the_oldest_of_too_many_connections_is_dropped(
    server: HealthServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_CONNECTIONS_MAX", 2)
    with ExitStack() as clients:
        first, second, third = (
            clients.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=20))
            for _ in range(3)
        )
        assert first.recv(1) == b""
        for client in (second, third):
            client.sendall(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200 ")


def test_a_connection_that_has_asked_is_kept_over_idle_ones(
    metrics: Metrics, readiness: Readiness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_CONNECTIONS_MAX", 2)
    with (
        running_loop() as loop,
        HealthServer(
            registry=metrics.registry, host="127.0.0.1", port=0, readiness=readiness, loop=loop
        ) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=20) as asking,
    ):
        blocked, release = threading.Event(), threading.Event()
        loop.call_soon_threadsafe(lambda: (blocked.set(), release.wait()))
        try:
            assert blocked.wait(20)
            asking.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            wait_until(
                lambda: any(each.progress for each in server._connections),
                timeout=20,
                what="the request to be read",
            )
            for _ in range(5):
                with socket.create_connection(("127.0.0.1", server.port), timeout=20):
                    assert request(server, "/metrics")[0].status == 200
        finally:
            release.set()
        assert asking.recv(100).startswith(b"HTTP/1.1 200 ")


def test_stopping_again_does_nothing(metrics: Metrics, readiness: Readiness) -> None:
    server = HealthServer(registry=metrics.registry, host="127.0.0.1", port=0, readiness=readiness)
    server.stop()
    with server:
        assert request(server, "/readyz")[0].status == 200
        server.stop()
        with pytest.raises(ConnectionRefusedError):
            request(server, "/readyz")
    server.stop()


def test_a_port_in_use_is_a_settings_error_that_names_the_flag(
    server: HealthServer, metrics: Metrics, readiness: Readiness
) -> None:
    second = HealthServer(
        registry=metrics.registry, host="127.0.0.1", port=server.port, readiness=readiness
    )
    with pytest.raises(SettingsError, match=f"port {server.port} .*in use: give --http-port"):
        second.start()


def test_a_foreign_address_is_a_settings_error_that_names_the_flag(
    metrics: Metrics, readiness: Readiness
) -> None:
    server = HealthServer(registry=metrics.registry, host="192.0.2.1", port=0, readiness=readiness)
    with pytest.raises(SettingsError, match="give --http-host"):
        server.start()


def test_after_stop_the_port_is_free_again(metrics: Metrics, readiness: Readiness) -> None:
    with HealthServer(
        registry=metrics.registry, host="127.0.0.1", port=0, readiness=readiness
    ) as first:
        port = first.port
        request(first, "/readyz")
    with HealthServer(
        registry=metrics.registry, host="127.0.0.1", port=port, readiness=readiness
    ) as second:
        assert request(second, "/readyz")[0].status == 200
