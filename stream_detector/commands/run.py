"""``stream-detector run``: the worker."""

import click

from stream_detector.commands.options import SettingsCommand, with_settings
from stream_detector.kafka.clients import client_options
from stream_detector.logs.setup import configure_logging
from stream_detector.models.serving import check_model_settings
from stream_detector.settings.fields import Settings


@click.command(cls=SettingsCommand)
@with_settings()
def run(settings: Settings) -> int:
    """Read log records from Kafka, score the URLs and hosts in them, write verdicts and alerts.

    Runs until SIGTERM or Ctrl-C, then finishes the records in flight, commits and exits with 0.
    While Kafka is unreachable it waits and retries. It exits with 1 on an error that no retry
    fixes, and with 2 on a wrong setting. To scale, start more workers with the same --group-id.

    \b
    stream-detector run
    stream-detector run --bootstrap-servers kafka-1:9092,kafka-2:9092 --input-topics proxy,dns
    stream-detector run --config detector.toml --kafka-options fetch_max_wait_ms=100
    STREAM_DETECTOR_SASL_PASSWORD_FILE=/run/secrets/kafka stream-detector run \\
      --security-protocol SASL_SSL --sasl-username svc-detector --ssl-cafile /etc/kafka/ca.pem

    Every option is also an environment variable (--group-id: STREAM_DETECTOR_GROUP_ID) and a key of
    the TOML file (group_id). A flag overrides the variable, the variable overrides the file.
    """
    # A wrong setting ends the command before TensorFlow loads and Kafka answers.
    client_options(settings)
    check_model_settings(settings)
    configure_logging(settings)
    # Faust takes half a second to import: neither --help nor a wrong setting waits for it.
    from stream_detector.worker.process import run_worker  # noqa: PLC0415

    return run_worker(settings)
