"""``stream-detector doctor``: one line for each thing a worker needs, and what to do about it."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, NamedTuple

import click

from stream_detector.commands.options import SettingsCommand, given_settings, setting_options
from stream_detector.errors import FatalError, SettingsError, StreamDetectorError
from stream_detector.events import Kind
from stream_detector.models.thresholds import effective_thresholds
from stream_detector.settings.fields import Settings
from stream_detector.system.cores import usable_cores
from stream_detector.terminal.counted import counted
from stream_detector.terminal.progress import ShownProgress

if TYPE_CHECKING:
    from stream_detector.web.certificates import CertificateFile

__all__ = ["doctor"]

_BOOTSTRAP_MS = 3_000
"""For a broker's first answer: a person waits for the line."""
_FIRST_ANSWER_SECONDS = 5.0
_ANSWER_SECONDS = 10.0
"""For a check of a Kafka that has answered before; a new one first makes topics of its own."""
_AHEAD_MAX_SECONDS = 5.0
"""Records further in the future than this: a clock is wrong, and ages and lag mislead."""


@click.command(cls=SettingsCommand)
@setting_options()
def doctor(config: Path | None, **flags: object) -> int:
    """Check all that `run` needs: Kafka, topics, rights, clock, HTTP port, certificates and a
    model store if set, lists, models, device.

    Prints one line a check: ok, or FAIL or warn and what to do; exits with 1 if any failed. A Kafka
    that does not answer is told within 5 seconds. Nothing is made, read or written in Kafka; no
    consumer group is joined.

    \b
    stream-detector doctor
    stream-detector doctor --config detector.toml
    """
    settings, _ = given_settings(config, flags)
    failed = False
    # Kafka first: it is what fails at night, and TensorFlow takes seconds to load.
    with ShownProgress().stage("checking Kafka") as stage:
        for result in _kafka_results(_impatient(settings)):
            failed = _show(result) or failed
        stage.begin("checking this machine and the models")
        for result in _local_results(settings):
            failed = _show(result) or failed
    return int(failed)


def _impatient(settings: Settings) -> Settings:
    """The same settings, with which a Kafka that does not answer is given up soon."""
    options = {"bootstrap_timeout_ms": str(_BOOTSTRAP_MS), **settings.kafka_options}
    return settings.model_copy(update={"kafka_options": options})


class _Result(NamedTuple):
    """``text``: what was found, or what is wrong and what to do."""

    subject: str
    ok: bool
    text: str
    is_warning: bool = False
    """All works, and what may be lost or misleads should be put right."""


def _show(result: _Result) -> bool:
    """Print the line of a check; returns whether it failed."""
    if result.is_warning:
        mark = click.style("warn", fg="yellow")
    else:
        mark = click.style("ok  ", fg="green") if result.ok else click.style("FAIL", fg="red")
    click.echo(f"{mark}  {result.subject:<12}  {' '.join(result.text.split())}")
    return not result.ok


def _result(subject: str, check: Callable[[Settings], str], settings: Settings) -> _Result:
    """The result of a check that returns what it found, or raises what is wrong."""
    try:
        return _Result(subject, True, check(settings))
    except StreamDetectorError as error:
        return _Result(subject, False, str(error))


def _local_results(settings: Settings) -> Iterator[_Result]:
    yield _result("HTTP port", _port, settings)
    if _certificate_files(settings):
        yield _result("certificates", _certificates, settings)
    yield _result("lists", _lists, settings)
    models = [
        _result("URL model", _url_model, settings),
        _result("host model", _host_model, settings),
    ]
    yield from models
    if settings.model_store:
        yield _result("model store", _model_store, settings)
    if all(model.ok for model in models):
        yield _result("device", _device, settings)


def _kafka_results(settings: Settings) -> Iterator[_Result]:
    """Where Kafka can't be reached, the other checks would only say it again."""
    from stream_detector.kafka import inspection, topic_safety  # noqa: F401, PLC0415 - takes time

    checks: list[tuple[str, float, Callable[[], list[_Result]]]] = [
        ("Kafka", _FIRST_ANSWER_SECONDS, lambda: [_result("Kafka", _broker, settings)]),
        ("topics", _ANSWER_SECONDS, lambda: list(_topics(settings))),
        ("group", _ANSWER_SECONDS, lambda: [_result("group", _group, settings)]),
        ("clock", _ANSWER_SECONDS, lambda: [_result("clock", _clock, settings)]),
    ]
    for subject, seconds, check in checks:
        results = _in_time(check, seconds)
        if results is None:
            text = f"Kafka has not answered within {seconds:.0f} s: look at its brokers' logs"
            yield _Result(subject, False, text)
            return
        yield from results
        if subject == "Kafka" and not results[0].ok:
            return


def _in_time(check: Callable[[], list[_Result]], seconds: float) -> list[_Result] | None:
    """What ``check`` gives; None if it takes longer."""
    results: SimpleQueue[list[_Result]] = SimpleQueue()
    # A daemon: it may wait for Kafka when the command is done.
    threading.Thread(target=lambda: results.put(check()), daemon=True).start()
    try:
        return results.get(timeout=seconds)
    except Empty:
        return None


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
    from stream_detector.web.config import load_web_config  # noqa: PLC0415

    access = load_web_config(settings.http_web_config)
    transport = "in the clear" if access.tls is None else "by TLS"
    users = f"{counted(len(access.users), 'user')} may log in"
    logins = users if access.users else "nobody logs in"
    return f"{where}; {transport}, {logins}"


def _certificate_files(settings: Settings) -> "list[CertificateFile]":
    """Those that the settings name, and the web configuration where it can be read."""
    from stream_detector.web.certificates import (  # noqa: PLC0415
        http_certificates,
        kafka_certificates,
    )
    from stream_detector.web.config import read_web_file  # noqa: PLC0415

    files = kafka_certificates(settings)
    if (path := settings.http_web_config) is not None:
        with suppress(SettingsError):  # The check of the port tells it.
            files += http_certificates(path, read_web_file(path))
    return files


def _certificates(settings: Settings) -> str:
    """None has expired; one that soon will is told, and may be used."""
    from stream_detector.web.certificates import expiry_notice  # noqa: PLC0415

    expiries = [(file, file.expiry()) for file in _certificate_files(settings)]
    notices = "; ".join(filter(None, (expiry_notice(*each) for each in expiries)))
    first = min(expiry for _, expiry in expiries)
    if first <= datetime.now(UTC):
        raise FatalError(notices)
    return notices or f"{len(expiries)}, the first expires {first:%Y-%m-%d %H:%M} UTC"


def _lists(settings: Settings) -> str:
    from stream_detector.policy.lists import HostList  # noqa: PLC0415 - see the package

    paths = [path for path in (settings.allow_list, settings.deny_list) if path is not None]
    for path in paths:
        HostList.load(path)
    return ", ".join(map(str, paths)) or "none set"


def _url_model(settings: Settings) -> str:
    return f"{_model(settings, 'url')} in {settings.url_bundle}"


def _host_model(settings: Settings) -> str:
    return f"{_model(settings, 'host')} in {settings.host_bundle}"


def _model(settings: Settings, kind: Kind) -> str:
    from stream_detector.models.serving import served_bundle, threshold_overrides  # noqa: PLC0415

    bundle = served_bundle(settings, kind)
    effective_thresholds(kind, bundle.thresholds, threshold_overrides(settings)[kind])
    return f"{bundle.ref.name} {bundle.ref.version}"


def _model_store(settings: Settings) -> str:
    """The store answers, and the public key is one."""
    from stream_detector.models.store import ModelStore  # noqa: PLC0415
    from stream_detector.worker.model_following import check_store_settings  # noqa: PLC0415

    check_store_settings(settings)
    versions = ModelStore(settings.model_store).versions()
    return f"{counted(len(versions), 'version')} in {settings.model_store}"


def _device(settings: Settings) -> str:
    """The device is there, and both models score a text that any sound model can."""
    from stream_detector.assembly import decider_of  # noqa: PLC0415
    from stream_detector.models.serving import load_scorer  # noqa: PLC0415

    scorer = load_scorer(settings)
    decider_of(scorer, settings=settings, metrics=None).decide(
        [("url", "example.com/index.html"), ("host", "example.com")]
    )
    return f"both models score on {scorer.device}, {_threads(settings)} threads"


def _threads(settings: Settings) -> int:
    return settings.model_threads or usable_cores()


def _broker(settings: Settings) -> str:
    """One address that answers is enough; the others are told, and may be away for a while."""
    from stream_detector.kafka.inspection import bootstrap_faults  # noqa: PLC0415
    from stream_detector.kafka.topics import cluster_id  # noqa: PLC0415

    cluster, faults = cluster_id(settings), bootstrap_faults(settings)
    answering = [each for each in settings.bootstrap_servers if each not in faults]
    text = f"cluster {cluster} at {', '.join(answering) or 'none of bootstrap_servers now'}"
    if not faults:
        return text
    told = "; ".join(f"{address}: {fault}" for address, fault in faults.items())
    return (
        f"{text}; warning: bootstrap_servers has addresses that do not answer ({told}): check "
        "that the brokers run, or take those out"
    )


def _topics(settings: Settings) -> Iterator[_Result]:
    """A line for each kind of fault, with the topics that have it."""
    from stream_detector.kafka.topic_safety import topic_safety  # noqa: PLC0415
    from stream_detector.kafka.topics import check_topics  # noqa: PLC0415

    names = [
        *settings.input_topic_names,
        *settings.output_topic_names,
        *settings.announcement_topic_names,
        *settings.shadow_topic_names,
    ]
    try:
        safety = topic_safety(settings, names)
        problems = safety.leaderless or check_topics(settings)
    except StreamDetectorError as error:
        yield _Result("topics", False, str(error))
        return
    for problem in problems:
        yield _Result("topics", False, problem)
    if not problems:
        yield _Result("topics", True, ", ".join(names))
    if not safety.looked_at:
        return
    yield from _warned("replicas", safety.replicas, "3 or more of each topic")
    # With fewer replicas it does not, whatever is set: the line above says so.
    if safety.in_sync or not safety.replicas:
        fine = "a record that is confirmed outlives a broker"
        yield from _warned("in sync", safety.in_sync, fine)
    yield from _warned("timestamps", safety.timestamps, "Kafka's clock decides what is late")


def _warned(subject: str, warning: str, otherwise: str) -> Iterator[_Result]:
    yield _Result(subject, True, warning or otherwise, is_warning=bool(warning))


def _group(settings: Settings) -> str:
    from stream_detector.kafka.inspection import group_members  # noqa: PLC0415

    detectors = group_members(settings, settings.group_id)
    return f"{settings.group_id} may be joined, and has {counted(detectors, 'detector')} now"


def _clock(settings: Settings) -> str:
    """Kafka tells no time, but its newest record can't be from the future."""
    from stream_detector.kafka.inspection import newest_record_time  # noqa: PLC0415

    newest = newest_record_time(settings)
    if newest is None:
        return "no record yet to compare it with"
    age = time.time() - newest
    if age < -_AHEAD_MAX_SECONDS:
        raise FatalError(
            f"the newest record is {-age:.0f} s in the future: set this machine's clock, or that "
            "of the producers, by NTP"
        )
    return f"the newest record is {max(age, 0):.0f} s old"
