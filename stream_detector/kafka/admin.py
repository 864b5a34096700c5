"""A connected kafka-python admin client, or an error that says what to do."""

import asyncio
import re
import socket
import ssl
import struct
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError as AiokafkaError
from aiokafka.errors import SaslAuthenticationFailed, UnsupportedSaslMechanismError
from kafka import KafkaAdminClient
from kafka.errors import (
    AuthorizationError,
    GroupAuthorizationFailedError,
    KafkaError,
    UnrecognizedBrokerVersion,
    UnsupportedVersionError,
)
from kafka.net.compat import KafkaNetClient

from stream_detector.errors import FatalError, RetryableError, StreamDetectorError
from stream_detector.kafka.clients import kafka_python_options
from stream_detector.kafka.rights import Right
from stream_detector.settings import Settings

__all__ = ["as_ours", "connected_admin"]

_PROBE_SECONDS = 4.0
"""For all addresses together: a host that drops packets must not hold up a command."""
_BOOTSTRAP_MS = 5_000

_API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 0, -1)
"""A request that any broker answers before a login: size, ApiVersions, version 0, id 0, no name."""

# OpenSSL's codes of what is wrong with a certificate.
_NOT_YET_VALID, _EXPIRED, _OTHER_HOST, _OTHER_ADDRESS = 9, 10, 62, 64


@contextmanager
def connected_admin(settings: Settings) -> Iterator[KafkaAdminClient]:
    """An admin client for the block; closed with its thread whatever happens.

    Raises:
        RetryableError: Kafka can't be reached or does not answer now.
        FatalError: it refuses the credentials, the certificate or the protocol version.
        SettingsError: the client can't be set up from these settings.
    """
    options = {"bootstrap_timeout_ms": _BOOTSTRAP_MS, **kafka_python_options(settings)}
    if not options.get("proxy_url"):
        address = _reachable(settings, options.get("ssl_context"))
        if "SASL" in settings.security_protocol:
            _log_in(settings, address, options)
    made: list[Any] = []

    def make_client(**config: Any) -> Any:
        made.append(KafkaNetClient(**config))
        return made[-1]

    admin: Any = None
    try:
        # With this hook the client's thread can be ended though its constructor raises; each
        # try while Kafka is away would leave one behind.
        admin = KafkaAdminClient(**options, kafka_client=make_client)
        yield admin
    except (KafkaError, OSError) as error:
        raise as_ours(error, settings) from error
    finally:
        if admin is not None:
            admin.close()
        else:
            for client in made:
                client.close()
                client._manager._net.stop()


def as_ours(
    error: KafkaError | OSError, settings: Settings, *, rights: Iterable[Right] = ()
) -> StreamDetectorError:
    """The error of ours that says what has to happen next, for one of any kafka-python client.

    ``rights`` are those that the client needs, of which one may be missing.
    """
    where = _where(settings)
    reason = f"{type(error).__name__}: {error}".removeprefix(f"{type(error).__name__}: " * 2)
    if isinstance(error, AuthorizationError):
        missing = ", ".join(map(str, _denied(error, rights)))
        return FatalError(
            f"Kafka at {where} does not allow this ({type(error).__name__}): give "
            f"{settings.sasl_username or 'this client'} the right{missing and ' '}{missing}"
        )
    if isinstance(error, UnsupportedVersionError | UnrecognizedBrokerVersion):
        return FatalError(
            f"Kafka at {where} does not speak this client's protocol ({reason}): set its "
            "version, such as kafka_options api_version=2.0"
        )
    if isinstance(error, OSError) or error.retriable:
        return RetryableError(
            f"Kafka at {where} accepts connections but does not answer ({reason}): check "
            "security_protocol, the brokers' advertised listeners and their logs"
        )
    return FatalError(f"Kafka at {where} answers with an error ({reason})")


def _denied(error: AuthorizationError, rights: Iterable[Right]) -> list[Right]:
    """Those of ``rights`` that ``error`` may be about; it names topics, but not always."""
    resource = "group" if isinstance(error, GroupAuthorizationFailedError) else "topic"
    possible = [right for right in rights if right.resource == resource]
    return [right for right in possible if right.name in str(error)] or possible


def _where(settings: Settings) -> str:
    return ", ".join(settings.bootstrap_servers)


def _reachable(settings: Settings, context: ssl.SSLContext | None) -> tuple[str, int]:
    """A broker reached by TCP and TLS, since kafka-python tells neither fault by name.

    By TLS 1.3 a broker looks at the client's certificate when the client is done with its
    handshake: a refusal comes with the first answer.
    """
    faults: list[str] = []
    deadline = time.monotonic() + _PROBE_SECONDS
    for address in settings.bootstrap_servers:
        host, _, port = address.rpartition(":")
        host = host.strip("[]")
        left = deadline - time.monotonic()
        if left <= 0:
            break
        try:
            with socket.create_connection((host, int(port)), timeout=left) as plain:
                if context is not None:
                    with context.wrap_socket(plain, server_hostname=host) as secured:
                        secured.sendall(_API_VERSIONS)
                        secured.recv(1)
            return host, int(port)
        except ssl.SSLCertVerificationError as error:
            raise FatalError(_distrust(address, error)) from error
        except ssl.SSLError as error:
            if re.search("ALERT.*(CERTIFICATE|UNKNOWN_CA)", error.reason or ""):
                raise FatalError(
                    f"Kafka at {address} refuses this client's certificate ({error.reason}): set "
                    "ssl_certfile and ssl_keyfile to one that its CA has signed and that is valid"
                ) from error
            faults.append(f"{address}: no TLS handshake ({error.reason or error})")
        except TimeoutError:
            faults.append(f"{address}: no answer in time")
        except OSError as error:
            faults.append(f"{address}: {error.strerror or error}")
    raise RetryableError(
        f"Kafka can't be reached ({'; '.join(faults)}): check that it runs, bootstrap_servers "
        "and security_protocol"
    )


def _distrust(address: str, error: ssl.SSLCertVerificationError) -> str:
    """Why the certificate of the broker at ``address`` is not trusted, and what to do."""
    reason = error.verify_message.rstrip(".")
    certificate = f"the TLS certificate of Kafka at {address}"
    if error.verify_code in {_OTHER_HOST, _OTHER_ADDRESS}:
        return (
            f"{certificate} is for another host ({reason}): name the broker in bootstrap_servers "
            "as its certificate does, or have it issued for this name"
        )
    if error.verify_code == _EXPIRED:
        return f"{certificate} is not valid ({reason}): have it renewed"
    if error.verify_code == _NOT_YET_VALID:
        return f"{certificate} is not valid ({reason}): check the clocks of both machines"
    return (
        f"{certificate} is not trusted ({reason}): set ssl_cafile to the certificate of the CA "
        "that signed it"
    )


def _log_in(settings: Settings, address: tuple[str, int], options: Mapping[str, Any]) -> None:
    """Log in once by aiokafka.

    kafka-python tries a refused login again until its time-out; and over TLS it may miss the
    refusal, after which Kafka hangs up.
    """
    host, port = address
    login = {
        name: value
        for name, value in options.items()
        if name in {"client_id", "security_protocol", "ssl_context"} or name.startswith("sasl_")
    }

    async def connect() -> None:
        connection = await create_conn(
            host, port, request_timeout_ms=int(_PROBE_SECONDS * 1000), **login
        )
        connection.close()

    try:
        # A thread of its own, since the caller's may have an event loop already.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(lambda: asyncio.run(connect())).result()
    except (SaslAuthenticationFailed, UnsupportedSaslMechanismError) as error:
        raise FatalError(
            f"Kafka at {host}:{port} refuses to log {settings.sasl_username!r} in: check "
            f"sasl_username, its password and sasl_mechanism ({settings.sasl_mechanism})"
        ) from error
    except (AiokafkaError, OSError) as error:
        raise RetryableError(
            f"Kafka at {host}:{port} does not finish a login ({type(error).__name__}): check "
            "that security_protocol is that of this listener"
        ) from error
