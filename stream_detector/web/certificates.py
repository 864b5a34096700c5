"""When the certificates expire that the process presents or trusts, by the files that hold them.

A file is read when what it holds is taken into use and not when somebody asks: a Kafka client goes
on with the certificate that it began with, whatever has become of the file.
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
from stream_detector.web.config import WebFile

__all__ = [
    "CertificateFile",
    "expiry_notice",
    "http_certificates",
    "kafka_certificates",
    "show_certificates",
]

logger = logging.getLogger(__name__)

_SOON = timedelta(days=14)
"""As in the alert CertificateExpiresSoon: a renewal that waits for people needs days."""


class CertificateFile(NamedTuple):
    """A PEM file of certificates that the process presents, or trusts."""

    name: Literal["http_server", "http_client_authority", "kafka_client", "kafka_authority"]
    setting: str
    """What names the file."""
    path: Path

    def expiry(self) -> datetime:
        """When it is of no use any more, though one of its certificates may be sooner or later.

        What is presented is a chain, which breaks with the first of its certificates; a root that
        was put at its end is left out, since a client looks at its own. Of authorities the last
        one counts: two in a file are an old and a new one while the one takes over from the other,
        or all that a system trusts, and the end of one is no loss.

        Raises:
            SettingsError: it can't be read.
        """
        try:
            certificates = x509.load_pem_x509_certificates(read_regular_file(self.path))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not PEM certificates"
            raise SettingsError(
                f"when {self.setting} {self.path} expires can't be told ({reason}): give PEM "
                "certificates"
            ) from error
        if self.name.endswith("_authority"):
            last: datetime = max(each.not_valid_after_utc for each in certificates)
            return last
        own, *issuers = certificates
        chain = [own, *(each for each in issuers if each.issuer != each.subject)]
        first: datetime = min(each.not_valid_after_utc for each in chain)
        return first


def http_certificates(path: Path, content: WebFile) -> list[CertificateFile]:
    """Those that a web configuration names, which was read from ``path``."""
    tls = content.tls_server_config
    if tls is None:
        return []
    setting = f"http_web_config {path}:"
    files = [CertificateFile("http_server", f"{setting} cert_file", path.parent / tls.cert_file)]
    if tls.client_ca_file:
        authority = path.parent / tls.client_ca_file
        files.append(
            CertificateFile("http_client_authority", f"{setting} client_ca_file", authority)
        )
    return files


def kafka_certificates(settings: Settings) -> list[CertificateFile]:
    """Those that the settings of Kafka's clients name."""
    files = []
    if settings.ssl_certfile is not None:
        files.append(CertificateFile("kafka_client", "ssl_certfile", settings.ssl_certfile))
    if settings.ssl_cafile is not None:
        files.append(CertificateFile("kafka_authority", "ssl_cafile", settings.ssl_cafile))
    return files


def expiry_notice(file: CertificateFile, expiry: datetime) -> str:
    """That ``file`` has expired or will within 14 days, and what to do; else nothing."""
    now = datetime.now(UTC)
    if expiry > now + _SOON:
        return ""
    told = "has expired" if expiry <= now else f"expires within {_SOON.days} days"
    remedy = "renew it" if file.name.startswith("http_") else "renew it and restart"
    return f"{file.setting} {file.path} {told} ({expiry:%Y-%m-%d %H:%M} UTC): {remedy}"


def show_certificates(files: Iterable[CertificateFile], gauge: Gauge | None) -> None:
    """Show when those expire that are taken into use now, and log those that soon do or have.

    One that can't be read is logged too, and not shown: whether it can be used is not for here.
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
