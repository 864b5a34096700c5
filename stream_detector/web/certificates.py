"""When the certificates expire that the process presents or trusts.

The process reads a file when it begins to use the certificate, and not when somebody asks: a Kafka
client keeps the certificate that it started with, even if the file changes.
"""

import logging
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, NamedTuple

from cryptography import x509
from prometheus_client import Gauge

from stream_detector.errors import SettingsError
from stream_detector.settings.fields import Settings
from stream_detector.system.regular_files import read_regular_file

logger = logging.getLogger(__name__)

_SOON = timedelta(days=14)
"""As in the alert CertificateExpiresSoon: a renewal that waits for people needs days."""


class CertificateFile(NamedTuple):
    """A PEM file of certificates that the process presents, or trusts."""

    name: Literal["http_server", "http_client_authority", "kafka_client", "kafka_authority"]
    setting: str
    """The setting that names the file."""
    path: Path

    def expiry(self) -> datetime:
        """When the file as a whole stops being of use.

        The process presents a chain, which breaks with the first of its certificates; a root at
        its end does not count, since a client uses its own copy. Of authorities the last one
        counts: a file holds two while a new one takes over from an old one, or all that a system
        trusts, and may lose one of them.

        Raises:
            SettingsError: it can't be read.
        """
        try:
            certificates = x509.load_pem_x509_certificates(read_regular_file(self.path))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not PEM certificates"
            raise SettingsError(
                f"{self.setting} {self.path} can't be read for its expiry ({reason}): give PEM "
                "certificates"
            ) from error
        if self.name.endswith("_authority"):
            last: datetime = max(each.not_valid_after_utc for each in certificates)
            return last
        own, *issuers = certificates
        chain = [own, *(each for each in issuers if each.issuer != each.subject)]
        first: datetime = min(each.not_valid_after_utc for each in chain)
        return first


def kafka_certificates(settings: Settings) -> list[CertificateFile]:
    """Those that the settings of Kafka's clients name."""
    files = []
    if path := settings.ssl_certfile:
        files.append(CertificateFile("kafka_client", "ssl_certfile", path))
    if path := settings.ssl_cafile:
        files.append(CertificateFile("kafka_authority", "ssl_cafile", path))
    return files


def expiry_notice(file: CertificateFile, expiry: datetime) -> str:
    """Says that ``file`` has expired or will within 14 days, and what to do; else empty."""
    now = datetime.now(UTC)
    if expiry > now + _SOON:
        return ""
    what = "has expired" if expiry <= now else f"expires within {_SOON.days} days"
    remedy = "renew it" if file.name.startswith("http_") else "renew it and restart"
    return f"{file.setting} {file.path} {what} ({expiry:%Y-%m-%d %H:%M} UTC): {remedy}"


def show_certificates(files: Iterable[CertificateFile], gauge: Gauge | None) -> None:
    """Show the expiry of each of ``files``, and log those that have expired or soon will.

    It logs one that it can't read and does not show it; whether it will do is its user's to say.
    """
    for file in files:
        try:
            expiry = file.expiry()
        except SettingsError as error:
            logger.warning("%s", error)
            if gauge is not None:
                gauge.remove(file.name)
            continue
        if gauge is not None:
            gauge.labels(file.name).set(expiry.timestamp())
        if notice := expiry_notice(file, expiry):
            logger.warning("%s", notice)
