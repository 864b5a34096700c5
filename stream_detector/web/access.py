"""Who may have an answer of the HTTP server: TLS and logins by the file as it stands now."""

import logging
from pathlib import Path
from typing import Any

from prometheus_client import Gauge

from stream_detector.errors import SettingsError
from stream_detector.web.certificates import http_certificates, show_certificates
from stream_detector.web.config import WebConfig, named_files, protection_lost, read_web_file
from stream_detector.web.logins import Logins

__all__ = ["WebAccess"]

logger = logging.getLogger(__name__)


class WebAccess:
    """Who may have an answer, by the file as it stands now. Called from one event loop.

    Who was let in stays so when the file is read again, as long as his hash is the same.
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
        self._logins = Logins()
        if path is not None:
            self._take(path, self._load(path))

    def close(self) -> None:
        """End the thread."""
        self._logins.close()

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

    async def allows(self, config: WebConfig | None, authorization: str, client: str) -> bool:
        """Whether the value of an Authorization header lets its sender in, which is ``client``.

        Raises:
            TooManyLoginsError: as ``Logins.allow``.
        """
        if config is None or not config.users:
            return True
        return await self._logins.allow(config.users, authorization, client)


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
