"""Checks passwords with bcrypt, which is slow on purpose, without letting a flood shut others out.

- A login that succeeded is known by a keyed digest. It costs nothing, however many others wait.
- A wrong one is remembered too: to repeat it costs nothing.
- A client address has at most ``_CHECKS_PER_CLIENT`` different logins in flight.
- Addresses that had a wrong login, or have several logins in flight, are suspects. One suspect at a
  time waits with the others. So a first right login from another address waits for a check or two,
  and not for the flood.

Who shares the address of a flood (a proxy, address translation) waits with it, unless a login
succeeded before. A flood from hundreds of ever new addresses is served in order of arrival. Both
are for a firewall.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import ipaddress
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import TypeVar

import bcrypt

_Key = TypeVar("_Key")

_PASSWORD_BYTES_MAX = 72
"""bcrypt reads no more."""
_CHECKS_PER_CLIENT = 4
"""Different logins at once from one address: a pair of Prometheus, a probe and a person."""
_REMEMBERED = 1024
"""Wrong logins, 32 bytes each, and addresses that had one."""


class TooManyLoginsError(Exception):
    """The server already checks as many logins of this address as it does at once."""


class Logins:
    """Checks logins and remembers them as long as the process runs. For one event loop.

    A login is known by user, hash and password together, so a new hash of a user makes it a new
    one. The password of an unknown user is checked and remembered too: time tells no names.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._right: dict[str, bytes] = {}
        """The digest of each user's login."""
        self._wrong: OrderedDict[bytes, None] = OrderedDict()
        """Digests; the one seen last at the end."""
        self._had_wrong: OrderedDict[str, None] = OrderedDict()
        """Clients; the last one at the end."""
        self._in_flight: list[tuple[str, bytes]] = []
        """Client and digest of those that are checked or wait."""
        self._turn = asyncio.Lock()
        """Held by the login that is checked. A lock is fair: first come, first served."""
        self._suspects = asyncio.Lock()
        """Held by the one suspect that may wait for its turn."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="password")

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def allow(self, users: Mapping[str, bytes], authorization: str, client: str) -> bool:
        """Whether an Authorization header names a user and the right password.

        Args:
            users: bcrypt hashes by name; at least one.
            authorization: the header's value; may be empty.
            client: where it came from, as ``client_of`` says.

        Raises:
            TooManyLoginsError: it was not checked; the client may try again.
        """
        login = _login(authorization)
        if login is None:
            return False
        user, password = login
        known = users.get(user)
        digest = hmac.digest(self._key, repr((user, known, password)).encode(), hashlib.sha256)
        if (answer := self._remembered(user, digest)) is not None:
            return answer
        this = (client, digest)
        others = {each for each in self._in_flight if each[0] == client} - {this}
        if len(others) >= _CHECKS_PER_CLIENT:
            raise TooManyLoginsError
        self._in_flight.append(this)
        try:
            # An unknown user's password takes as long as that of the slowest hash.
            compared = known or max(users.values(), key=lambda each: int(each[4:6]))
            answer = await self._check(user, digest, client, password, compared)
        finally:
            self._in_flight.remove(this)
        if answer and known:
            self._right[user] = digest
            return True
        _remember(self._wrong, digest)
        return False

    async def _check(
        self, user: str, digest: bytes, client: str, password: bytes, compared: bytes
    ) -> bool:
        """Whether the password matches the hash ``compared``, once it is the client's turn."""
        # All wait in one queue; a client that is a suspect when its turn comes waits once more.
        for queue in (nullcontext(), self._suspects):
            async with queue, self._turn:
                if queue is not self._suspects and self._is_suspect(client):
                    continue
                # The same login may have been checked while this one waited.
                if (answer := self._remembered(user, digest)) is not None:
                    return answer
                loop = asyncio.get_running_loop()
                matches = await loop.run_in_executor(self._thread, _matches, password, compared)
                break
        if not matches:
            _remember(self._had_wrong, client)
        return matches

    def _is_suspect(self, client: str) -> bool:
        """Whether it had a wrong login, or tries several at once as a flood does."""
        in_flight = {digest for each, digest in self._in_flight if each == client}
        return client in self._had_wrong or len(in_flight) > 1

    def _remembered(self, user: str, digest: bytes) -> bool | None:
        if hmac.compare_digest(self._right.get(user, b""), digest):
            return True
        if digest in self._wrong:
            self._wrong.move_to_end(digest)
            return False
        return None


def client_of(address: str) -> str:
    """Whose logins count together: an IPv4 address, or an IPv6 network of 64 bits.

    Within its network an IPv6 client has as many addresses as it likes.
    """
    try:
        parsed = ipaddress.IPv6Address(address)
    except ValueError:
        return address
    mapped = parsed.ipv4_mapped
    return str(mapped or ipaddress.IPv6Network((int(parsed), 64), strict=False))


def _remember(memory: OrderedDict[_Key, None], key: _Key) -> None:
    memory[key] = None
    memory.move_to_end(key)
    if len(memory) > _REMEMBERED:
        memory.popitem(last=False)


def _login(authorization: str) -> tuple[str, bytes] | None:
    """User and password of a header ``Basic ...``."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(value.strip(), validate=True).partition(b":")
        return (user.decode(), password) if colon else None
    except (binascii.Error, ValueError):
        return None


def _matches(password: bytes, password_hash: bytes) -> bool:
    # bcrypt refuses a longer password at once, which would tell that this one is too long.
    matches = bcrypt.checkpw(password[:_PASSWORD_BYTES_MAX], password_hash)
    return matches and len(password) <= _PASSWORD_BYTES_MAX
