"""Wrong logins without end, from other addresses than the right one: 127.0.0.0/8 is all ours."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPException
from itertools import count
from pathlib import Path

import bcrypt
import pytest

from stream_detector.web import server as health
from stream_detector.web.server import HealthServer
from support.processes import wait_until
from support.web import PASSWORD, Serve, all_of, basic, get, users

OWN = "127.0.1.1"


@contextmanager
def flood(server: HealthServer, sources: list[str], password: Callable[[], str]) -> Iterator[None]:
    """A thread each from ``sources`` that sends wrong logins without pause; ends the server."""
    stop = threading.Event()
    answered = [threading.Event() for _ in sources]

    def send(source: str, answered: threading.Event) -> None:
        while not stop.is_set():
            with suppress(OSError, HTTPException):
                response, _ = get(server, headers=basic("prom", password()), source=source)
                assert response.status in {401, 429}
                answered.set()

    threads = [
        threading.Thread(target=send, args=each) for each in zip(sources, answered, strict=True)
    ]
    for thread in threads:
        thread.start()
    try:
        assert any(each.wait(20) for each in answered)
        yield
    finally:
        stop.set()
        server.stop()  # Else the last checks would have to be waited for.
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("same", [False, True], ids=["each another", "all the same"])
@pytest.mark.parametrize(
    "sources",
    [["127.0.0.1"] * 60, [f"127.0.2.{number}" for number in range(1, 21)] * 3],
    ids=["one address", "twenty addresses"],
)
def test_a_flood_of_wrong_logins_does_not_shut_out_a_first_right_one(
    serve: Serve, sources: list[str], same: bool
) -> None:
    server = serve(users(12, prom="pw"))
    numbers = count()

    with flood(server, sources, lambda: "wrong" if same else f"wrong-{next(numbers)}"):
        for _ in range(2):
            assert get(server, headers=basic("prom", "pw"), source=OWN)[0].status == 200


def test_a_known_login_stays_valid_after_a_reload(
    serve: Serve, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kim, jo = users(kim=PASSWORD), users(jo="jo's").partition("\n")[2]
    server = serve(kim + jo)
    assert get(server, headers=basic("kim", PASSWORD))[0].status == 200
    assert get(server, headers=basic("jo", "jo's"))[0].status == 200
    file = folder / "web.yml"

    file.write_text(kim + users(jo="another").partition("\n")[2] + "# read again\n")
    assert get(server, headers=basic("jo", "jo's"))[0].status == 401
    assert get(server, headers=basic("jo", "another"))[0].status == 200
    monkeypatch.setattr(bcrypt, "checkpw", lambda *_: pytest.fail("kim is known"))
    assert get(server, headers=basic("kim", PASSWORD))[0].status == 200


def test_too_many_connections_cost_no_address_that_has_few(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that waits longest for its check is kept, since others have more."""
    server = serve(users(kim=PASSWORD))
    checking, release = threading.Event(), threading.Event()
    real = bcrypt.checkpw

    def slow(password: bytes, hashed: bytes) -> bool:
        checking.set()
        release.wait()
        return real(password, hashed)

    def ask(source: str, password: str) -> socket.socket:
        client = socket.create_connection(
            ("127.0.0.1", server.port), timeout=20, source_address=(source, 0)
        )
        header = basic("kim", password)["Authorization"]
        client.sendall(
            f"GET /metrics HTTP/1.1\r\nHost: a\r\nAuthorization: {header}\r\n\r\n".encode()
        )
        return client

    monkeypatch.setattr(bcrypt, "checkpw", slow)
    with ExitStack() as clients:
        try:
            first = clients.enter_context(ask(OWN, PASSWORD))
            assert checking.wait(20)
            for number in range(2 * health._CONNECTIONS_MAX):
                source = f"127.0.2.{1 + number // 4}"
                clients.enter_context(ask(source, f"wrong-{number}"))
            in_flight = server._logins._in_flight
            wait_until(
                lambda: source in {client for client, _ in list(in_flight)},
                timeout=20,
                what="the last address's logins to be taken",
            )
        finally:
            release.set()
        assert all_of(first).startswith(b"HTTP/1.1 200 ")
