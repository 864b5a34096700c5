"""``/metrics``, ``/healthz`` and ``/readyz``: aiohttp on a thread with an event loop of its own.

A blocked worker still answers that it is blocked, and a scrape never holds up the worker. aiohttp
reads requests and writes answers; this module bounds the number and the time of connections.
"""

import asyncio
import errno
import logging
import ssl
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Self, cast

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import choose_encoder

from stream_detector.errors import SettingsError
from stream_detector.web.config import WatchedWebConfig, WebConfig
from stream_detector.web.logins import Logins, TooManyLoginsError, client_of

logger = logging.getLogger(__name__)

_REQUEST_SECONDS_MAX = 10.0
"""From connection to last byte sent."""
_CONNECTIONS_MAX = 64
"""At once; a Prometheus, an orchestrator and a few people need fewer."""
_HEADERS_MAX = 32
"""Of a request. aiohttp bounds each to 16 KB, so all connections together to 32 MB."""
_LOOP_ANSWERS_SECONDS = 5.0
"""How long the worker's event loop may take to answer before ``/healthz`` fails."""
_TEXT = "text/plain; charset=utf-8"


class _Connection(web.RequestHandler):
    """One connection, bounded from before its TLS handshake until its end.

    aiohttp itself sees one only after the handshake, and never serves a renewed certificate.
    """

    def __init__(self, owner: "HealthServer", http: web.Server, config: WebConfig | None) -> None:
        super().__init__(
            http,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type] # None is aiohttp's way to switch it off
            keepalive_timeout=0,  # The server closes a connection after one answer.
            lingering_time=0,  # It does not wait for a body that nobody reads.
            max_headers=_HEADERS_MAX,
        )
        self._owner = owner
        self._handshake: asyncio.Task[None] | None = None
        self.config = config
        self.client = ""
        self.progress = 0
        """1 once it has sent a whole request, 2 once its login, if any, is right."""
        self.tcp: asyncio.Transport
        self.deadline: asyncio.TimerHandle

    @property
    def has_ended(self) -> bool:
        """Whether its socket is closed; a transport that is closing may still send."""
        return bool(self.tcp.get_extra_info("socket").fileno() < 0)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Enter the server's list; then aiohttp reads the request, after the handshake if any."""
        self.tcp = cast(asyncio.Transport, transport)
        host, *_ = transport.get_extra_info("peername") or ("",)
        self.client = client_of(host)
        self._owner.admit(self)
        if self.config and self.config.tls:
            self.tcp.pause_reading()  # The first bytes belong to the handshake.
            self._handshake = asyncio.create_task(self._secure(self.config.tls))
        else:
            super().connection_made(transport)

    async def _secure(self, tls: ssl.SSLContext) -> None:
        with suppress(OSError):  # as is a TLS error
            loop = asyncio.get_running_loop()
            transport = await loop.start_tls(self.tcp, self, tls, server_side=True)
            if transport is not None:  # The client may be gone.
                super().connection_made(transport)

    def eof_received(self) -> bool:  # type: ignore[override] # asyncio heeds the result
        """Keep a half-closed connection, as `nc -N` makes it, until its answer is sent."""
        # asyncio warns if a TLS connection, which has no half-closed state, returns True.
        # aiohttp counts whole requests, bad ones too. The tests of half-closed connections and of
        # trickling clients fail if it ceases to.
        return self._request_count > 0 and self._handshake is None

    def response(self, status: HTTPStatus, text: str | bytes, **headers: str) -> web.Response:
        """An answer with the headers that all have; ``text`` as str is one line without its end."""
        response = web.Response(
            status=status,
            body=text if isinstance(text, bytes) else f"{text}\n".encode(),
            headers={
                "Content-Type": _TEXT,
                "Cache-Control": "no-store",
                "X-Content-Type-Options": "nosniff",
                "Server": "stream-detector",  # aiohttp would name its version and Python's.
                **(self.config.headers if self.config else {}),
                **{name.replace("_", "-"): value for name, value in headers.items()},
            },
        )
        response.force_close()
        return response

    def handle_error(
        self,
        request: web.BaseRequest,  # noqa: ARG002 - aiohttp's signature
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer without the request's text, which aiohttp would quote, in its log too."""
        if isinstance(exc, LineTooLong) or message == "Too many headers received":
            return self.response(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "too long")
        if status == HTTPStatus.BAD_REQUEST:
            return self.response(HTTPStatus.BAD_REQUEST, "not an HTTP/1 request")
        # A collector, a text of readiness or a hash that bcrypt does not take.
        logger.error("a request could not be answered", exc_info=exc)
        return self.response(HTTPStatus.INTERNAL_SERVER_ERROR, "internal error; see the log")


class HealthServer:
    """Serves a registry and two checks by HTTP. Use it as a context manager.

    - ``/metrics``: the registry, in the Prometheus or OpenMetrics text format.
    - ``/healthz``: 200 while ``loop``, the worker's, runs callbacks within 5 s, else 503.
    - ``/readyz``: 200 or 503, as ``readiness`` says, and its text.

    GET and HEAD only. One request a connection. Nothing of a request is echoed. A web configuration
    protects all three, and any other path too.

    It calls ``readiness`` (whether the worker is ready, and why or why not) in its own thread.
    ``port`` 0 means any free one, and no ``web_config`` any reader, in the clear.
    ``certificates`` shows when those of ``web_config`` expire.

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
        self._web_config = WatchedWebConfig(web_config, certificates) if web_config else None
        self._logins = Logins()
        self._registry = registry
        self._host = host
        self._port = port
        self._readiness = readiness
        self._watched = loop
        self._loop = asyncio.new_event_loop()
        self._thread: threading.Thread | None = None
        self._connections: list[_Connection] = []
        """In order of arrival, and until the next one some that have ended."""

    @property
    def port(self) -> int:
        """The port asked for; once started, the one it listens on."""
        return self._port

    @property
    def url(self) -> str:
        """Where it listens, without a path."""
        config = self._config()
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if config and config.tls else 'http'}://{host}:{self._port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen.

        Raises:
            SettingsError: the port is taken, or the address is not this machine's.
        """
        try:
            server = self._loop.run_until_complete(self._listen())
        except OSError as error:
            self._loop.close()
            raise _unusable(self._host, self._port, error) from error
        self._port = server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._run, args=(server,), name="http", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, drop open connections and end the thread. Does nothing a second time."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._logins.close()

    async def _listen(self) -> asyncio.Server:
        # Cancelled: nobody waits for the login check of a client that is gone.
        http = web.Server(self._answer, handler_cancellation=True)
        return await self._loop.create_server(
            lambda: _Connection(self, http, self._config()), self._host, self._port
        )

    def _run(self, server: asyncio.Server) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        server.close()
        for connection in self._connections:
            connection.tcp.abort()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    def _config(self) -> WebConfig | None:
        return self._web_config.current() if self._web_config else None

    def admit(self, connection: _Connection) -> None:
        """Take a new connection, if there are too many in place of another one.

        Idle clients would shut out a scrape if the server refused new connections instead. It drops
        one that has not asked, else one whose login is not known to be right; of several one of the
        client that has most, the oldest.
        """
        for ended in [each for each in self._connections if each.has_ended]:
            self._end(ended)
        if len(self._connections) >= _CONNECTIONS_MAX:
            of_client = Counter(each.client for each in self._connections)
            self._end(
                min(self._connections, key=lambda each: (each.progress, -of_client[each.client]))
            )
        connection.deadline = self._loop.call_later(_REQUEST_SECONDS_MAX, connection.tcp.abort)
        self._connections.append(connection)

    def _end(self, connection: _Connection) -> None:
        connection.deadline.cancel()
        connection.tcp.abort()
        self._connections.remove(connection)

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        connection = cast(_Connection, request.protocol)
        connection.progress = 1
        if request.version.major != 1:
            return connection.response(HTTPStatus.BAD_REQUEST, "HTTP/1.0 or HTTP/1.1 only")
        if connection.config and (users := connection.config.users):
            authorization = request.headers.get("Authorization", "")
            try:
                let_in = await self._logins.allow(users, authorization, connection.client)
            except TooManyLoginsError:
                return connection.response(
                    HTTPStatus.TOO_MANY_REQUESTS, "too many logins from your address: try again"
                )
            if not let_in:
                return connection.response(
                    HTTPStatus.UNAUTHORIZED,
                    "log in",
                    WWW_Authenticate='Basic realm="metrics", charset="UTF-8"',
                )
        connection.progress = 2
        if request.method not in {"GET", "HEAD"}:
            return connection.response(
                HTTPStatus.METHOD_NOT_ALLOWED, "GET or HEAD only", Allow="GET, HEAD"
            )
        return await self._page(connection, request)

    async def _page(self, connection: _Connection, request: web.BaseRequest) -> web.Response:
        match request.path:
            case "/metrics":
                encoder, content_type = choose_encoder(request.headers.get("Accept", ""))
                body = encoder(self._registry)
                return connection.response(HTTPStatus.OK, body, Content_Type=content_type)
            case "/healthz":
                good, text = await self._health()
            case "/readyz":
                good, text = self._ready()
            case _:
                text = "try /metrics, /healthz or /readyz"
                return connection.response(HTTPStatus.NOT_FOUND, text)
        return connection.response(HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE, text)

    async def _health(self) -> tuple[bool, str]:
        answered = asyncio.Event()
        try:
            if self._watched is not None:
                self._watched.call_soon_threadsafe(self._loop.call_soon_threadsafe, answered.set)
                await asyncio.wait_for(answered.wait(), _LOOP_ANSWERS_SECONDS)
        except RuntimeError:
            return False, "the event loop is closed"
        except TimeoutError:
            return False, "the event loop does not answer"
        return True, "ok"

    def _ready(self) -> tuple[bool, str]:
        try:
            return self._readiness()
        except Exception:
            # A check that fails is an answer: the worker is not ready.
            logger.exception("the readiness check failed")
            return False, "the readiness check failed; see the log"


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
