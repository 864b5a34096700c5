"""A server of metrics and health with a web configuration, and its clients."""

import base64
import http.client
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

import bcrypt

from stream_detector.web.server import HealthServer

__all__ = ["NEITHER", "PASSWORD", "PATHS", "TLS", "Serve", "all_of", "basic", "get", "users"]

PASSWORD = "correct-horse-battery"
TLS = "tls_server_config: {cert_file: server.crt, key_file: server.key}\n"
NEITHER = "http_server_config: {http2: false}\n"
PATHS = ["/metrics", "/healthz", "/readyz", "/", "/metrics/../secret"]
"""Those that are served, then those that are not."""

Serve = Callable[[str], HealthServer]
"""Starts a server with this web configuration."""


def users(cost: int = 4, **passwords: str) -> str:
    """The part of a web configuration that lets these in; ``cost`` is bcrypt's."""
    lines = [
        f"  {name}: {bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()}\n"
        for name, password in passwords.items()
    ]
    return "basic_auth_users:\n" + "".join(lines)


def basic(user: str, password: str) -> dict[str, str]:
    """The header of a login."""
    login = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {login}"}


def get(
    server: HealthServer,
    path: str = "/metrics",
    *,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
    source: str = "127.0.0.1",
) -> tuple[http.client.HTTPResponse, bytes]:
    """One request from the address ``source``, and its answer with the body."""
    of_client = {"timeout": 20, "source_address": (source, 0)}
    connection: http.client.HTTPConnection = (
        http.client.HTTPConnection("127.0.0.1", server.port, **of_client)
        if tls is None
        else http.client.HTTPSConnection("127.0.0.1", server.port, context=tls, **of_client)
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
