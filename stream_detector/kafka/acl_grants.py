"""Rights given to users of Kafka, by an administrator."""

from collections.abc import Mapping, Sequence

from kafka import KafkaAdminClient
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType
from kafka.errors import ClusterAuthorizationFailedError, KafkaError, SecurityDisabledError

from stream_detector.errors import FatalError
from stream_detector.kafka.admin import ask_kafka
from stream_detector.kafka.rights import Part, Right, rights_of
from stream_detector.settings.fields import Settings

__all__ = ["give_rights"]


def give_rights(
    settings: Settings,
    parts: Sequence[Part],
    *,
    principals: Mapping[Part, str],
    consumer_group: str,
) -> dict[Part, int]:
    """Give the principal of each of ``parts`` what it needs; how many rights each has by that.

    Rights that are there already stay, others of the same principals too.

    Args:
        settings: an administrator's; they say the topics and the groups too.
        parts: which.
        principals: who each part is, such as ``User:detector``.
        consumer_group: that of the part ``consumer``.

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
    """Raises the first refusal; a retriable one goes to ``ask_kafka`` as it is."""
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
