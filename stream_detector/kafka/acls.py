"""The least rights: as ``kafka-acls.sh`` commands, as data for a file, or given in Kafka.

``kafka-acls.sh`` strips blanks off names, reads ``*`` as everybody or every group, and accepts
types of principals that Kafka's own authorizer does not know. The functions here refuse names that
it would change.
"""

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from kafka import KafkaAdminClient
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType
from kafka.errors import ClusterAuthorizationFailedError, KafkaError, SecurityDisabledError

from stream_detector.errors import FatalError, SettingsError
from stream_detector.kafka.admin import ask_kafka
from stream_detector.kafka.rights import PARTS, Part, Right
from stream_detector.settings.fields import Settings

_USER = "User:"
_OTHER_TYPE = re.compile(r"\w*:")


def user_named(text: str, where: str) -> str:
    """``text``, with or without ``User:``, as a principal of Kafka; ``where`` it was given.

    Raises:
        SettingsError: Kafka's own authorizer can't know one user of this name.
    """
    if not text.startswith(_USER) and _OTHER_TYPE.match(text.lstrip()):
        raise SettingsError(
            f"{where} holds {text!r}, but Kafka's own authorizer knows only users: "
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


class Grant(NamedTuple):
    """The rights of one part, for its principal."""

    part: Part
    principal: str
    """Such as ``User:detector``."""
    rights: list[Right]


def acl_commands(
    settings: Settings, grants: Sequence[Grant], *, command_config: str | None
) -> Iterator[tuple[Part, list[str]]]:
    """For each of ``grants`` the part and its ``kafka-acls.sh`` lines.

    ``command_config`` names a file of client properties of an administrator.
    """
    begin = ["kafka-acls.sh", "--bootstrap-server", ",".join(settings.bootstrap_servers)]
    if command_config is not None:
        begin += ["--command-config", command_config]
    for part, principal, rights in grants:
        begin_of_part = [*begin, "--add", "--allow-principal", principal]
        yield part, [shlex.join([*begin_of_part, *what]) for what in _by_operations(rights)]


def acl_document(grants: Sequence[Grant]) -> dict[str, Any]:
    """The same as data: for each part its purpose, principal, and operations by resource."""
    return {
        part: {
            "for": PARTS[part],
            "principal": principal,
            "rights": [
                {resource: name, "operations": operations}
                for (resource, name), operations in _by_resource(rights).items()
            ],
        }
        for part, principal, rights in grants
    }


def give_rights(settings: Settings, grants: Sequence[Grant]) -> None:
    """Give the rights in Kafka; existing ones stay. The settings are those of an administrator.

    Raises:
        FatalError: Kafka has no authorizer, or does not let this user give rights.
        StreamDetectorError: as ``ask_kafka``.
    """
    entries = [
        ACL(
            principal=principal,
            host="*",
            operation=ACLOperation[right.operation],
            permission_type=ACLPermissionType.ALLOW,
            resource_pattern=ResourcePattern(ResourceType[right.resource.upper()], right.name),
        )
        for _, principal, rights in grants
        for right in rights
    ]
    if entries:
        ask_kafka(settings, lambda admin: _create(admin, entries, settings))


def _create(admin: KafkaAdminClient, entries: list[ACL], settings: Settings) -> None:
    """Raises the first refusal; ``ask_kafka`` tries again if it is retriable."""
    refusals: list[type[KafkaError]] = admin.create_acls(entries)["failed"]
    if not refusals:
        return
    refusal = refusals[0]
    where = ", ".join(settings.bootstrap_servers)
    if issubclass(refusal, SecurityDisabledError):
        raise FatalError(f"Kafka at {where} checks no rights: set its authorizer.class.name first")
    if issubclass(refusal, ClusterAuthorizationFailedError):
        raise FatalError(
            f"Kafka at {where} does not let {settings.sasl_username or 'this client'} give rights: "
            "run this as an administrator, who needs ALTER on the cluster"
        )
    raise refusal()


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
