"""Does a broker answer by TCP and TLS, and if not, why: Kafka's clients do not say it.

They also try the addresses of a cluster one by one, for up to a minute each. A probe tries all at
once, and the first answer is enough.
"""

import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from queue import Empty, SimpleQueue
from typing import Any

from stream_detector.errors import FatalError, RetryableError

PROBE_SECONDS = 4.0
"""For all addresses together: a host that drops packets must not delay a command."""

_API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 0, -1)
"""Any broker answers this before a login: size, ApiVersions, version 0, id 0, no client id."""

_BY_FIRST_BYTE: Mapping[bytes, str | None] = {
    b"\x00": None,  # The answer begins with its size, in four bytes.
    b"\x15": "it wants TLS",  # An alert.
    b"": "it hangs up without an answer",
}
"""The fault, by the first byte of the answer."""

# OpenSSL's codes for faults of a certificate.
_NOT_YET_VALID, _EXPIRED, _OTHER_HOST, _OTHER_ADDRESS = 9, 10, 62, 64

_NO_ANSWER = "no answer in time"
_GRACE_SECONDS = 0.5
"""For a probe that gives up at the deadline to report why."""

Fault = FatalError | str
"""The fault of one address; an error if it is a certificate."""


def reachable_broker(
    addresses: Sequence[str], context: ssl.SSLContext | None, *, seconds: float = PROBE_SECONDS
) -> str:
    """The first of ``addresses`` that answers a Kafka request, by TLS if ``context`` is given.

    Blocks for up to ``seconds``. With TLS 1.3 a broker checks the client's certificate after the
    client has finished its handshake: a refusal comes instead of the first answer.

    Raises:
        FatalError: none answers, and a certificate is not accepted, a broker's or this client's.
        RetryableError: none answers.
    """
    faults: dict[str, Fault] = {}
    for address, fault in _probed(addresses, context, seconds):
        if fault is None:
            return address
        faults[address] = fault
    for fault in faults.values():
        if isinstance(fault, FatalError):
            raise fault
    reasons = "; ".join(f"{address}: {faults[address]}" for address in dict.fromkeys(addresses))
    raise RetryableError(
        f"Kafka can't be reached ({reasons}): check that it runs, bootstrap_servers and "
        "security_protocol"
    )


def broker_faults(
    addresses: Sequence[str], context: ssl.SSLContext | None, *, seconds: float = PROBE_SECONDS
) -> dict[str, Fault]:
    """The faults of those of ``addresses`` that do not answer; blocks for up to ``seconds``."""
    found = dict(_probed(addresses, context, seconds))
    faults = ((address, found[address]) for address in dict.fromkeys(addresses))
    return {address: fault for address, fault in faults if fault is not None}


def _probed(
    addresses: Sequence[str], context: ssl.SSLContext | None, seconds: float
) -> Iterator[tuple[str, Fault | None]]:
    """Each address with its fault, or None, as soon as it is known."""
    deadline = time.monotonic() + seconds
    results: SimpleQueue[tuple[str, Fault | None]] = SimpleQueue()
    probes = {
        # Daemons: a probe of a host that drops packets must not delay the exit.
        address: threading.Thread(
            target=lambda address: results.put((address, _fault(address, context, deadline))),
            args=(address,),
            daemon=True,
        )
        for address in dict.fromkeys(addresses)
    }
    for probe in probes.values():
        probe.start()
    while probes:
        try:
            wait = max(0.0, deadline - time.monotonic()) + _GRACE_SECONDS
            address, fault = results.get(timeout=wait)
        except Empty:
            break
        probes.pop(address).join()
        yield address, fault
    for address in probes:
        yield address, _NO_ANSWER


def host_and_port(address: str) -> tuple[str, int]:
    """The parts of ``host:port``; an IPv6 address without its brackets."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _fault(address: str, context: ssl.SSLContext | None, deadline: float) -> Fault | None:
    """The fault of the broker at ``address``; None if it answers by ``deadline``."""
    host, port = host_and_port(address)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        return error.strerror or str(error)
    fault: Fault | None = None
    for number, (family, _, protocol, _, place) in enumerate(found):
        # The rest of the time is shared: only the last address of a name may answer.
        seconds = (deadline - time.monotonic()) / (len(found) - number)
        if seconds <= 0:
            break
        with socket.socket(family, socket.SOCK_STREAM, protocol) as plain:
            plain.settimeout(seconds)
            fault = _fault_of(plain, place, host, address, context)
        if fault is None:
            return None
    return fault or _NO_ANSWER


def _fault_of(
    plain: socket.socket,
    place: tuple[Any, ...],
    host: str,
    address: str,
    context: ssl.SSLContext | None,
) -> Fault | None:
    """The fault of the broker at ``place``, one of the addresses of ``host``."""
    is_connected = False
    try:
        plain.connect(place)
        is_connected = True
        if context is None:
            return _unanswered(plain)
        with context.wrap_socket(plain, server_hostname=host) as secured:
            return _unanswered(secured)
    except ssl.SSLError as error:
        return _tls_fault(address, error)
    except TimeoutError:
        return "it accepts connections but does not answer" if is_connected else _NO_ANSWER
    except OSError as error:
        return error.strerror or str(error)


def _unanswered(connection: socket.socket) -> str | None:
    connection.sendall(_API_VERSIONS)
    return _BY_FIRST_BYTE.get(connection.recv(1), "the answer is not Kafka's")


def _tls_fault(address: str, error: ssl.SSLError) -> Fault:
    if isinstance(error, ssl.SSLCertVerificationError):
        return FatalError(_distrust(address, error))
    if re.search("ALERT.*(CERTIFICATE|UNKNOWN_CA)", error.reason or ""):
        return FatalError(
            f"Kafka at {address} refuses this client's certificate ({error.reason}): set "
            "ssl_certfile and ssl_keyfile to one that its CA has signed and that is valid"
        )
    return f"no TLS handshake ({error.reason or error})"


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
