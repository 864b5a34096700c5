"""``topics acls``: the commands it prints, the file, and the rights that it gives."""

import os
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from stream_detector.kafka.rights import PARTS, Part, Right, rights_of
from stream_detector.settings.fields import Settings
from support.broker import KafkaBroker, java_command
from support.commands import assert_one_line_error, run_command
from support.processes import ROOT
from support.secured_broker import SecuredBroker

PREFIX = "printed."
CONSUMER_GROUP = "printed-soc"
NAMES: dict[str, Any] = {
    "topic_prefix": PREFIX,
    "group_id": "printed",
    "labels_group_id": "printed-labels",
    "model_store": "/srv/models",
}


def needed(part: Part) -> list[Right]:
    return rights_of(part, Settings(**NAMES), consumer_group=CONSUMER_GROUP)


@pytest.fixture
def kafka_acls(tmp_path: Path) -> dict[str, str]:
    """An environment whose ``kafka-acls.sh`` is Kafka's own tool."""
    tool = tmp_path / "kafka-acls.sh"
    command = shlex.join(java_command("org.apache.kafka.tools.AclCommand"))
    tool.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    tool.chmod(0o755)
    return {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}


@pytest.mark.kafka
@pytest.mark.slow
def test_the_commands_printed_give_what_the_table_has(
    kafka_acls: dict[str, str], secured_kafka: SecuredBroker
) -> None:
    consumer_group, labels_group = "--add", 'it\'s "own" $HOME'
    names = {
        "detector": "svc-detector",
        "consumer": "User:soc team",
        "labeller": "User:Group:x",
        "reporter": "-r",
        "trainer": 'CN=it\'s "it" $HOME,O=é',
    }
    done = run_command(
        *("topics", "acls", "--bootstrap-servers", secured_kafka.bootstrap_servers),
        *("--topic-prefix", PREFIX, "--group-id", "printed", "--model-store", "/srv/models"),
        *("--labels-group-id", labels_group, "--consumer-group", consumer_group),
        *(f"--principal={part}={name}" for part, name in names.items()),
        *(f"--principal={part}=printed-{part}" for part in PARTS if part not in names),
    )
    assert (done.returncode, done.stderr) == (0, b"")

    given = subprocess.run(
        ["sh", "-e"], input=done.stdout, env=kafka_acls, check=False, capture_output=True
    )
    assert given.returncode == 0, given.stderr.decode()

    settings = Settings(**NAMES | {"labels_group_id": labels_group})
    for part in PARTS:
        user = names.get(part, f"printed-{part}").removeprefix("User:")
        expected = rights_of(part, settings, consumer_group=consumer_group)
        # Other tests of the session give users of the same names rights to other topics.
        given_here = {
            right
            for right in secured_kafka.rights_of_user(user)
            if not right.name.startswith("test_") and right.name != Settings().group_id
        }
        assert given_here == set(expected), part


@pytest.mark.kafka
def test_rights_that_are_applied_are_what_the_table_has(secured_kafka: SecuredBroker) -> None:
    """Once or twice, and what a user has already stays."""
    more = Right("topic", f"{PREFIX}more", "READ")
    secured_kafka.grant("applied-consumer", [more])
    for _ in range(2):
        done = run_command(
            *("topics", "acls", "--apply", "--part", "consumer", "--part", "detector"),
            *("--bootstrap-servers", secured_kafka.bootstrap_servers, "--topic-prefix", PREFIX),
            *("--group-id", "printed", "--consumer-group", CONSUMER_GROUP),
            *("--principal=consumer=applied-consumer", "--principal=detector=applied-detector"),
            *("--model-store", "/srv/models"),
        )
        assert (done.returncode, done.stderr) == (0, b"")

    assert secured_kafka.rights_of_user("applied-consumer") == {more, *needed("consumer")}
    assert secured_kafka.rights_of_user("applied-detector") == set(needed("detector"))
    assert done.stdout.decode().splitlines() == [
        "consumer: User:applied-consumer has 4 rights",
        "detector: User:applied-detector has 7 rights",
    ]


@pytest.mark.kafka
def test_rights_are_not_applied_where_kafka_knows_none(kafka: KafkaBroker) -> None:
    done = run_command(
        *("topics", "acls", "--apply", "--part", "consumer"),
        *("--bootstrap-servers", kafka.bootstrap_servers),
    )

    assert_one_line_error(done, 1, kafka.bootstrap_servers, "authorizer.class.name")


@pytest.mark.parametrize("option", ["--yaml", "--command-config=admin.properties"])
def test_apply_prints_no_commands_or_document(option: str) -> None:
    done = run_command("topics", "acls", "--apply", option)

    assert_one_line_error(done, 2, "--apply", "leave --yaml and --command-config out")


def test_the_file_is_what_the_command_prints() -> None:
    done = run_command("topics", "acls", "--yaml", settings={"MODEL_STORE": "/srv/models"})

    file = (ROOT / "deploy" / "kafka" / "acls.yaml").read_text()
    comment, _, rest = file.partition("\n\n")
    assert rest == done.stdout.decode()
    assert all(line.startswith("# ") for line in comment.splitlines())


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--part", "detecter"], ["--part", "'detecter'", "detector, topic-maker"]),
        (["--principal", "kim"], ["PART=NAME", "'kim'"]),
        (["--principal", "kim=User:kim"], ["--principal", "'kim'", "detector, topic-maker"]),
    ],
)
def test_an_unknown_part_is_refused_in_one_line(arguments: list[str], parts: list[str]) -> None:
    assert_one_line_error(run_command("topics", "acls", *arguments), 2, *parts)


@pytest.mark.parametrize(
    "user",
    [
        *("", "User:", " ", " kim", "User: kim", "User:kim ", "ki\nm", "ki\x1bm", "ki\udcffm"),
        *("*", "User:*", "Group:x", " Group:x", "user:kim", ":kim"),
    ],
)
def test_a_principal_that_kafka_would_take_for_another_is_refused_in_one_line(user: str) -> None:
    done = run_command("topics", "acls", "--part", "detector", "--principal", f"detector={user}")

    assert_one_line_error(done, 2, "--principal detector", "user")


@pytest.mark.parametrize("option", ["--consumer-group", "--group-id", "--labels-group-id"])
@pytest.mark.parametrize("form", ["--yaml", "--part=detector"])
def test_a_group_that_can_not_get_rights_is_refused_in_one_line(option: str, form: str) -> None:
    where = option if option == "--consumer-group" else option.strip("-").replace("-", "_")
    for group in ("", " ", "*", "a ", "a\nb"):
        done = run_command("topics", "acls", form, f"{option}={group}")

        # Settings are refused as blank, or as no name, before they are asked for as a group.
        why = "consumer group"
        if option != "--consumer-group" and group in {"", " ", "a\nb"}:
            why = "control character" if group.strip() else "empty"
        assert_one_line_error(done, 2, where, why)


def test_the_commands_are_for_the_administrator_who_is_named() -> None:
    done = run_command(
        *("topics", "acls", "--part", "model-publisher", "--model-store", "/srv/models"),
        *("--command-config", "/etc/kafka/admin properties", "--bootstrap-servers", "a:1,b:2"),
        *("--principal", "model-publisher=User:CN=trainer,O=soc"),
    )

    comment, line = done.stdout.decode().splitlines()
    assert comment == f"# model-publisher: {PARTS['model-publisher']}"
    assert shlex.split(line) == [
        *("kafka-acls.sh", "--bootstrap-server", "a:1,b:2"),
        *("--command-config", "/etc/kafka/admin properties", "--add"),
        *("--allow-principal", "User:CN=trainer,O=soc"),
        *("--operation", "Read", "--operation", "Write", "--topic", "url-models"),
    ]
