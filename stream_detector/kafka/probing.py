"""Is a broker reached by TCP and TLS, and why not: Kafka's clients tell neither fault by name."""

import re
import socket
import ssl
import struct
import time
from collections.abc import Iterable

from stream_detector.errors import FatalError, RetryableError

__all__ = ["PROBE_SECONDS", "reachable_broker"]

PROBE_SECONDS = 4.0
"""For all addresses together: a host that drops packets must not hold up a command."""

_API_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 0, -1)
"""A request that any broker answers before a login: size, ApiVersions, version 0, id 0, no name."""

# OpenSSL's codes of what is wrong with a certificate.
_NOT_YET_VALID, _EXPIRED, _OTHER_HOST, _OTHER_ADDRESS = 9, 10, 62, 64


def reachable_broker(addresses: Iterable[str], context: ssl.SSLContext | None) -> tuple[str, int]:
    """Host and port of the first of ``addresses`` reached by TCP and, given ``context``, by TLS.

    Blocks for up to ``PROBE_SECONDS``. By TLS 1.3 a broker looks at the client's certificate when
    the client is done with its handshake: a refusal comes with the first answer.

    Raises:
        FatalError: a certificate is not accepted, the broker's or this client's.
        RetryableError: none is reached.
    """
    faults: list[str] = []
    deadline = time.monotonic() + PROBE_SECONDS
    for address in addresses:
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
