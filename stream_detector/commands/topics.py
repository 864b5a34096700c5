"""``stream-detector topics``: make the Kafka topics, or check them."""

from pathlib import Path

import click

from stream_detector.commands.options import SettingsCommand, given_settings, setting_options
from stream_detector.errors import RetryableError, TopicsError

__all__ = ["topics"]

_GROUPS = {"Kafka: how to reach it", "Topics", "Announced models"}
_UNUSED = {"model_public_key", "model_load_timeout"}


@click.group(no_args_is_help=True)
def topics() -> None:
    """Make the topics that the detector reads and writes, or check that they can be used.

    \b
    stream-detector topics check
    stream-detector topics create --topic-partitions 12 --topic-replication-factor 3
    """


@topics.command(cls=SettingsCommand, short_help="Make the topics that are missing.")
@setting_options(_GROUPS, without=_UNUSED)
def create(config: Path | None, **flags: object) -> None:
    """Make the topics that are missing; what is there stays as it is.

    \b
    stream-detector topics create
    stream-detector topics create --bootstrap-servers kafka-1:9092 --topic-prefix test.
    """
    settings, _ = given_settings(config, flags)
    from stream_detector.kafka.topics import create_topics  # noqa: PLC0415

    states = create_topics(settings)
    width = max(len(state.name) for state in states)
    for state in states:
        what = "created" if state.created else "was there"
        click.echo(
            f"{state.name:<{width}}  {what:<9}  {state.partitions} partitions, "
            f"{state.replication_factor} replicas"
        )


@topics.command(cls=SettingsCommand, short_help="Check that all topics can be used.")
@setting_options(_GROUPS, without=_UNUSED)
def check(config: Path | None, **flags: object) -> None:
    """Check that all topics are there and may be used; nothing is made or written.

    Exits with 1 if the worker could not run. Of the topics of labels, which no worker needs, a
    line says what is wrong.

    \b
    stream-detector topics check && stream-detector run
    """
    settings, _ = given_settings(config, flags)
    from stream_detector.kafka.topics import check_label_topics, check_topics  # noqa: PLC0415

    problems = check_topics(settings)
    for problem in problems:
        click.echo(problem)
    try:
        of_labels = check_label_topics(settings, collecting=True)
    except RetryableError as error:
        of_labels = [str(error)]
    for problem in of_labels:
        click.echo(f"for labels only: {problem}")
    if problems:
        raise TopicsError(f"{len(problems)} of the topics can't be used; see above")
    names = [
        *settings.input_topic_names,
        *settings.output_topic_names,
        *settings.announcement_topic_names,
        *settings.shadow_topic_names,
    ]
    if not of_labels:
        names += settings.label_topic_names
    click.echo(f"ok: {', '.join(names)}")
