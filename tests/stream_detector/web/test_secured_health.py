"""``/metrics`` and health by TLS and with a login."""

import base64
import http.client
import logging
import socket
import ssl
import threading
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import bcrypt
import pytest

from support.certificates import CertificateAuthority, CertificateFiles
from support.web import PASSWORD, PATHS, TLS, Serve, all_of, basic, get, users

# --- TLS ------------------------------------------------------------------------------------


def test_metrics_are_served_only_over_tls(serve: Serve, trusting: ssl.SSLContext) -> None:
    server = serve(TLS)

    assert server.url == f"https://127.0.0.1:{server.port}"
    for path in PATHS[:3]:
        assert get(server, path, tls=trusting)[0].status == 200
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as plain:
        plain.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        assert b"HTTP" not in all_of(plain)
    with pytest.raises(ssl.SSLCertVerificationError):
        get(server, tls=ssl.create_default_context())


def test_tls_versions_outside_the_range_are_refused(serve: Serve, trusting: ssl.SSLContext) -> None:
    server = serve(TLS.replace("server.key}", "server.key, min_version: TLS13}"))
    assert get(server, tls=trusting)[0].status == 200

    trusting.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        get(server, tls=trusting)


@pytest.mark.parametrize("maximum", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_client_certificates_are_required_and_verified(
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
        authority.issue("expired", days_left=-1),
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
def test_every_path_needs_a_valid_login(
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


def test_a_flood_of_wrong_passwords_delays_neither_a_known_login_nor_the_loop(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hashes are slow: a few wrong ones wait for one another, and nobody who is known for them."""
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
            client.sendall(
                f"GET /metrics HTTP/1.1\r\nHost: a\r\nAuthorization: {header}\r\n\r\n".encode()
            )
        assert checking.wait(20)
        try:
            assert get(server, headers=basic("kim", PASSWORD))[0].status == 200
            assert get(server, headers={})[0].status == 401
        finally:
            release.set()
        statuses = Counter(all_of(client).split(b" ")[1] for client in waiting)
    assert statuses == {b"401": 4, b"429": 16}


def test_every_answer_has_the_configured_headers(serve: Serve) -> None:
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
