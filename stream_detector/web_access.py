"""Who may have an answer of the HTTP server: TLS and logins by the file as it stands now."""

import asyncio
import base64
import binascii
import hashlib
import hmac
import logging
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import bcrypt
from prometheus_client import Gauge

from stream_detector.certificates import http_certificates, show_certificates
from stream_detector.errors import SettingsError
from stream_detector.web_config import WebConfig, named_files, protection_lost, read_web_file

__all__ = ["WebAccess"]

logger = logging.getLogger(__name__)

_PASSWORD_BYTES_MAX = 72
"""bcrypt reads no more."""


class WebAccess:
    """Who may have an answer, by the file as it stands now. Called from one event loop.

    A password is checked in a thread of its own, one at a time, since bcrypt is made to be slow;
    who was let in once is known by a keyed digest, and costs nothing. Of an unknown user the
    password is checked too, so that time tells no names.
    """

    def __init__(self, path: Path | None, certificates: Gauge | None = None) -> None:
        """Read the file; without one everybody is let in, in the clear.

        ``certificates`` shows when those that are in use expire.

        Raises:
            SettingsError: as ``load_web_config``.
        """
        self._path = path
        self._certificates = certificates
        self._files: tuple[Path, ...] = ()
        self._seen: list[Any] = []
        self._config: WebConfig | None = None
        self._key = secrets.token_bytes(32)
        self._let_in: dict[str, bytes] = {}
        self._checking = ThreadPoolExecutor(1, thread_name_prefix="password")
        if path is not None:
            self._take(path, self._load(path))

    def close(self) -> None:
        """End the thread."""
        self._checking.shutdown(wait=False, cancel_futures=True)

    @property
    def config(self) -> WebConfig | None:
        """What the file says now; what it said before, where it can't be used any more.

        Nor does a file take TLS or logins away, or weaken them, while the process runs.
        """
        path, before = self._path, self._config
        if path is not None and before is not None and _state(self._files) != self._seen:
            try:
                config = self._load(path)
                _check_still_protected(path, before, config)
            except SettingsError as error:
                logger.warning("%s; what it said before stays in force", error)
            else:
                self._take(path, config)
                self._let_in.clear()
                logger.info("http_web_config %s was read again", path)
        return self._config

    def _load(self, path: Path) -> WebConfig:
        """Read it, and note how the files looked before: what changes meanwhile is seen next time.

        Files that it names are noted where they can't be used too, since they may come later.
        """
        self._files, self._seen = (path,), _state((path,))
        content = read_web_file(path)
        named = named_files(path, content)
        self._files += named
        self._seen += _state(named)
        return WebConfig(path, content)

    def _take(self, path: Path, config: WebConfig) -> None:
        self._config = config
        show_certificates(http_certificates(path, config.content), self._certificates)

    async def allows(self, config: WebConfig | None, authorization: str) -> bool:
        """Whether the value of an Authorization header lets its sender in."""
        if config is None or not config.users:
            return True
        login = _login(authorization)
        if login is None:
            return False
        user, password = login
        known = config.users.get(user)
        digest = hmac.digest(self._key, b"\0".join((known or b"", password)), hashlib.sha256)
        if known and hmac.compare_digest(self._let_in.get(user, b""), digest):
            return True
        # For an unknown user, the slowest hash there is.
        compared = known or max(config.users.values(), key=_rounds)
        loop = asyncio.get_running_loop()
        right = await loop.run_in_executor(self._checking, _matches, password, compared)
        if known and right:
            self._let_in[user] = digest
            return True
        return False


def _check_still_protected(path: Path, before: WebConfig, after: WebConfig) -> None:
    if lost := protection_lost(before.content, after.content):
        raise SettingsError(
            f"http_web_config {path} {' and '.join(lost)}: restart if that is meant"
        )


def _state(files: tuple[Path, ...]) -> list[Any]:
    """What changes when one of ``files`` does."""
    states: list[Any] = []
    for file in files:
        try:
            found = file.stat()
            states.append((found.st_mtime_ns, found.st_size, found.st_ino))
        except OSError as error:
            states.append(error.errno)
    return states


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
