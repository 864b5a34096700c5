"""Whether a login is right: bcrypt, which is slow on purpose, and what spares it.

What a flood of wrong logins can and can't do:

- Who was let in is known by a keyed digest and costs nothing, however many others wait.
- One check runs at a time, in a thread of its own. A client address has at most
  ``_CHECKS_PER_CLIENT`` in flight, and is refused at once beyond. Of the addresses that wait, the
  one goes first whose last wrong login is longest ago, before all others one that had none. So a
  first right login from an address of its own waits for the check that runs, and not for the flood.
- A login that was wrong is remembered by its digest, and costs nothing when it is repeated. The
  same login many times at once is one check.

What remains: who shares the address of a flood (a proxy, address translation) shares its places,
and may be refused until the flood ends, unless it was let in before. Addresses by the hundred that
are new each time are each served like any new one, in order of arrival. Both are for a firewall.
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
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

import bcrypt

__all__ = ["Logins", "TooManyLoginsError", "client_of"]

_Key = TypeVar("_Key")

_PASSWORD_BYTES_MAX = 72
"""bcrypt reads no more."""
_CHECKS_PER_CLIENT = 4
"""Different logins at once from one address: a pair of Prometheus, a probe and a person."""
_REMEMBERED = 1024
"""Wrong logins, 32 bytes each, and addresses that had one."""
_NETWORK_BITS = 64
"""Of IPv6 addresses a client has as many as it likes, within a network of this prefix."""


class TooManyLoginsError(Exception):
    """So many logins from this address are being checked that another one must wait."""


@dataclass(slots=True)
class _Check:
    client: str
    password: bytes
    compared: bytes
    """The bcrypt hash."""
    answer: asyncio.Future[bool]
    askers: int = 0
    """Requests that wait for it."""
    running: bool = False


class Logins:
    """Who is let in, remembered as long as the process runs. Called from one event loop.

    A login is known by user, hash and password together: another hash of the same user makes it a
    new one, and nothing else does. Of an unknown user the password is checked and remembered too,
    so that time tells no names.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._right: dict[str, bytes] = {}
        """The digest of each user's login."""
        self._wrong: OrderedDict[bytes, int] = OrderedDict()
        """Numbers as below, by digest; the one seen last at the end."""
        self._checks: dict[bytes, _Check] = {}
        """Those that run or wait by their digest, in order of arrival."""
        self._last_wrong: OrderedDict[str, int] = OrderedDict()
        """A number that grows with time, by client; in its order."""
        self._numbers = count(1)
        self._checking: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="password")

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def allow(self, users: Mapping[str, bytes], authorization: str, client: str) -> bool:
        """Whether the value of an Authorization header lets its sender in.

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
        if known and hmac.compare_digest(self._right.get(user, b""), digest):
            return True
        if digest in self._wrong:
            self._wrong.move_to_end(digest)
            return False
        # For an unknown user, the slowest hash there is.
        compared = known or max(users.values(), key=_rounds)
        right = await self._check(digest, client, password, compared)
        if known and right:
            self._right[user] = digest
            return True
        _remember(self._wrong, digest, next(self._numbers))
        return False

    async def _check(self, digest: bytes, client: str, password: bytes, compared: bytes) -> bool:
        check = self._checks.get(digest)
        if check is None:
            if sum(each.client == client for each in self._checks.values()) >= _CHECKS_PER_CLIENT:
                raise TooManyLoginsError
            answer = asyncio.get_running_loop().create_future()
            check = self._checks[digest] = _Check(client, password, compared, answer)
            if self._checking is None or self._checking.done():
                self._checking = asyncio.create_task(self._run_checks())
        check.askers += 1
        try:
            return await asyncio.shield(check.answer)
        finally:
            check.askers -= 1
            # Once it is answered, another one may have taken its place.
            waits = not check.running and self._checks.get(digest) is check
            if waits and not check.askers:
                del self._checks[digest]

    async def _run_checks(self) -> None:
        """One after the other until none waits."""
        loop = asyncio.get_running_loop()
        while self._checks:
            digest, check = min(
                self._checks.items(), key=lambda item: self._last_wrong.get(item[1].client, 0)
            )
            check.running = True
            matches = loop.run_in_executor(self._thread, _matches, check.password, check.compared)
            await asyncio.wait([matches])
            check.running = False
            del self._checks[digest]
            if error := matches.exception():
                if check.askers:
                    check.answer.set_exception(error)
                continue
            check.answer.set_result(matches.result())
            if not matches.result():
                _remember(self._last_wrong, check.client, next(self._numbers))


def client_of(address: str) -> str:
    """Whose logins count together: an IPv4 address, or a network of IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), _NETWORK_BITS), strict=False))


def _remember(memory: OrderedDict[_Key, int], key: _Key, number: int) -> None:
    memory[key] = number
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


def _rounds(password_hash: bytes) -> int:
    return int(password_hash[4:6])


def _matches(password: bytes, password_hash: bytes) -> bool:
    """bcrypt's own comparison, which takes the same time whatever differs."""
    if len(password) > _PASSWORD_BYTES_MAX:
        bcrypt.checkpw(password[:_PASSWORD_BYTES_MAX], password_hash)
        return False
    return bcrypt.checkpw(password, password_hash)
