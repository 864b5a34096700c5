"""Create a random password for each Kafka user of docker-compose.yml, once.

``python make_users.py [FOLDER]``: each user has a folder below FOLDER (/srv/users). It is a volume
that only the user's own container and this one mount. An existing file ``password`` in it stays.
The broker's folder also gets the logins of all users, and properties for Kafka's own tools.

Needs only Python's standard library.
"""

import os
import secrets
import sys
from pathlib import Path

BROKER = "kafka"
USERS = (BROKER, "administrator", "detector", "trainer", "log-shipper")
"""The super users of server.properties, and the users of the services in docker-compose.yml."""

# The broker's container runs as another user, and shares a group only with this process.
_OWNER, _OWNER_AND_GROUP = 0o400, 0o440
_PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"


def main(folder: Path) -> None:
    """Create the missing passwords in ``folder``, and write the broker's files."""
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
    tools = (
        "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n"
        f"sasl.jaas.config={_PLAIN} {own};\n"
    )
    _write(folder / BROKER / "jaas.conf", jaas, _OWNER_AND_GROUP)
    _write(folder / BROKER / "admin.properties", tools, _OWNER_AND_GROUP)


def _write(file: Path, text: str, mode: int) -> None:
    """Write the whole file or nothing, so that an interrupted start leaves no half password."""
    draft = file.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as output:
        output.write(text)
    draft.replace(file)


if __name__ == "__main__":
    main(Path(*sys.argv[1:] or ["/srv/users"]))
