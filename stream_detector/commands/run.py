"""``stream-detector run``: the worker."""

from pathlib import Path

import click

from stream_detector.commands.options import SettingsCommand, given_settings, setting_options
from stream_detector.logs.setup import configure_logging

__all__ = ["run"]


@click.command(cls=SettingsCommand)
@setting_options()
def run(config: Path | None, **flags: object) -> int:
    """Read log records from Kafka, score the URLs and hosts in them, write verdicts and alerts.

    Runs until SIGTERM or Ctrl-C, then finishes what is in flight, commits and exits with 0. While
    Kafka is away it waits. It exits with 1 on an error that waiting does not mend, 2 on a wrong
    setting. Scale by starting more workers of the same --group-id.

    \b
    stream-detector run
    stream-detector run --bootstrap-servers kafka-1:9092,kafka-2:9092 --input-topics proxy,dns
    stream-detector run --config detector.toml --kafka-options fetch_max_wait_ms=100
    STREAM_DETECTOR_SASL_PASSWORD_FILE=/run/secrets/kafka stream-detector run \\
      --security-protocol SASL_SSL --sasl-username svc-detector --ssl-cafile /etc/kafka/ca.pem

    Every option is also a variable (--group-id: STREAM_DETECTOR_GROUP_ID) and a key of the TOML
    file (group_id); a flag goes before the variable, the variable before the file.
    """
    settings, _ = given_settings(config, flags)
    from stream_detector.kafka.clients import client_options  # noqa: PLC0415
    from stream_detector.models.serving import check_model_settings  # noqa: PLC0415

    # Before TensorFlow is loaded and Kafka is asked, which take seconds.
    client_options(settings)
    check_model_settings(settings)
    configure_logging(settings)
    from stream_detector.worker.process import run_worker  # noqa: PLC0415 - imports Faust

    return run_worker(settings)
