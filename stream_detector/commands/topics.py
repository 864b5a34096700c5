"""``stream-detector topics``: create and check the Kafka topics, give rights, save and restore."""

from collections.abc import Sequence
from pathlib import Path

import click
import yaml

from stream_detector.commands.options import (
    REACHING_KAFKA,
    SettingsCommand,
    settings_of,
    with_settings,
)
from stream_detector.errors import RetryableError, TopicsError
from stream_detector.kafka.acls import (
    Grant,
    acl_commands,
    acl_document,
    give_rights,
    group_named,
    user_named,
)
from stream_detector.kafka.rights import PARTS, Part, rights_of
from stream_detector.kafka.topic_backup import Restored, restore_topics, save_topics
from stream_detector.kafka.topics import SAFE_REPLICAS, create_topics, topic_problems
from stream_detector.settings.fields import Settings
from stream_detector.terminal.counted import counted
from stream_detector.terminal.progress import ShownProgress
from stream_detector.terminal.table import table_lines

_SETTINGS = settings_of("Kafka: how to reach it", "Topics", "Announced models") - {
    *("model_public_key", "model_load_timeout")
}
_BACKUP_SETTINGS = {
    *REACHING_KAFKA,
    *("topic_prefix", "labels_topic", "feed_labels_topic", "models_topic", "model_store"),
}


@click.group(no_args_is_help=True)
def topics() -> None:
    """Create the topics that the detector reads and writes, check them, print the rights that each
    component needs, or back up labels and announced models.

    \b
    stream-detector topics check
    stream-detector topics create --topic-partitions 12 --topic-replication-factor 3
    stream-detector topics acls --part detector
    stream-detector topics save topics.jsonl
    """


@topics.command(cls=SettingsCommand, short_help="Create the missing topics.")
@with_settings(_SETTINGS)
def create(settings: Settings) -> None:
    """Create the missing topics; existing topics stay unchanged.

    With three brokers or more, each topic gets 3 replicas, and 2 of them must have a record before
    Kafka confirms it; with fewer brokers a line warns. Kafka stamps records of the input topics
    with the time at which it receives them (LogAppendTime).

    \b
    stream-detector topics create
    stream-detector topics create --bootstrap-servers kafka-1:9092 --topic-prefix test.
    """
    with ShownProgress().stage("creating the topics"):
        states = create_topics(settings)
    rows = [
        (
            state.name,
            "created" if state.created else "existed",
            f"{counted(state.partitions, 'partition')}, "
            f"{counted(state.replication_factor, 'replica')}",
        )
        for state in states
    ]
    _print_table(rows)
    if least := [state for state in states if state.replication_factor < SAFE_REPLICAS]:
        click.echo(
            f"warning: {counted(len(least), 'topic')} of {len(states)} with fewer than "
            f"{SAFE_REPLICAS} replicas: records are lost with a broker's disk; give Kafka "
            f"{SAFE_REPLICAS} brokers and these topics {SAFE_REPLICAS} replicas",
            err=True,
        )


@topics.command(cls=SettingsCommand, short_help="Check that all topics exist and may be used.")
@with_settings(_SETTINGS)
def check(settings: Settings) -> None:
    """Check that all topics exist and may be used; creates and writes nothing.

    Exits with 1 if the worker could not run. Faults of the label topics, which no worker needs, are
    printed but do not fail the check.

    \b
    stream-detector topics check && stream-detector run
    """
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


@topics.command(cls=SettingsCommand, short_help="Save labels and announced models into a file.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@with_settings(_BACKUP_SETTINGS)
def save(file: Path, settings: Settings) -> None:
    """Save the label topics and, if a model store is set, the topic of announced models into FILE.

    FILE is replaced atomically and readable by its owner only. It holds key, value and headers of
    each record unchanged, so signatures stay valid. Needs the right READ on these topics. Other
    topics need no backup: they keep records for days only, and the label store and the model store
    are folders.

    \b
    stream-detector topics save topics.jsonl
    stream-detector topics save topics.jsonl --model-store /srv/models
    """
    with ShownProgress().stage("saving records") as stage:
        saved = save_topics(settings, file, on_progress=stage.update)
    rows = []
    for each in saved:
        unread = f", {each.unread:,} unreadable ones left out" if each.unread else ""
        rows.append((each.topic, f"{counted(each.records, 'record')} saved{unread}"))
    _print_table(rows)


@topics.command(cls=SettingsCommand, short_help="Write a file of `topics save` back into Kafka.")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@with_settings(_BACKUP_SETTINGS)
def restore(file: Path, settings: Settings) -> None:
    """Write the records that `topics save` saved into FILE back into the topics of the settings.

    The topics must exist and be empty; after an interruption delete and create them again. Needs
    the rights READ and WRITE on them. Records keep their partition, order and timestamp. If they
    also get their old offsets, the existing label store stays valid.

    \b
    stream-detector topics save topics.jsonl
    stream-detector topics create --topic-prefix drill. --topic-partitions 8    # to try it
    stream-detector topics restore topics.jsonl --topic-prefix drill.
    """
    with ShownProgress().stage("restoring records") as stage:
        restored = restore_topics(settings, file, on_progress=stage.update)
    rows = [(each.topic, f"{counted(each.records, 'record')} {_how(each)}") for each in restored]
    _print_table(rows)
    if not restored:
        click.echo("nothing to restore: the file holds no records")


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
    help="Create these ACLs in Kafka instead of printing commands. Removes none.",
)
@with_settings(_SETTINGS)
def acls(
    parts: tuple[str, ...],
    principals: tuple[str, ...],
    consumer_group: str,
    command_config: str | None,
    as_yaml: bool,
    give: bool,
    settings: Settings,
) -> None:
    """Print the least rights (ACLs) that each part needs, as commands of Kafka's kafka-acls.sh.

    Topics and groups come from the settings; rights on announced models are included if a model
    store is set. Sends nothing to Kafka without --apply, which needs an administrator's login and
    may be repeated. One principal may be several parts. READ and WRITE imply DESCRIBE, and no part
    needs a right on the cluster.

    \b
    stream-detector topics acls > acls.sh
    stream-detector topics acls --part detector --principal detector=svc-detector
    stream-detector topics acls --part detector --command-config admin.properties | sh -e
    stream-detector topics acls --yaml
    stream-detector topics acls --apply --part detector --part trainer
    """
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
        click.echo(yaml.safe_dump(acl_document(grants), sort_keys=False, width=100), nl=False)
        return
    for part, lines in acl_commands(settings, grants, command_config=command_config):
        click.echo(f"# {part}: {PARTS[part]}")
        if not lines:
            click.echo("# nothing without a model store: set model_store")
        for line in lines:
            click.echo(line)


def _print_table(rows: Sequence[Sequence[str]]) -> None:
    for line in table_lines(rows):
        click.echo(line)


def _part(name: str, option: str) -> Part:
    """The part called ``name``."""
    for part in PARTS:
        if part == name:
            return part
    raise click.UsageError(f"{option}: there is no part {name!r}, there are {', '.join(PARTS)}")


def _how(restored: Restored) -> str:
    if restored.moved is None:
        return "restored"
    if restored.moved == 0:
        return "restored, at the offsets that they had"
    return "restored, at other offsets: collect them into a new label store"
