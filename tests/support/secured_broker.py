"""A Kafka that knows its users (SCRAM over TLS, or by certificate) and their rights."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from kafka import KafkaAdminClient
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)

from stream_detector.kafka.rights import Right
from stream_detector.settings.fields import Settings
from support.broker import KafkaBroker
from support.certificates import CertificateAuthority, CertificateFiles
from support.processes import free_port, wait_until

__all__ = ["KEY_PASSWORD", "PASSWORD", "SecuredBroker", "connection_variables"]

PASSWORD = "correct-horse-battery"
"""Of every user."""
KEY_PASSWORD = "staple-of-the-key"

_PLAIN_MODULE = "org.apache.kafka.common.security.plain.PlainLoginModule"
_SCRAM_MODULE = "org.apache.kafka.common.security.scram.ScramLoginModule"


class SecuredBroker(KafkaBroker):
    """A broker with listeners for all ways to be let in, and to be not.

    - ``bootstrap_servers``: plain, on which everybody is the super user.
    - ``scram``: SASL_SSL with SCRAM-SHA-512. A client certificate may be given.
    - ``clear``: SASL_PLAINTEXT with PLAIN, for the user ``clear`` alone.
    - ``mutual``: SSL with client certificates; the common name is the user's.
    - ``expired``, ``foreign``: as ``scram``, with a certificate that has expired, or that is for
      another host.

    A user may nothing until rights are granted.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.authority = CertificateAuthority(folder / "certificates")
        self._issued: dict[str, CertificateFiles] = {}
        self._passwords = {}
        for name, text in (("password", PASSWORD), ("key-password", KEY_PASSWORD)):
            self._passwords[name] = folder / name
            self._passwords[name].write_text(text + "\n")
        self._own = own = self.authority.issue("broker")
        of_listener = {
            "scram": own,
            "mutual": own,
            "expired": self.authority.issue("expired", days_left=-1),
            "foreign": self.authority.issue(
                "foreign", hosts=["kafka.example.com"], addresses=["192.0.2.1"]
            ),
        }
        self._ports = {name: free_port() for name in (*of_listener, "clear")}
        plain = f"PLAINTEXT://127.0.0.1:{self.port}"
        others = [f"{name.upper()}://127.0.0.1:{port}" for name, port in self._ports.items()]
        properties = [
            f"listeners={','.join([plain, *others, self.controller_listener])}",
            f"advertised.listeners={','.join([plain, *others])}",
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,"
            "SCRAM:SASL_SSL,MUTUAL:SSL,EXPIRED:SASL_SSL,FOREIGN:SASL_SSL,CLEAR:SASL_PLAINTEXT",
            "inter.broker.listener.name=PLAINTEXT",
            "sasl.enabled.mechanisms=SCRAM-SHA-512",
            "listener.name.clear.sasl.enabled.mechanisms=PLAIN",
            f'listener.name.clear.plain.sasl.jaas.config={_PLAIN_MODULE} required user_clear="'
            f'{PASSWORD}";',
            "ssl.principal.mapping.rules=RULE:^CN=([^,]+).*$/$1/",
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users=User:ANONYMOUS",
        ]
        for name, files in of_listener.items():
            prefix = f"listener.name.{name}"
            properties += [
                f"{prefix}.scram-sha-512.sasl.jaas.config={_SCRAM_MODULE} required;",
                f"{prefix}.ssl.keystore.type=PEM",
                f"{prefix}.ssl.keystore.location={files.both}",
                f"{prefix}.ssl.truststore.type=PEM",
                f"{prefix}.ssl.truststore.location={self.authority.file}",
                f"{prefix}.ssl.client.auth={'required' if name == 'mutual' else 'requested'}",
            ]
        self.properties = properties

    def address(self, listener: str) -> str:
        """``host:port`` of a listener."""
        return f"127.0.0.1:{self._ports[listener]}"

    def take_certificate(self, files: CertificateFiles) -> None:
        """Have ``scram`` and ``mutual`` show another certificate, from the next start on."""
        shutil.copyfile(files.both, self._own.both)

    def add_user(self, name: str, password: str = PASSWORD) -> None:
        """Let ``name`` log in by SCRAM."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers})
        credential = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        change = UserScramCredentialUpsertion(name, credential, password.encode())
        for future in admin.alter_user_scram_credentials([change]).values():
            future.result(30)

    def scram_settings(self, user: str, *, listener: str = "scram", **changes: Any) -> Settings:
        """Settings that log ``user`` in by its password, over TLS."""
        values = {
            "bootstrap_servers": [self.address(listener)],
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_username": user,
            "sasl_password_file": self._passwords["password"],
            "ssl_cafile": self.authority.file,
        }
        return Settings(**(values | changes))

    def clear_settings(self, **changes: Any) -> Settings:
        """Settings that log the user ``clear`` in by its password, without TLS."""
        return self.scram_settings(
            "clear",
            listener="clear",
            **{
                "security_protocol": "SASL_PLAINTEXT",
                "sasl_mechanism": "PLAIN",
                "ssl_cafile": None,
                **changes,
            },
        )

    def mutual_settings(self, user: str, **changes: Any) -> Settings:
        """Settings that log ``user`` in by a certificate, whose key is encrypted."""
        if user not in self._issued:
            self._issued[user] = self.authority.issue(
                f"client-{user}", common_name=user, key_password=KEY_PASSWORD
            )
        files = self._issued[user]
        values = {
            "bootstrap_servers": [self.address("mutual")],
            "security_protocol": "SSL",
            "ssl_cafile": self.authority.file,
            "ssl_certfile": files.certificate,
            "ssl_keyfile": files.key,
            "ssl_key_password_file": self._passwords["key-password"],
        }
        return Settings(**(values | changes))

    def plain_settings(self, settings: Settings) -> Settings:
        """The same topics and groups as the super user."""
        plain = {"bootstrap_servers": [self.bootstrap_servers], "security_protocol": "PLAINTEXT"}
        kept = settings.model_dump(
            include={
                name
                for name in Settings.model_fields
                if not name.startswith(("sasl_", "ssl_")) and name not in plain
            }
        )
        return Settings(**kept, **plain)

    def grant(self, user: str, rights: Iterable[Right]) -> None:
        """Give ``user`` exactly ``rights`` and take away all else; back when the broker knows."""
        wanted, there = set(rights), self.rights_of_user(user)
        with KafkaAdminClient(bootstrap_servers=self.bootstrap_servers) as admin:
            if missing := wanted - there:
                admin.create_acls([ACL(**_entry(user, right)) for right in missing])
            if extra := there - wanted:
                admin.delete_acls([ACLFilter(**_entry(user, right)) for right in extra])
        wait_until(
            lambda: self.rights_of_user(user) == wanted, timeout=30, what=f"{user} has its rights"
        )

    def rights_of_user(self, user: str) -> set[Right]:
        """All that ``user`` has, as the broker tells it."""
        everything = ACLFilter(
            principal=f"User:{user}",
            host=None,
            operation=ACLOperation.ANY,
            permission_type=ACLPermissionType.ANY,
            resource_pattern=ResourcePatternFilter(
                ResourceType.ANY, None, ACLResourcePatternType.ANY
            ),
        )
        with KafkaAdminClient(bootstrap_servers=self.bootstrap_servers) as admin:
            found, _ = admin.describe_acls(everything)
        return {
            Right(
                acl.resource_pattern.resource_type.name.lower(),
                acl.resource_pattern.resource_name,
                acl.operation.name,
            )
            for acl in found
        }


def connection_variables(settings: Settings) -> dict[str, str]:
    """How ``settings`` reach Kafka, as variables without their prefix, for a process."""
    given: dict[str, str] = {}
    for name in settings.model_fields_set:
        if name.startswith(("bootstrap_", "security_", "sasl_", "ssl_")):
            value = getattr(settings, name)
            if value is None:
                continue
            given[name.upper()] = ",".join(value) if isinstance(value, list) else str(value)
    return given


def _entry(user: str, right: Right) -> dict[str, Any]:
    """A right as the admin client has it."""
    return {
        "principal": f"User:{user}",
        "host": "*",
        "operation": ACLOperation[right.operation],
        "permission_type": ACLPermissionType.ALLOW,
        "resource_pattern": ResourcePattern(ResourceType[right.resource.upper()], right.name),
    }
