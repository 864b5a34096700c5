"""``stream-detector topics save`` and ``restore``: labels and announced models, in a file."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from stream_detector.commands.options import SettingsCommand, given_settings, setting_options
from stream_detector.settings.fields import SETTING_GROUPS
from stream_detector.terminal.counted import counted
from stream_detector.terminal.progress import ShownProgress

if TYPE_CHECKING:
    from stream_detector.kafka.topic_backup import Restored

__all__ = ["restore", "save"]

_GROUPS = ("Kafka: how to reach it", "Topics", "Announced models")
_USED = {
    *(set(SETTING_GROUPS[_GROUPS[0]]) - {"group_id", "labels_group_id", "cluster"}),
    *("topic_prefix", "labels_topic", "feed_labels_topic", "models_topic", "model_store"),
}
_UNUSED = {name for title in _GROUPS for name in SETTING_GROUPS[title]} - _USED


@click.command(cls=SettingsCommand, short_help="Save labels and announced models into a file.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@setting_options(_GROUPS, without=_UNUSED)
def save(file: Path, config: Path | None, **flags: object) -> None:
    """Save the topics of labels and, where a model store is set, of announced models into FILE.

    FILE is replaced as a whole. It holds key, value and headers of each record as they are, so
    signatures stay good, and only its owner may read it. Needs the right READ on these topics.
    Nothing else has to be saved: the label store and the model store are folders, and what other
    topics hold is kept for days only.

    \b
    stream-detector topics save topics.jsonl
    stream-detector topics save topics.jsonl --model-store /srv/models
    """
    settings, _ = given_settings(config, flags)
    from stream_detector.kafka.topic_backup import save_topics  # noqa: PLC0415

    with ShownProgress().stage("saving records") as stage:
        saved = save_topics(settings, file, on_progress=stage.update)
    width = max(len(each.topic) for each in saved)
    for each in saved:
        unread = f", {each.unread:,} unreadable ones left out" if each.unread else ""
        click.echo(f"{each.topic:<{width}}  {counted(each.records, 'record')} saved{unread}")


@click.command(cls=SettingsCommand, short_help="Write a file of `topics save` back into Kafka.")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@setting_options(_GROUPS, without=_UNUSED)
def restore(file: Path, config: Path | None, **flags: object) -> None:
    """Write what `topics save` has put into FILE into the topics of the settings.

    The topics have to be there and empty; after an interruption delete and make them again. Needs
    the rights READ and WRITE on them. Records go to the partitions that they were in, in their
    order and with their time. Where they also get the offsets that they had, the label store goes
    on as it is.

    \b
    stream-detector topics save topics.jsonl
    stream-detector topics create --topic-prefix drill. --topic-partitions 8    # to try it
    stream-detector topics restore topics.jsonl --topic-prefix drill.
    """
    settings, _ = given_settings(config, flags)
    from stream_detector.kafka.topic_backup import restore_topics  # noqa: PLC0415

    with ShownProgress().stage("restoring records") as stage:
        restored = restore_topics(settings, file, on_progress=stage.update)
    width = max((len(each.topic) for each in restored), default=0)
    for each in restored:
        click.echo(f"{each.topic:<{width}}  {counted(each.records, 'record')} {_how(each)}")
    if not restored:
        click.echo("nothing to restore: the file holds no records")


def _how(restored: "Restored") -> str:
    if restored.moved is None:
        return "restored"
    if restored.moved == 0:
        return "restored, at the offsets that they had"
    return "restored, at other offsets: collect them into a new label store"
