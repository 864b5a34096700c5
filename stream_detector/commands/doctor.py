"""``stream-detector doctor``: one line for each thing a worker needs, and what to do about it."""

from collections.abc import Iterable

import click

from stream_detector.commands.options import SettingsCommand, with_settings
from stream_detector.kafka.preflight import Finding, kafka_findings
from stream_detector.settings.fields import Settings
from stream_detector.terminal.progress import ShownProgress
from stream_detector.worker.preflight import machine_findings


@click.command(cls=SettingsCommand)
@with_settings()
def doctor(settings: Settings) -> int:
    """Check everything that `run` needs: Kafka, topics, rights, clock, HTTP port, certificates,
    model store, lists, models and device.

    Prints one line per check: ok, warn or FAIL, and for the last two what to do. Exits with 1 if a
    check failed. An unreachable Kafka is reported within 5 seconds. The checks create, read and
    write nothing in Kafka and join no consumer group.

    \b
    stream-detector doctor
    stream-detector doctor --config detector.toml
    """
    with ShownProgress().stage("checking Kafka") as stage:
        # Kafka first: it is what fails at night, and TensorFlow takes seconds to load.
        failed = _show(kafka_findings(settings))
        stage.begin("checking this machine and the models")
        failed += _show(machine_findings(settings))
    return int(failed > 0)


def _show(findings: Iterable[Finding]) -> int:
    """Print each finding as it comes; returns how many failed."""
    failed = 0
    for finding in findings:
        if finding.is_warning:
            mark = click.style("warn", fg="yellow")
        elif finding.ok:
            mark = click.style("ok  ", fg="green")
        else:
            mark = click.style("FAIL", fg="red")
            failed += 1
        click.echo(f"{mark}  {finding.subject:<12}  {' '.join(finding.text.split())}")
    return failed
