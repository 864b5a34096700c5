"""``stream-detector topics``: make the Kafka topics, check them, print or give the rights."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream_detector.commands.options import SettingsCommand, given_settings, setting_options
from stream_detector.commands.topic_backup import restore, save
from stream_detector.errors import RetryableError, TopicsError
from stream_detector.terminal.counted import counted
from stream_detector.terminal.progress import ShownProgress

if TYPE_CHECKING:
    from stream_detector.kafka.rights import Part

__all__ = ["topics"]

_GROUPS = {"Kafka: how to reach it", "Topics", "Announced models"}
_UNUSED = {"model_public_key", "model_load_timeout"}


@click.group(no_args_is_help=True)
def topics() -> None:
    """Make the topics that the detector reads and writes, check that they can be used, print the
    rights that each part needs, or save and restore what cannot be made again.

    \b
    stream-detector topics check
    stream-detector topics create --topic-partitions 12 --topic-replication-factor 3
    stream-detector topics acls --part detector
    stream-detector topics save topics.jsonl
    """


topics.add_command(save)
topics.add_command(restore)


@topics.command(cls=SettingsCommand, short_help="Make the topics that are missing.")
@setting_options(_GROUPS, without=_UNUSED)
def create(config: Path | None, **flags: object) -> None:
    """Make the topics that are missing; what is there stays as it is.

    With three brokers or more each topic gets 3 replicas, of which 2 must have a record; with
    fewer a line warns. Records of input topics get the time at which Kafka receives them.

    \b
    stream-detector topics create
    stream-detector topics create --bootstrap-servers kafka-1:9092 --topic-prefix test.
    """
    settings, _ = given_settings(config, flags)
    from stream_detector.kafka.topics import SAFE_REPLICAS, create_topics  # noqa: PLC0415

    with ShownProgress().stage("making the topics"):
        states = create_topics(settings)
    width = max(len(state.name) for state in states)
    for state in states:
        what = "created" if state.created else "was there"
        click.echo(
            f"{state.name:<{width}}  {what:<9}  {counted(state.partitions, 'partition')}, "
            f"{counted(state.replication_factor, 'replica')}"
        )
    if least := [state for state in states if state.replication_factor < SAFE_REPLICAS]:
        click.echo(
            f"warning: {counted(len(least), 'topic')} of {len(states)} with fewer than "
            f"{SAFE_REPLICAS} replicas: records are lost with a broker's disk; give Kafka "
            f"{SAFE_REPLICAS} brokers and these topics {SAFE_REPLICAS} replicas",
            err=True,
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
    from stream_detector.kafka.topics import topic_problems  # noqa: PLC0415

    with ShownProgress().stage("checking the topics"):
        problems = topic_problems(settings, "detector")
    for problem in problems:
        click.echo(problem)
    try:
        of_labels = topic_problems(settings, "label-collector")
    except RetryableError as error:
        of_labels = [str(error)]
    for problem in of_labels:
        click.echo(f"for labels only: {problem}")
    if problems:
        raise TopicsError("not all topics can be used: see above")
    names = [
        *settings.input_topic_names,
        *settings.output_topic_names,
        *settings.announcement_topic_names,
        *settings.shadow_topic_names,
    ]
    if not of_labels:
        names += settings.label_topic_names
    click.echo(f"ok: {', '.join(names)}")


@topics.command(cls=SettingsCommand, short_help="Print the least rights that each part needs.")
@click.option(
    "--part",
    "parts",
    metavar="NAME",
    multiple=True,
    help="Only this part, such as detector. May be given several times.  [default: all]",
)
@click.option(
    "--principal",
    "principals",
    metavar="PART=NAME",
    multiple=True,
    help="Who a part is, such as detector=svc-detector, or for a certificate "
    "detector=User:CN=detector,O=soc. May be given several times.  [default: the part's name]",
)
@click.option(
    "--consumer-group",
    metavar="NAME",
    default="soc",
    show_default=True,
    help="Consumer group of the part consumer.",
)
@click.option(
    "--command-config",
    metavar="FILE",
    help="Client properties of an administrator, for kafka-acls.sh.",
)
@click.option("--yaml", "as_yaml", is_flag=True, help="Print them as YAML instead of commands.")
@click.option(
    "--apply",
    "give",
    is_flag=True,
    help="Give these rights in Kafka instead of printing commands. Nothing is taken away.",
)
@setting_options(_GROUPS, without=_UNUSED)
def acls(
    parts: tuple[str, ...],
    principals: tuple[str, ...],
    consumer_group: str,
    command_config: str | None,
    as_yaml: bool,
    give: bool,
    config: Path | None,
    **flags: object,
) -> None:
    """Print the least rights (ACLs) that each part needs, as commands of Kafka's kafka-acls.sh.

    Topics and groups are those of the settings; those of announced models come with a model
    store. Nothing is sent to Kafka without --apply, which needs an administrator's login and may
    be repeated. Several parts may be one principal. READ and WRITE imply DESCRIBE, and no part
    needs a right on the cluster.

    \b
    stream-detector topics acls > acls.sh
    stream-detector topics acls --part detector --principal detector=svc-detector
    stream-detector topics acls --part detector --command-config admin.properties | sh -e
    stream-detector topics acls --yaml
    stream-detector topics acls --apply --part detector --part trainer
    """
    settings, _ = given_settings(config, flags)
    from stream_detector.kafka.acls import (  # noqa: PLC0415
        Grant,
        acl_commands,
        acl_document,
        give_rights,
        group_named,
        user_named,
    )
    from stream_detector.kafka.rights import PARTS, rights_of  # noqa: PLC0415

    chosen = [_part(name, "--part") for name in parts] or list(PARTS)
    who = {part: f"User:{part}" for part in PARTS}
    for given in principals:
        name, equals, principal = given.partition("=")
        if not equals:
            raise click.UsageError(f"--principal takes PART=NAME, not {given!r}")
        who[_part(name, "--principal")] = user_named(principal, f"--principal {name}")
    group_named(consumer_group, "--consumer-group")
    group_named(settings.group_id, "group_id")
    group_named(settings.labels_group_id, "labels_group_id")
    grants = [
        Grant(part, who[part], rights_of(part, settings, consumer_group=consumer_group))
        for part in chosen
    ]
    if give:
        if as_yaml or command_config is not None:
            raise click.UsageError("--apply prints nothing: leave --yaml and --command-config out")
        with ShownProgress().stage("giving rights"):
            give_rights(settings, grants)
        for part, principal, rights in grants:
            click.echo(f"{part}: {principal} has {counted(len(rights), 'right')}")
        return
    if as_yaml:
        import yaml  # noqa: PLC0415

        click.echo(yaml.safe_dump(acl_document(grants), sort_keys=False, width=100), nl=False)
        return
    for part, lines in acl_commands(settings, grants, command_config=command_config):
        click.echo(f"# {part}: {PARTS[part]}")
        if not lines:
            click.echo("# nothing without a model store: set model_store")
        for line in lines:
            click.echo(line)


def _part(name: str, option: str) -> "Part":
    """The part called ``name``."""
    from stream_detector.kafka.rights import PARTS  # noqa: PLC0415

    for part in PARTS:
        if part == name:
            return part
    raise click.UsageError(f"{option}: there is no part {name!r}, there are {', '.join(PARTS)}")
