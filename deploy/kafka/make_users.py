"""Random passwords of the Kafka users that docker-compose.yml has, each made once.

``python make_users.py [FOLDER]``: below FOLDER (/srv/users) each user has a folder, a volume that
no other container mounts but the one that runs this. ``password`` in it is kept if it is there. The
broker's folder has the logins of all as well, and properties for Kafka's own tools.

Needs nothing but Python's standard library.
"""

import os
import secrets
import sys
from pathlib import Path

BROKER = "kafka"
USERS = (BROKER, "administrator", "detector", "trainer", "log-shipper")
"""As in the listeners' super users, and in the services of docker-compose.yml."""

# The broker's container has another user, which shares a group with this process alone.
_OWNER, _OWNER_AND_GROUP = 0o400, 0o440
_PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"


def main(folder: Path) -> None:
    """Make what is missing in ``folder``."""
    passwords = {}
    for user in USERS:
        file = folder / user / "password"
        if not file.exists():
            _write(file, secrets.token_urlsafe(32) + "\n", _OWNER)
            sys.stdout.write(f"made a password for {user}\n")
        passwords[user] = file.read_text().strip()
    own = f'username="{BROKER}" password="{passwords[BROKER]}"'
    logins = "\n".join(f'  user_{user}="{password}"' for user, password in passwords.items())
    jaas = f"KafkaServer {{\n  {_PLAIN}\n  {own}\n{logins};\n}};\n"
    tools = f"security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n{_jaas_property(own)}\n"
    _write(folder / BROKER / "jaas.conf", jaas, _OWNER_AND_GROUP)
    _write(folder / BROKER / "admin.properties", tools, _OWNER_AND_GROUP)


def _jaas_property(login: str) -> str:
    return f"sasl.jaas.config={_PLAIN} {login};"


def _write(file: Path, text: str, mode: int) -> None:
    """All of it or nothing, so that an interrupted start leaves no half password."""
    draft = file.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as output:
        output.write(text)
    draft.replace(file)


if __name__ == "__main__":
    main(Path(*sys.argv[1:] or ["/srv/users"]))
