"""The least rights as ``kafka-acls.sh`` commands, and as data for a file."""

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from stream_detector.kafka.rights import PARTS, Part, Right, rights_of
from stream_detector.settings import Settings

__all__ = ["acl_commands", "acl_document"]

_TOOL = "kafka-acls.sh"


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
