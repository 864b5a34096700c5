"""The least rights as ``kafka-acls.sh`` commands, and as data for a file.

That tool takes blanks off the ends of names, reads ``*`` as everybody or every group, and takes
types of principals that Kafka's own authorizer never meets: what would not come out as it was
given is refused.
"""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from stream_detector.errors import SettingsError
from stream_detector.kafka.rights import PARTS, Part, Right, rights_of
from stream_detector.settings.fields import Settings

__all__ = ["acl_commands", "acl_document", "group_named", "user_named"]

_TOOL = "kafka-acls.sh"
_USER = "User:"
_OTHER_TYPE = re.compile(r"\w*:")


def user_named(text: str, where: str) -> str:
    """``text``, with or without ``User:``, as a principal of Kafka; ``where`` it was given.

    Raises:
        SettingsError: it is no one user that Kafka's own authorizer may know.
    """
    if not text.startswith(_USER) and _OTHER_TYPE.match(text.lstrip()):
        raise SettingsError(
            f"{where} holds {text!r}, but Kafka's own authorizer knows users alone: "
            f"if that is a user's name give {_USER + text.strip()!r}"
        )
    return _USER + _one_name(text.removeprefix(_USER), where, "user")


def group_named(text: str, where: str) -> str:
    """``text`` if it is a consumer group that rights can be given on; ``where`` it was given.

    Raises:
        SettingsError: it is none, or would be every group.
    """
    return _one_name(text, where, "consumer group")


def _one_name(text: str, where: str, what: str) -> str:
    """``text`` if ``kafka-acls.sh`` takes it as the name of one ``what``, and as it is."""
    if not text.strip():
        raise SettingsError(f"{where} names no {what}: give its name")
    if text == "*":
        raise SettingsError(f"{where} holds '*', which is every {what} in Kafka: name one")
    if text != text.strip() or not text.isprintable():
        raise SettingsError(
            f"{where} holds {text!r}, which kafka-acls.sh would not take as it is: give a {what} "
            "without control characters, and without blanks at its ends"
        )
    return text


def acl_commands(
    settings: Settings,
    parts: Sequence[Part],
    *,
    principals: Mapping[Part, str],
    consumer_group: str,
    command_config: str | None,
) -> Iterator[tuple[Part, list[str]]]:
    """For each of ``parts`` the ``kafka-acls.sh`` lines that give it what it needs.

    Args:
        settings: say where Kafka is, the topics and the groups.
        parts: which.
        principals: who each part is, such as ``User:detector``.
        consumer_group: that of the part ``consumer``.
        command_config: client properties of an administrator for ``kafka-acls.sh``.
    """
    begin = [_TOOL, "--bootstrap-server", ",".join(settings.bootstrap_servers)]
    if command_config is not None:
        begin += ["--command-config", command_config]
    for part in parts:
        rights = rights_of(part, settings, consumer_group=consumer_group)
        yield (
            part,
            [
                shlex.join([*begin, "--add", "--allow-principal", principals[part], *what])
                for what in _by_operations(rights)
            ],
        )


def acl_document(
    settings: Settings,
    parts: Sequence[Part],
    *,
    principals: Mapping[Part, str],
    consumer_group: str,
) -> dict[str, Any]:
    """The same as data, by part: what it is, who it is, and its operations by resource."""
    return {
        part: {
            "for": PARTS[part],
            "principal": principals[part],
            "rights": [
                {resource: name, "operations": operations}
                for (resource, name), operations in _by_resource(
                    rights_of(part, settings, consumer_group=consumer_group)
                ).items()
            ],
        }
        for part in parts
    }


def _by_resource(rights: Iterable[Right]) -> dict[tuple[str, str], list[str]]:
    """Operations by kind and name of what they are on."""
    operations: dict[tuple[str, str], list[str]] = {}
    for right in rights:
        operations.setdefault((right.resource, right.name), []).append(right.operation)
    return operations


def _by_operations(rights: Iterable[Right]) -> Iterator[list[str]]:
    """Options for each set of operations, with all that it is needed on."""
    resources: dict[tuple[str, ...], list[str]] = {}
    for (resource, name), operations in _by_resource(rights).items():
        resources.setdefault(tuple(operations), []).extend((f"--{resource}", name))
    for operations_together, options in resources.items():
        yield [
            *(word for each in operations_together for word in ("--operation", _spelt(each))),
            *options,
        ]


def _spelt(operation: str) -> str:
    """An operation as ``kafka-acls.sh`` writes it, such as DescribeConfigs."""
    return operation.title().replace("_", "")
