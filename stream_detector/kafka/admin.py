"""Questions to Kafka by kafka-python's admin client, and errors that name the remedy."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import Any, TypeVar

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
from stream_detector.kafka.clients import client_options
from stream_detector.kafka.probing import PROBE_SECONDS, host_and_port, reachable_broker
from stream_detector.kafka.retry import back_off
from stream_detector.kafka.rights import Right
from stream_detector.settings.fields import Settings

_BOOTSTRAP_MS = 5_000
_ASK_SECONDS = 15.0
"""By default a cluster notices after 9 s that a broker was killed, and until then sends clients to
it."""

_Answer = TypeVar("_Answer")


def reached(settings: Settings) -> Settings:
    """The same settings with only one of ``bootstrap_servers``: one that answers now.

    kafka-python chooses among several at random, and backs off ever longer from one that is away.
    Behind a proxy all stay, untried.

    Raises:
        RetryableError: none answers.
        FatalError: a certificate is not accepted.
        SettingsError: a client can't be set up from these settings.
    """
    options = client_options(settings)
    if options.get("proxy_url"):
        return settings
    seconds = options.get("bootstrap_timeout_ms", PROBE_SECONDS * 1000) / 1000
    address = reachable_broker(
        settings.bootstrap_servers, options.get("ssl_context"), seconds=seconds
    )
    return settings.model_copy(update={"bootstrap_servers": [address]})


def ask_kafka(settings: Settings, ask: Callable[[KafkaAdminClient], _Answer]) -> _Answer:
    """The result of ``ask`` with an admin client, and with another one if a broker just left.

    Raises:
        RetryableError: Kafka can't be reached or does not answer now.
        FatalError: it refuses the credentials, the certificate or the protocol version.
        SettingsError: the client can't be set up from these settings.
    """
    deadline = time.monotonic() + _ASK_SECONDS
    for pause in back_off():
        with _connected_admin(settings) as admin:
            try:
                return ask(admin)
            except KafkaError as error:
                if not error.retriable or time.monotonic() + pause > deadline:
                    raise
        time.sleep(pause)
    raise AssertionError("back_off never ends")


@contextmanager
def _connected_admin(settings: Settings) -> Iterator[KafkaAdminClient]:
    """An admin client for the block, closed with its thread at the end."""
    options = {"bootstrap_timeout_ms": _BOOTSTRAP_MS, **client_options(reached(settings))}
    if "SASL" in settings.security_protocol and not options.get("proxy_url"):
        _log_in(settings, options)
    made: list[Any] = []

    def make_client(**config: Any) -> Any:
        made.append(KafkaNetClient(**config))
        return made[-1]

    try:
        try:
            admin = KafkaAdminClient(**options, kafka_client=make_client)
        except BaseException:
            # Only this hook can end the thread of a client whose constructor raises. Otherwise each
            # try while Kafka is away would leave a thread behind.
            for client in made:
                client.close()
                client._manager._net.stop()
            raise
        with closing(admin):
            yield admin
    except (KafkaError, OSError) as error:
        raise as_ours(error, settings) from error


def as_ours(
    error: KafkaError | OSError, settings: Settings, *, rights: Iterable[Right] = ()
) -> StreamDetectorError:
    """The project's error, with the remedy, for an error of any kafka-python client.

    ``rights`` are those that the client needs, of which one may be missing.
    """
    where = ", ".join(settings.bootstrap_servers)
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
    """Those of ``rights`` that ``error`` may mean; it names topics, but not always."""
    resource = "group" if isinstance(error, GroupAuthorizationFailedError) else "topic"
    possible = [right for right in rights if right.resource == resource]
    return [right for right in possible if right.name in str(error)] or possible


def _log_in(settings: Settings, options: Mapping[str, Any]) -> None:
    """Log in once by aiokafka, at the only address in ``options``.

    kafka-python repeats a refused login until its time-out. Over TLS it may even miss the refusal,
    since Kafka closes the connection behind it.
    """
    (address,) = options["bootstrap_servers"]
    host, port = host_and_port(address)
    login = {
        name: value
        for name, value in options.items()
        if name in {"client_id", "security_protocol", "ssl_context"} or name.startswith("sasl_")
    }

    async def connect() -> None:
        connection = await create_conn(
            host, port, request_timeout_ms=int(PROBE_SECONDS * 1000), **login
        )
        connection.close()

    try:
        # A thread of its own: the caller's may run an event loop.
        with ThreadPoolExecutor(1) as thread:
            thread.submit(lambda: asyncio.run(connect())).result()
    except (SaslAuthenticationFailed, UnsupportedSaslMechanismError) as error:
        raise FatalError(
            f"Kafka at {address} refuses to log {settings.sasl_username!r} in: check "
            f"sasl_username, its password and sasl_mechanism ({settings.sasl_mechanism})"
        ) from error
    except (AiokafkaError, OSError) as error:
        raise RetryableError(
            f"Kafka at {address} does not finish a login ({type(error).__name__}): check "
            "that security_protocol is that of this listener"
        ) from error
