"""``/metrics``, ``/healthz`` and ``/readyz``: HTTP on a thread of its own.

The thread runs its own event loop: a blocked worker still answers that it is blocked, and a
scrape never holds up the worker. Slow, broken and too many clients cost a bounded amount of
memory, no thread each, and are dropped after ``_REQUEST_SECONDS_MAX``, a TLS handshake included.
Where there are too many, a new one takes the place of the one that has done least, of the address
that has most of them, for the longest: idle clients can't shut out a scrape. Who may have an answer
is for ``web_access`` to say.
"""

import asyncio
import errno
import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self, cast

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import choose_encoder

from stream_detector.errors import SettingsError
from stream_detector.web.access import WebAccess
from stream_detector.web.config import WebConfig
from stream_detector.web.logins import TooManyLoginsError, client_of

__all__ = ["HealthServer"]

logger = logging.getLogger(__name__)

_REQUEST_SECONDS_MAX = 10.0
"""From connection to last byte sent."""
_REQUEST_BYTES_MAX = 16 * 1024
"""Request line and headers."""
_CONNECTIONS_MAX = 64
"""At once; a Prometheus, an orchestrator and a few people need fewer."""
_LOOP_ANSWERS_SECONDS = 5.0
"""How long the worker's event loop may take to answer before ``/healthz`` fails."""
_TEXT = "text/plain; charset=utf-8"


class _Progress(IntEnum):
    """How far a connection has come; where there are too many, the lowest are dropped first."""

    CONNECTED = 0
    ASKED = 1
    """It has sent a whole request; its login may still be checked, which is slow on purpose."""
    LET_IN = 2


@dataclass(slots=True)
class _Connection:
    client: str
    progress: _Progress = _Progress.CONNECTED


class _Response(NamedTuple):
    status: HTTPStatus
    body: bytes
    content_type: str = _TEXT


class HealthServer:
    """Serves a registry and two checks by HTTP. Use it as a context manager.

    - ``/metrics``: the registry, in the Prometheus or OpenMetrics text format.
    - ``/healthz``: 200 while ``loop`` runs what is handed to it within 5 s, else 503.
    - ``/readyz``: 200 or 503, as ``readiness`` says, and its text.

    GET and HEAD only. One request a connection. Nothing of a request is echoed. With a web
    configuration all three want TLS, a login or both, and any other path too.

    Args:
        registry: what ``/metrics`` shows.
        host: address to listen on.
        port: its port; 0 for any free one, see ``port``.
        readiness: whether the worker is ready, and why or why not. Called in this server's
            thread.
        loop: the worker's event loop; without one ``/healthz`` says only that the process runs.
        web_config: file of TLS and basic authentication; without one it serves anybody, in clear.
        certificates: shows when those of ``web_config`` expire.

    Raises:
        SettingsError: the file of ``web_config`` can't be used.
    """

    def __init__(
        self,
        *,
        registry: CollectorRegistry,
        host: str,
        port: int,
        readiness: Callable[[], tuple[bool, str]],
        loop: asyncio.AbstractEventLoop | None = None,
        web_config: Path | None = None,
        certificates: Gauge | None = None,
    ) -> None:
        self._access = WebAccess(web_config, certificates)
        self._registry = registry
        self._host = host
        self._readiness = readiness
        self._watched = loop
        self._own = asyncio.new_event_loop()
        self._thread: threading.Thread | None = None
        self._port = port
        self._connections: dict[asyncio.Task[None], _Connection] = {}
        """In the order in which they came."""

    @property
    def port(self) -> int:
        """The port asked for; once started, the one it listens on."""
        return self._port

    @property
    def url(self) -> str:
        """Where it listens, without a path."""
        scheme = "https" if (config := self._access.config) and config.tls else "http"
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{scheme}://{host}:{self._port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen.

        Raises:
            SettingsError: the port is taken, or the address is not this machine's.
        """
        listening = asyncio.start_server(
            self._accept, self._host, self._port, limit=_REQUEST_BYTES_MAX
        )
        try:
            server = self._own.run_until_complete(listening)
        except OSError as error:
            self._own.close()
            self._access.close()
            raise _unusable(self._host, self._port, error) from error
        self._port = server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._run, args=(server,), name="http", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, drop open connections and end the thread; once it has, nothing more."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._own.call_soon_threadsafe(self._own.stop)
            thread.join()
            self._access.close()

    def _run(self, server: asyncio.Server) -> None:
        asyncio.set_event_loop(self._own)
        self._own.run_forever()
        server.close()
        # Those too that were dropped and have not ended yet.
        tasks = asyncio.all_tasks(self._own)
        for task in tasks:
            task.cancel()
        self._own.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._own.close()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= _CONNECTIONS_MAX:
            self._drop_one()
        config = self._access.config
        if config and config.tls:
            # What comes first belongs to the handshake.
            cast(asyncio.Transport, writer.transport).pause_reading()
        host, *_ = writer.get_extra_info("peername") or ("",)
        client = client_of(host)
        connection = self._own.create_task(self._serve(reader, writer, config, client))
        self._connections[connection] = _Connection(client)

        def ended(connection: asyncio.Task[None]) -> None:
            # Not for the task itself: one that is dropped before its first step never begins.
            writer.transport.abort()
            self._connections.pop(connection, None)

        connection.add_done_callback(ended)

    def _drop_one(self) -> None:
        of_client = Counter(each.client for each in self._connections.values())

        def worth(connection: asyncio.Task[None]) -> tuple[_Progress, int]:
            about = self._connections[connection]
            return about.progress, -of_client[about.client]

        # Of several the first: the one that has waited longest.
        dropped = min(self._connections, key=worth)
        del self._connections[dropped]
        dropped.cancel()

    async def _serve(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        config: WebConfig | None,
        client: str,
    ) -> None:
        """Answer one request and close; a client that breaks off or dawdles is dropped."""
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(_REQUEST_SECONDS_MAX):
                if config and config.tls:
                    await writer.start_tls(config.tls)
                writer.write(await self._answer(reader, config, client))
                await writer.drain()
                writer.close()
                await writer.wait_closed()

    def _has_come_to(self, progress: _Progress) -> None:
        """Note it of the connection whose task this is called in."""
        connection = asyncio.current_task(self._own)
        if connection in self._connections:
            self._connections[connection].progress = progress

    async def _answer(
        self, reader: asyncio.StreamReader, config: WebConfig | None, client: str
    ) -> bytes:
        """Read one request; the bytes of the answer to it."""
        headers = config.headers if config else {}
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            response = _Response(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, b"too long\n")
            return _bytes_of(response, headers, with_body=True)
        self._has_come_to(_Progress.ASKED)
        request_line, *lines = head.decode("latin-1").split("\r\n")
        method, _, rest = request_line.partition(" ")
        target, _, version = rest.partition(" ")
        if not version.startswith("HTTP/1."):
            response = _Response(HTTPStatus.BAD_REQUEST, b"not an HTTP/1 request\n")
            return _bytes_of(response, headers, with_body=True)
        try:
            if not await self._access.allows(config, _header("authorization", lines), client):
                response = _Response(HTTPStatus.UNAUTHORIZED, b"log in\n")
            elif method not in {"GET", "HEAD"}:
                response = _Response(HTTPStatus.METHOD_NOT_ALLOWED, b"GET or HEAD only\n")
            else:
                self._has_come_to(_Progress.LET_IN)
                response = await self._respond(target.partition("?")[0], _header("accept", lines))
        except TooManyLoginsError:
            response = _Response(
                HTTPStatus.TOO_MANY_REQUESTS, b"too many logins from your address: try again\n"
            )
        except Exception:
            # A collector, a text of readiness or a hash that bcrypt does not take.
            logger.exception("a request could not be answered")
            response = _Response(HTTPStatus.INTERNAL_SERVER_ERROR, b"internal error; see the log\n")
        return _bytes_of(response, headers, with_body=method != "HEAD")

    async def _respond(self, path: str, accept: str) -> _Response:
        if path == "/metrics":
            encoder, content_type = choose_encoder(accept)
            return _Response(HTTPStatus.OK, encoder(self._registry), content_type)
        if path == "/healthz":
            return await self._health()
        if path == "/readyz":
            return self._ready()
        return _Response(HTTPStatus.NOT_FOUND, b"try /metrics, /healthz or /readyz\n")

    async def _health(self) -> _Response:
        if self._watched is None:
            return _Response(HTTPStatus.OK, b"ok\n")
        answered = asyncio.Event()
        try:
            self._watched.call_soon_threadsafe(self._own.call_soon_threadsafe, answered.set)
            await asyncio.wait_for(answered.wait(), _LOOP_ANSWERS_SECONDS)
        except RuntimeError:
            return _Response(HTTPStatus.SERVICE_UNAVAILABLE, b"the event loop is closed\n")
        except TimeoutError:
            return _Response(HTTPStatus.SERVICE_UNAVAILABLE, b"the event loop does not answer\n")
        return _Response(HTTPStatus.OK, b"ok\n")

    def _ready(self) -> _Response:
        try:
            ready, why = self._readiness()
        except Exception:
            # A check that fails is an answer, and must not end this thread.
            logger.exception("the readiness check failed")
            ready, why = False, "the readiness check failed; see the log"
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        return _Response(status, f"{why}\n".encode())


def _header(wanted: str, lines: list[str]) -> str:
    """The value of the first header called ``wanted``, in small letters; empty without one."""
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip().lower() == wanted:
            return value.strip()
    return ""


def _bytes_of(response: _Response, more: Mapping[str, str], *, with_body: bool) -> bytes:
    headers = {
        "Content-Type": response.content_type,
        "Content-Length": len(response.body),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Connection": "close",
        **more,
    }
    if response.status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = "GET, HEAD"
    if response.status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Basic realm="metrics", charset="UTF-8"'
    lines = [f"HTTP/1.1 {response.status.value} {response.status.phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = "".join(f"{line}\r\n" for line in lines)
    return f"{head}\r\n".encode() + (response.body if with_body else b"")


def _unusable(host: str, port: int, error: OSError) -> SettingsError:
    if error.errno == errno.EADDRINUSE:
        return SettingsError(
            f"port {port} on {host} is in use: give --http-port another one (0: any free one)"
        )
    if error.errno == errno.EACCES:
        return SettingsError(
            f"port {port} on {host} is not allowed: give --http-port one above 1023"
        )
    return SettingsError(
        f"can't listen on {host}, port {port} ({error.strerror or error}): "
        "give --http-host an address of this machine, such as 127.0.0.1 or 0.0.0.0"
    )
