"""Brokers that are needed and not reached: what is told of them, and how often."""

import logging
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stream_detector.kafka.reachability import ReachMonitor
from support.certificates import CertificateAuthority, CertificateFiles


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path)


@contextmanager
def listener(files: CertificateFiles | None = None) -> Iterator[str]:
    """Address of what takes connections, by TLS with a certificate if there is one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if files is not None:
        context.load_cert_chain(files.both)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    try:
                        if files is not None:
                            connection = context.wrap_socket(connection, server_side=True)
                        connection.sendall(connection.recv(100))
                    except OSError:
                        continue

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.fixture
def closed_address() -> str:
    """Where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


class Scene:
    """A monitor whose missing connections and time are set by hand."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.missing: list[str] = []
        self.is_connected = False
        self.now = 1000.0
        self.refreshed = 0
        self.monitor = ReachMonitor(
            lambda: self.missing,
            is_connected=lambda: self.is_connected,
            refresh=self._refresh,
            context=context,
            clock=lambda: self.now,
        )

    def _refresh(self) -> None:
        self.refreshed += 1

    async def look(self, *missing: str) -> str:
        self.missing = list(missing)
        await self.monitor.look()
        return self.monitor.fault


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    lines = [(record.levelname, record.getMessage()) for record in caplog.records]
    caplog.clear()
    return lines


async def test_where_no_connection_is_missing_nothing_is_probed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    assert await Scene().look() == ""
    assert told(caplog) == []


async def test_a_broker_that_is_away_is_told_once_a_minute_until_it_is_back(
    closed_address: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    scene = Scene()
    for _ in range(5):
        fault = await scene.look(closed_address)
        assert f"{closed_address}: Connection refused" in fault
        scene.now += 2
    assert told(caplog) == [("WARNING", f"{fault}; trying again")]
    scene.now += 60
    await scene.look(closed_address)
    assert len(told(caplog)) == 1

    refreshed = scene.refreshed
    assert refreshed == 6
    assert await scene.look() == ""
    assert await scene.look() == ""
    assert scene.refreshed == refreshed
    assert told(caplog) == [("INFO", "all brokers that are needed are reached again")]


async def test_a_broker_that_is_away_while_others_are_reached_is_told_as_one(
    closed_address: str,
) -> None:
    scene = Scene()
    scene.is_connected = True
    assert await scene.look(closed_address) == (
        f"broker {closed_address} can't be reached (Connection refused), others are: check that "
        "it runs"
    )
    scene.is_connected = False
    assert (await scene.look(closed_address)).startswith("Kafka can't be reached")


async def test_an_expired_certificate_is_an_error_that_names_the_broker(
    authority: CertificateAuthority, caplog: pytest.LogCaptureFixture
) -> None:
    scene = Scene(ssl.create_default_context(cafile=authority.file))
    with listener(authority.issue("broker", days_left=-1)) as address:
        await scene.look(address)
    ((level, line),) = told(caplog)
    assert level == "ERROR"
    assert line.startswith(f"the TLS certificate of Kafka at {address} is not valid")
    assert "certificate has expired" in line


async def test_a_fault_that_changes_is_told_at_once(
    authority: CertificateAuthority, closed_address: str, caplog: pytest.LogCaptureFixture
) -> None:
    scene = Scene(ssl.create_default_context(cafile=authority.file))
    await scene.look(closed_address)
    with listener(CertificateAuthority(authority.file.parent / "strange").issue("a")) as address:
        await scene.look(address)
    (_, first), (_, second) = told(caplog)
    assert "refused" in first
    assert f"{address} is not trusted" in second


async def test_of_many_brokers_a_few_are_told_and_the_rest_counted() -> None:
    # Ports below 10, which nothing listens on.
    fault = await Scene().look(*(f"127.0.0.1:{port}" for port in range(2, 7)))
    assert fault.count("Connection refused") == 3
    assert fault.endswith("; and 2 brokers more")


async def test_a_broker_that_was_reached_is_not_probed_again_at_once() -> None:
    scene = Scene()
    with listener() as address:
        assert await scene.look(address) == ""
    assert await scene.look(address) == ""
    scene.now += 31
    assert "refused" in await scene.look(address)


async def test_a_connection_that_came_and_went_is_probed_at_once() -> None:
    scene = Scene()
    with listener() as address:
        assert await scene.look(address) == ""
    assert await scene.look() == ""
    assert "refused" in await scene.look(address)
