"""The least rights: as ``kafka-acls.sh`` commands, as data for a file, or given in Kafka.

``kafka-acls.sh`` strips blanks off names, reads ``*`` as everybody or every group, and takes types
of principals that Kafka's own authorizer never meets. Names that it would change are refused.
"""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType
from kafka.errors import ClusterAuthorizationFailedError, KafkaError, SecurityDisabledError

from stream_detector.errors import FatalError, SettingsError
from stream_detector.kafka.admin import ask_kafka
from stream_detector.kafka.rights import PARTS, Part, Right, rights_of
from stream_detector.settings.fields import Settings

__all__ = ["acl_commands", "acl_document", "give_rights", "group_named", "user_named"]

_TOOL = "kafka-acls.sh"
_USER = "User:"
_OTHER_TYPE = re.compile(r"\w*:")


def user_named(text: str, where: str) -> str:
    """``text``, with or without ``User:``, as a principal of Kafka; ``where`` it was given.

    Raises:
        SettingsError: Kafka's own authorizer can't know one user of this name.
    """
    if not text.startswith(_USER) and _OTHER_TYPE.match(text.lstrip()):
        raise SettingsError(
            f"{where} holds {text!r}, but Kafka's own authorizer knows users alone: "
            f"if that is a user's name give {_USER + text.strip()!r}"
        )
    return _USER + _one_name(text.removeprefix(_USER), where, "user")


def group_named(text: str, where: str) -> str:
    """``text`` if one consumer group can have this name; ``where`` it was given.

    Raises:
        SettingsError: it can't, or would be every group.
    """
    return _one_name(text, where, "consumer group")


def _one_name(text: str, where: str, what: str) -> str:
    """``text`` if ``kafka-acls.sh`` takes it, unchanged, as the name of one ``what``."""
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
    """For each of ``parts`` the ``kafka-acls.sh`` lines that give it its rights.

    Args:
        settings: name the brokers, the topics and the groups.
        parts: some or all of them.
        principals: the principal of each part, such as ``User:detector``.
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
    """The same as data: for each part its purpose, principal, and operations by resource."""
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


def give_rights(
    settings: Settings,
    parts: Sequence[Part],
    *,
    principals: Mapping[Part, str],
    consumer_group: str,
) -> dict[Part, int]:
    """Give the principal of each of ``parts`` its rights in Kafka; returns their number by part.

    Rights that exist stay, also other ones of the same principals. The settings are those of an
    administrator; other arguments as for ``acl_commands``.

    Raises:
        RetryableError: Kafka can't be reached or does not answer now.
        FatalError: it has no authorizer, or does not let this user give rights.
        SettingsError: the client can't be set up from these settings.
    """
    rights = {part: rights_of(part, settings, consumer_group=consumer_group) for part in parts}
    entries = [_entry(principals[part], right) for part in parts for right in rights[part]]
    if entries:
        ask_kafka(settings, lambda admin: _create(admin, entries, settings))
    return {part: len(rights[part]) for part in parts}


def _create(admin: KafkaAdminClient, entries: list[ACL], settings: Settings) -> None:
    """Raises the first refusal; ``ask_kafka`` tries again if it is retriable."""
    refusals: list[type[KafkaError]] = admin.create_acls(entries)["failed"]
    if not refusals:
        return
    refusal = refusals[0]
    where = ", ".join(settings.bootstrap_servers)
    if issubclass(refusal, SecurityDisabledError):
        raise FatalError(f"Kafka at {where} knows no rights: set its authorizer.class.name first")
    if issubclass(refusal, ClusterAuthorizationFailedError):
        raise FatalError(
            f"Kafka at {where} does not let {settings.sasl_username or 'this client'} give rights: "
            "run this as an administrator, who needs ALTER on the cluster"
        )
    raise refusal()


def _entry(principal: str, right: Right) -> ACL:
    return ACL(
        principal=principal,
        host="*",
        operation=ACLOperation[right.operation],
        permission_type=ACLPermissionType.ALLOW,
        resource_pattern=ResourcePattern(ResourceType[right.resource.upper()], right.name),
    )


def _by_resource(rights: Iterable[Right]) -> dict[tuple[str, str], list[str]]:
    """Operations by kind and name of their resource."""
    operations: dict[tuple[str, str], list[str]] = {}
    for right in rights:
        operations.setdefault((right.resource, right.name), []).append(right.operation)
    return operations


def _by_operations(rights: Iterable[Right]) -> Iterator[list[str]]:
    """Options for each set of operations, with all resources that need the same set."""
    resources: dict[tuple[str, ...], list[str]] = {}
    for (resource, name), operations in _by_resource(rights).items():
        resources.setdefault(tuple(operations), []).extend((f"--{resource}", name))
    for operations_together, options in resources.items():
        # kafka-acls.sh writes DescribeConfigs for DESCRIBE_CONFIGS.
        names = (each.title().replace("_", "") for each in operations_together)
        yield [*(word for name in names for word in ("--operation", name)), *options]
