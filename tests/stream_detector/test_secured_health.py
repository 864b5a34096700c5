"""``/metrics`` and health by TLS, with a login, under slow, broken, hostile and many clients."""

import base64
import http.client
import json
import logging
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import bcrypt
import pytest

from stream_detector import health
from stream_detector.errors import SettingsError
from stream_detector.health import HealthServer
from stream_detector.metrics import Metrics
from support.certificates import CertificateAuthority, CertificateFiles
from support.commands import assert_one_line_error, environment_of, run_command
from support.processes import free_port, start_module, wait_for_line

PASSWORD = "correct-horse-battery"
TLS = "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"
NEITHER = "http_server_config: {http2: false}\n"
PATHS = ["/metrics", "/healthz", "/readyz", "/", "/metrics/../secret"]

Serve = Callable[[str], HealthServer]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("web")


@pytest.fixture(scope="module")
def authority(folder: Path) -> CertificateAuthority:
    authority = CertificateAuthority(folder)
    authority.issue("server")
    return authority


@pytest.fixture
def serve(folder: Path, authority: CertificateAuthority) -> Iterator[Serve]:
    """Starts a server with a web configuration."""
    with ExitStack() as servers:

        def start(text: str) -> HealthServer:
            file = folder / "web.yml"
            file.write_text(text)
            server = HealthServer(
                registry=Metrics().registry,
                host="127.0.0.1",
                port=0,
                readiness=lambda: (True, "ready"),
                web_config=file,
            )
            return servers.enter_context(server)

        yield start


@pytest.fixture
def trusting(authority: CertificateAuthority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority.file)


def users(cost: int = 4, **passwords: str) -> str:
    lines = [
        f"  {name}: {bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()}\n"
        for name, password in passwords.items()
    ]
    return "basic_auth_users:\n" + "".join(lines)


def basic(user: str, password: str) -> dict[str, str]:
    login = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {login}"}


def get(
    server: HealthServer,
    path: str = "/metrics",
    *,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> tuple[http.client.HTTPResponse, bytes]:
    connection: http.client.HTTPConnection = (
        http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        if tls is None
        else http.client.HTTPSConnection("127.0.0.1", server.port, timeout=20, context=tls)
    )
    try:
        connection.request(method, path, headers=headers or {})
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def all_of(client: socket.socket) -> bytes:
    """What comes until the server hangs up."""
    answer = b""
    with suppress(ConnectionResetError):
        while part := client.recv(65536):
            answer += part
    return answer


# --- TLS ------------------------------------------------------------------------------------


def test_metrics_come_by_tls_and_not_in_the_clear(serve: Serve, trusting: ssl.SSLContext) -> None:
    server = serve(TLS)

    assert server.url == f"https://127.0.0.1:{server.port}"
    for path in PATHS[:3]:
        assert get(server, path, tls=trusting)[0].status == 200
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as plain:
        plain.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        assert b"HTTP" not in all_of(plain)
    with pytest.raises(ssl.SSLCertVerificationError):
        get(server, tls=ssl.create_default_context())


def test_versions_of_tls_are_bounded(serve: Serve, trusting: ssl.SSLContext) -> None:
    server = serve(TLS.replace("server.key}", "server.key, min_version: TLS13}"))
    assert get(server, tls=trusting)[0].status == 200

    trusting.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        get(server, tls=trusting)


@pytest.mark.parametrize("maximum", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_client_certificates_are_asked_for_and_checked(
    serve: Serve,
    trusting: ssl.SSLContext,
    authority: CertificateAuthority,
    tmp_path: Path,
    maximum: ssl.TLSVersion,
) -> None:
    checked = "client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.pem}"
    server = serve(TLS.replace("server.key}", f"server.key, {checked}"))
    trusting.maximum_version = maximum

    refusals = (ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)
    with pytest.raises(refusals):
        get(server, tls=trusting)

    def present(files: CertificateFiles) -> None:
        trusting.load_cert_chain(files.certificate, files.key)

    for refused in (
        CertificateAuthority(tmp_path, "another").issue("client"),
        authority.issue("expired", expired=True),
    ):
        present(refused)
        with pytest.raises(refusals):
            get(server, tls=trusting)
    present(authority.issue("client"))
    assert get(server, tls=trusting)[0].status == 200


def test_a_renewed_certificate_is_served_without_a_restart(
    serve: Serve, trusting: ssl.SSLContext, authority: CertificateAuthority
) -> None:
    server = serve(TLS)

    def served() -> str:
        with (
            socket.create_connection(("127.0.0.1", server.port), timeout=20) as plain,
            trusting.wrap_socket(plain, server_hostname="127.0.0.1") as client,
        ):
            return str(client.getpeercert()["serialNumber"])  # type: ignore[index]

    before = served()
    authority.issue("server")

    assert served() != before
    assert get(server, tls=trusting)[0].status == 200


# --- logins ---------------------------------------------------------------------------------


@pytest.mark.parametrize("tls", ["", TLS], ids=["in clear", "by TLS"])
def test_who_logs_in_is_let_in_and_nobody_else_whatever_the_path(
    serve: Serve, trusting: ssl.SSLContext, tls: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = serve(tls + users(kim=PASSWORD, prometheus="another"))
    context = trusting if tls else None

    for path, status in zip(PATHS, [200, 200, 200, 404, 404], strict=True):
        response, _ = get(server, path, headers=basic("kim", PASSWORD), tls=context)
        assert response.status == status
        for headers in [
            {},
            basic("kim", "wr0ng"),
            basic("kim", "another"),
            basic("mallory", PASSWORD),
            {"Authorization": f"Bearer {PASSWORD}"},
        ]:
            response, body = get(server, path, headers=headers, tls=context)
            assert (response.status, body) == (401, b"log in\n")
            assert response.headers["WWW-Authenticate"].startswith('Basic realm="')
    assert get(server, "/metrics", method="POST", tls=context)[0].status == 401
    for secret in (PASSWORD, "wr0ng", base64.b64encode(f"kim:{PASSWORD}".encode()).decode()):
        assert secret not in caplog.text


def test_a_flood_of_wrong_passwords_holds_up_neither_who_is_known_nor_the_loop(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hashes are slow: wrong ones wait for one another, and nobody who is known for them."""
    server = serve(users(kim=PASSWORD))
    assert get(server, headers=basic("kim", PASSWORD))[0].status == 200
    checking, release = threading.Event(), threading.Event()
    real = bcrypt.checkpw

    def slow(password: bytes, hashed: bytes) -> bool:
        checking.set()
        release.wait()
        return real(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", slow)
    with ExitStack() as clients:
        waiting = [
            clients.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=20))
            for _ in range(20)
        ]
        for number, client in enumerate(waiting):
            header = basic("kim", f"wrong-{number}")["Authorization"]
            client.sendall(f"GET /metrics HTTP/1.1\r\nAuthorization: {header}\r\n\r\n".encode())
        assert checking.wait(20)
        try:
            assert get(server, headers=basic("kim", PASSWORD))[0].status == 200
            assert get(server, headers={})[0].status == 401
        finally:
            release.set()
        assert all(all_of(client).startswith(b"HTTP/1.1 401 ") for client in waiting)


def test_headers_of_the_file_are_in_every_answer(serve: Serve) -> None:
    server = serve(
        users(kim=PASSWORD)
        + "http_server_config: {headers: {X-Frame-Options: deny, "
        + "Content-Security-Policy: default-src 'none'}}\n"
    )

    for headers in (basic("kim", PASSWORD), {}):
        response, _ = get(server, headers=headers)
        assert response.headers["X-Frame-Options"] == "deny"
        assert response.headers["Content-Security-Policy"] == "default-src 'none'"
        assert response.headers.get_all("X-Content-Type-Options") == ["nosniff"]


# --- slow, broken and hostile clients -------------------------------------------------------

GARBAGE = [
    b"\0" * 100,
    os.urandom(500),
    b"\x16\x03\x01\x40\x00" + os.urandom(300),
    b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
    b"GET /metrics HTTP/1.1\r\n\r\n",
    b"\x80\x2e\x01\x03\x01",
    b"",
]


@pytest.mark.parametrize("tls", [NEITHER, TLS], ids=["in clear", "by TLS"])
def test_garbage_is_dropped_and_the_next_one_served(
    serve: Serve, trusting: ssl.SSLContext, tls: str, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(tls or "http_server_config: {}\n")

    for garbage in GARBAGE:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
            client.sendall(garbage)
            client.shutdown(socket.SHUT_WR)
            all_of(client)

    assert get(server, tls=trusting if tls is TLS else None)[0].status == 200
    assert caplog.records == []


def test_garbage_inside_of_tls_is_a_bad_request(serve: Serve, trusting: ssl.SSLContext) -> None:
    server = serve(TLS)

    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=20) as plain,
        trusting.wrap_socket(plain, server_hostname="localhost") as client,
    ):
        client.sendall(b"\0\1\2 <script>\r\n\r\n")
        answer = all_of(client)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"script" not in answer


def test_a_handshake_that_stops_half_way_is_dropped_and_holds_up_no_one(
    serve: Serve, trusting: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_REQUEST_SECONDS_MAX", 1.0)
    server = serve(TLS)
    hello = ssl.MemoryBIO()
    half = trusting.wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        half.do_handshake()
    first = hello.read()

    with ExitStack() as clients:
        for sent in (b"", first[:20], first):
            client = clients.enter_context(
                socket.create_connection(("127.0.0.1", server.port), timeout=20)
            )
            client.sendall(sent)
            assert get(server, tls=trusting)[0].status == 200
            all_of(client)  # It ends: the server hangs up.
    assert get(server, tls=trusting)[0].status == 200


def test_a_client_that_neither_reads_nor_closes_is_dropped(
    serve: Serve, trusting: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_REQUEST_SECONDS_MAX", 1.0)
    monkeypatch.setattr(health, "_CONNECTIONS_MAX", 1)
    server = serve(TLS)

    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=20) as plain,
        trusting.wrap_socket(plain, server_hostname="localhost") as mute,
    ):
        mute.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")

        def served() -> bool:
            try:
                return get(server, tls=trusting)[0].status == 200
            except OSError:
                return False

        deadline = time.monotonic() + 30
        while not served():
            assert time.monotonic() < deadline, "its place is free again"


def test_handshakes_count_as_connections_and_more_than_the_most_are_refused(
    serve: Serve, trusting: ssl.SSLContext
) -> None:
    server = serve(TLS)
    with ExitStack() as clients:
        for _ in range(health._CONNECTIONS_MAX):
            clients.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=20))
        with pytest.raises(OSError):
            get(server, tls=trusting)

    deadline = time.monotonic() + 30
    while True:
        try:
            assert get(server, tls=trusting)[0].status == 200
            break
        except OSError:
            assert time.monotonic() < deadline, "closed connections make room"


def test_many_at_once_are_all_served(serve: Serve, trusting: ssl.SSLContext) -> None:
    server = serve(TLS + users(kim=PASSWORD))
    statuses: list[int] = []

    def scrape() -> None:
        for _ in range(5):
            response, body = get(server, headers=basic("kim", PASSWORD), tls=trusting)
            assert body.endswith(b"\n")
            statuses.append(response.status)

    threads = [threading.Thread(target=scrape) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert statuses == [200] * 100


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "X" * 99])
def test_other_methods_are_refused_and_not_echoed(
    serve: Serve, trusting: ssl.SSLContext, method: str
) -> None:
    server = serve(TLS)

    response, body = get(server, method=method, headers={"X-Marker": "mark"}, tls=trusting)

    assert response.status == 405
    assert response.headers["Allow"] == "GET, HEAD"
    assert body == b"GET or HEAD only\n"
    assert "mark" not in str(response.headers)


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET /a%0d%0aSet-Cookie:%20marker=1 HTTP/1.1\r\n",
        b"GET /metrics?marker HTTP/1.1\r\nAuthorization: Basic \rmarker\nmarker: 1\r\n",
        b"GET /marker\x00\x1b[31m HTTP/1.1\r\n",
        b"GET /marker\rSet-Cookie: marker HTTP/1.1\r\n",
        b"GET http://marker.example/ HTTP/1.1\r\nHost: marker\r\n",
        b"GET / HTTP/1.1 marker\r\n",
        b"GET /marker HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n",
    ],
)
def test_nothing_of_a_request_comes_back(
    serve: Serve, request_head: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(users(kim=PASSWORD))
    login = f"Authorization: {basic('kim', PASSWORD)['Authorization']}\r\n".encode()

    for sent in (request_head, request_head + login):
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
            client.sendall(sent + b"\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\n\r\n")
            client.shutdown(socket.SHUT_WR)
            answer = all_of(client)
        assert b"marker" not in answer
        assert answer.count(b"HTTP/1.1 ") <= 1, "one answer a connection"
    assert caplog.records == []


# --- the commands ---------------------------------------------------------------------------


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
    root = Path(__file__).resolve().parents[2]
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
