"""`doctor`'s checks of this machine: HTTP port, certificates, lists, models and device."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

from stream_detector.assembly import decider_of
from stream_detector.errors import FatalError, SettingsError
from stream_detector.events import Kind
from stream_detector.kafka.preflight import Finding, check
from stream_detector.models.serving import load_scorer, served_bundle
from stream_detector.models.store import ModelStore
from stream_detector.models.thresholds import effective_thresholds, threshold_overrides
from stream_detector.policy.lists import HostList
from stream_detector.settings.fields import Settings
from stream_detector.system.cores import usable_cores
from stream_detector.terminal.counted import counted
from stream_detector.web.certificates import (
    CertificateFile,
    expiry_notice,
    kafka_certificates,
)
from stream_detector.web.config import WebConfig, read_web_file
from stream_detector.worker.model_loading import check_store_settings


def machine_findings(settings: Settings) -> Iterator[Finding]:
    """The findings as they come. The models come last: TensorFlow takes seconds to load."""
    yield check("HTTP port", _port, settings)
    if _certificate_files(settings):
        yield check("certificates", _certificates, settings)
    yield check("lists", _lists, settings)
    models = [
        check("URL model", lambda settings: _model(settings, "url"), settings),
        check("host model", lambda settings: _model(settings, "host"), settings),
    ]
    yield from models
    if settings.model_store:
        yield check("model store", _model_store, settings)
    if all(model.ok for model in models):
        yield check("device", _device, settings)


def _port(settings: Settings) -> str:
    address = (settings.http_host, settings.http_port)
    family = socket.AF_INET6 if ":" in settings.http_host else socket.AF_INET
    try:
        socket.create_server(address, family=family).close()
    except OSError as error:
        raise FatalError(
            f"{address[0]}:{address[1]} can't be listened on ({error.strerror or error}): end "
            "what uses it, or set http_host or http_port"
        ) from error
    where = f"{address[0]}:{address[1]} is free"
    if settings.http_port == 0:
        where = f"any free port of {settings.http_host} is taken, since http_port is 0"
    if settings.http_web_config is None:
        return where
    access = WebConfig(settings.http_web_config)
    transport = "in the clear" if access.tls is None else "by TLS"
    logins = (
        f"{counted(len(access.users), 'user')} may log in" if access.users else "nobody logs in"
    )
    return f"{where}; {transport}, {logins}"


def _certificate_files(settings: Settings) -> list[CertificateFile]:
    """Those that the settings name, and the web configuration where it can be read."""
    files = kafka_certificates(settings)
    if (path := settings.http_web_config) is not None:
        with suppress(SettingsError):  # The check of the port reports it.
            files += read_web_file(path).certificates(path)
    return files


def _certificates(settings: Settings) -> str:
    """An expired certificate is a failure; one that expires soon is only named."""
    expiries = [(file, file.expiry()) for file in _certificate_files(settings)]
    notices = "; ".join(filter(None, (expiry_notice(*each) for each in expiries)))
    first = min(expiry for _, expiry in expiries)
    if first <= datetime.now(UTC):
        raise FatalError(notices)
    return notices or f"{len(expiries)}, the first expires {first:%Y-%m-%d %H:%M} UTC"


def _lists(settings: Settings) -> str:
    paths = [path for path in (settings.allow_list, settings.deny_list) if path is not None]
    for path in paths:
        HostList.load(path)
    return ", ".join(map(str, paths)) or "none set"


def _model(settings: Settings, kind: Kind) -> str:
    bundle = served_bundle(settings, kind)
    effective_thresholds(kind, bundle.thresholds, threshold_overrides(settings)[kind])
    folder = settings.bundle_of(kind)
    return f"{bundle.ref.name} {bundle.ref.version} in {folder}"


def _model_store(settings: Settings) -> str:
    """The store answers, and the public key is valid."""
    check_store_settings(settings)
    versions = ModelStore(settings.model_store).versions()
    return f"{counted(len(versions), 'version')} in {settings.model_store}"


def _device(settings: Settings) -> str:
    """Both models score a text that any working model can."""
    scorer = load_scorer(settings)
    decider_of(scorer, settings=settings, metrics=None).decide(
        [("url", "example.com/index.html"), ("host", "example.com")]
    )
    threads = settings.model_threads or usable_cores()
    return f"both models score on {scorer.device}, {threads} threads"
