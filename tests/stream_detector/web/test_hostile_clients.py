"""Slow, broken, hostile and many clients of a server, in the clear and by TLS."""

import os
import socket
import ssl
import threading
from asyncio import all_tasks
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from itertools import islice
from pathlib import Path

import bcrypt
import pytest

from stream_detector.web import server as health
from stream_detector.web.server import HealthServer
from support.processes import wait_until
from support.web import NEITHER, PASSWORD, TLS, Serve, all_of, basic, get, users

GARBAGE = [
    b"\0" * 100,
    os.urandom(500),
    b"\x16\x03\x01\x40\x00" + os.urandom(300),
    b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
    b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n",
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

    assert answer.startswith(b"HTTP/1.0 400 ")
    assert b"script" not in answer


def test_an_unfinished_handshake_is_dropped_and_delays_no_other(
    serve: Serve, trusting: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_REQUEST_SECONDS_MAX", 1.0)
    server = serve(TLS)
    first = half_a_handshake(trusting)

    with ExitStack() as clients:
        for sent in (b"", first[:20], first):
            client = clients.enter_context(
                socket.create_connection(("127.0.0.1", server.port), timeout=20)
            )
            client.sendall(sent)
            assert get(server, tls=trusting)[0].status == 200
            all_of(client)  # It ends: the server hangs up.
    assert get(server, tls=trusting)[0].status == 200


def test_clients_that_neither_read_nor_close_are_dropped(
    serve: Serve, trusting: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_REQUEST_SECONDS_MAX", 1.0)
    server = serve(TLS)

    with ExitStack() as clients:
        for _ in range(2 * health._CONNECTIONS_MAX):
            plain = socket.create_connection(("127.0.0.1", server.port), timeout=20)
            mute = clients.enter_context(trusting.wrap_socket(plain, server_hostname="localhost"))
            mute.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        assert get(server, tls=trusting)[0].status == 200
        wait_until(lambda: all_ended(server), timeout=30, what="the end of their time")


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def all_ended(server: HealthServer) -> bool:
    return all(connection.has_ended for connection in server._connections)


def connections(server: HealthServer, first: bytes) -> Iterator[socket.socket]:
    """New connections, each with ``first`` sent."""
    while True:
        client = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        client.sendall(first)
        yield client


def half_a_handshake(trusting: ssl.SSLContext) -> bytes:
    """All that a client sends before it hears anything."""
    hello = ssl.MemoryBIO()
    half = trusting.wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        half.do_handshake()
    return hello.read()


@pytest.mark.parametrize("secured", [False, True], ids=["in the clear", "by TLS and login"])
def test_idle_and_trickling_clients_do_not_shut_out_a_request(
    serve: Serve,
    trusting: ssl.SSLContext,
    secured: bool,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first try is answered, though nobody's time ever runs out."""
    monkeypatch.setattr(health, "_REQUEST_SECONDS_MAX", 1000.0)
    server = serve(TLS + users(kim=PASSWORD) if secured else NEITHER)
    files_before = open_files()
    hello = half_a_handshake(trusting)
    starts = [b"", hello[:20], hello] if secured else [b"", b"G", b"GET /metrics HTTP/1.1\r\nA:"]

    def answered() -> bool:
        headers = basic("kim", PASSWORD) if secured else {}
        return get(server, headers=headers, tls=trusting if secured else None)[0].status == 200

    with ExitStack() as clients:
        held = [
            clients.enter_context(client)
            for start in starts
            for client in islice(connections(server, start), 200)
        ]
        assert answered()
        assert len(server._connections) <= health._CONNECTIONS_MAX
        trickled = hello[20:40] if secured else b" "
        for round_number in range(3):
            for client in held:
                with suppress(OSError):  # Most have been dropped.
                    client.sendall(trickled[round_number : round_number + 1])
            assert answered()
    wait_until(lambda: open_files() <= files_before, timeout=30, what="the end of all connections")
    assert all_ended(server)
    wait_until(lambda: not all_tasks(server._loop), timeout=30, what="the end of all tasks")
    assert caplog.records == []


def test_pending_logins_do_not_shut_out_a_known_one(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(users(kim=PASSWORD))
    assert get(server, headers=basic("kim", PASSWORD))[0].status == 200
    checking, release = threading.Event(), threading.Event()

    def never(password: bytes, hashed: bytes) -> bool:
        checking.set()
        return release.wait() and False

    monkeypatch.setattr(bcrypt, "checkpw", never)
    wrong = basic("kim", "wrong")["Authorization"]
    head = f"GET /metrics HTTP/1.1\r\nHost: a\r\nAuthorization: {wrong}\r\n\r\n".encode()
    with ExitStack() as clients:
        try:
            for client in islice(connections(server, head), 2 * health._CONNECTIONS_MAX):
                clients.enter_context(client)
            assert checking.wait(20)
            assert get(server, headers=basic("kim", PASSWORD))[0].status == 200
        finally:
            release.set()


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


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT"])
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
            client.sendall(sent + b"\r\n0\r\n\r\nGET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
            client.shutdown(socket.SHUT_WR)
            answer = all_of(client)
        assert b"marker" not in answer
        assert answer.count(b"HTTP/1.") <= 1, "one answer a connection"
    assert caplog.records == []
