"""Run every command of deploy/runbook.md, and compare its output with the lines shown there.

The sections run in order on one Kafka, worker and trainer, after the commands of the first day.
``SITUATIONS`` causes the problem of a section before its commands run.
"""

import json
import re
import shlex
import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from kafka import KafkaAdminClient

from stream_detector.models.manifest import ref_of_bundle
from support.broker import KafkaBroker
from support.documented import PROGRAMS, indented_blocks
from support.processes import ROOT, wait_until
from support.records import end_offsets, produce, read_all
from support.runbook import COMMANDS, MENTIONED, RUNBOOK, VARIABLES, Command, missing_line
from support.runbook_world import Installation
from trainer.gate.decision import Check, GateDecision, HoldOutRows, write_decision

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(1200)]

FIRST_DAY = "First day"
NOT_RUN = ("docker ", "kubectl ")
"""Beginnings of commands that the test only compares with the files of Compose and Kubernetes."""
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
KUBERNETES = {
    (each["kind"], each["metadata"]["name"]): each
    for path in (ROOT / "deploy" / "kubernetes").glob("*/**/*.yaml")
    for each in yaml.safe_load_all(path.read_text())
    if "metadata" in each
}
KINDS = {"deploy": "Deployment", "scaledobject": "ScaledObject"}
COMPOSE_DOES = {"stop": Installation.stop, "start": Installation.restart}
"""Commands of ``docker compose`` that the test applies to its own worker and trainer."""


def is_run(command: Command) -> bool:
    return not command.line.startswith(NOT_RUN)


SECTIONS = list(dict.fromkeys(each.section for each in COMMANDS if is_run(each)))


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation on which the commands of the first day have run."""
    folder = tmp_path_factory.mktemp("runbook")
    with KafkaBroker(tmp_path_factory.mktemp("runbook-kafka")) as broker:
        world = Installation(broker, folder)
        _pass_the_gate(folder / "new", folder / "url")
        try:
            run_section(world, FIRST_DAY)
            yield world
        finally:
            world.close()


def _pass_the_gate(challenger: Path, champion: Path) -> None:
    decision = GateDecision(
        challenger=ref_of_bundle(challenger),
        champion=ref_of_bundle(champion),
        kind="url",
        passed=True,
        decided_at=datetime.now(UTC).replace(microsecond=0),
        rules=None,
        rows=HoldOutRows(1220, 120),
        checks=(Check("loads and scores", True, "it does"),),
    )
    write_decision(challenger, decision)


def run_section(world: Installation, section: str) -> None:
    for command in COMMANDS:
        if command.section != section:
            continue
        compose = re.fullmatch(r"docker compose (\w+) ((?:detector|trainer| )+)", command.line)
        if is_run(command):
            world.run(command)
        elif compose and compose[1] in COMPOSE_DOES:
            for name in compose[2].split():
                COMPOSE_DOES[compose[1]](world, name)


def a_malformed_record(world: Installation) -> None:
    produce(world.broker.bootstrap_servers, "url-events", [b'{"url": '])
    wait_for_more(world, "url-events-dlq", 0)


def a_shadow_that_has_compared(world: Installation) -> None:
    world.output("stream-trainer models shadow $BUNDLE --share 1")
    shadow = ref_of_bundle(Path(world.values["BUNDLE"])).sha256
    wait_until(
        lambda: f'sha256="{shadow}"' in world.output("curl --silent $WORKER/metrics"),
        timeout=240,
        what="the worker has the shadow",
    )
    produce(world.broker.bootstrap_servers, "url-events", [b"http://compared.example/"])
    wait_for_more(world, "url-shadow", 0)


def a_deleted_topic(world: Installation) -> None:
    delete_topics(world, ["url-events"])
    wait_until(
        lambda: "missing" in world.output("curl --silent $WORKER/readyz"),
        timeout=240,
        what="the worker says that its topic is missing",
    )


def labels_in_a_topic_that_was_made_again(world: Installation) -> None:
    """The trainer starts, finds an unexpected label at an offset, and ends."""
    world.stop("trainer")
    delete_topics(world, ["url-labels"])
    world.output("stream-detector topics create")
    world.output("stream-detector label http://second.example/ benign --analyst kim")
    world.restart("trainer")
    assert "the topic was deleted and created again" in world.ended("trainer")


def judged_records(world: Installation) -> None:
    before = count_of(world, "url-verdicts")
    produce(world.broker.bootstrap_servers, "url-events", [b"http://again.example/"], partition=0)
    wait_for_more(world, "url-verdicts", before)


def count_of(world: Installation, topic: str) -> int:
    return sum(end_offsets(world.broker.bootstrap_servers, topic).values())


def wait_for_more(world: Installation, topic: str, count: int) -> None:
    wait_until(lambda: count_of(world, topic) > count, timeout=240, what=f"a record in {topic}")


def nothing_left(world: Installation) -> None:
    """Everything that a backup contains is lost."""
    world.before = shown(world)
    for name in ("detector", "trainer"):
        world.stop(name)
    delete_topics(world, [name for name in topics_of(world) if name.startswith("url-")])
    for name in ("FOLDER", "STREAM_DETECTOR_MODEL_STORE"):
        shutil.rmtree(world.values[name])


def topics_of(world: Installation) -> list[str]:
    admin = KafkaAdminClient(bootstrap_servers=world.broker.bootstrap_servers)
    try:
        names: list[str] = admin.list_topics()
        return names
    finally:
        admin.close()


def delete_topics(world: Installation, names: Sequence[str]) -> None:
    admin = KafkaAdminClient(bootstrap_servers=world.broker.bootstrap_servers)
    try:
        admin.delete_topics(list(names))
    finally:
        admin.close()
    wait_until(lambda: not {*names} & {*topics_of(world)}, timeout=240, what="the topics are gone")


def shown(world: Installation) -> dict[str, Any]:
    """Labels, announced models, the served model, and the verdict on a record."""
    before = count_of(world, "url-verdicts")
    produce(world.broker.bootstrap_servers, "url-events", [b"http://proof.example/"])
    wait_for_more(world, "url-verdicts", before)
    verdict = verdicts_of(world)[-1]
    models = world.output("stream-trainer models list --json --worker $WORKER")
    return {
        "labels": world.output("stream-trainer labels show --store $FOLDER/labels first.example"),
        "models": [json.loads(line) for line in models.splitlines()],
        "verdict": (verdict["observed"], verdict["score"], verdict["model"]),
    }


def verdicts_of(world: Installation) -> list[dict[str, Any]]:
    records = read_all(world.broker.bootstrap_servers, "url-verdicts")
    return [json.loads(each.value or b"") for each in records]


def scored_again(world: Installation) -> None:
    """Two verdicts have the same id."""

    def repeated() -> list[str]:
        ids = [v["id"] for v in verdicts_of(world) if v["observed"] == "http://again.example/"]
        return [each for each in ids if ids.count(each) > 1]

    wait_until(lambda: bool(repeated()), timeout=240, what="a second verdict with the same id")


def as_before(world: Installation) -> None:
    assert shown(world) == world.before


SITUATIONS: dict[str, Callable[[Installation], None]] = {
    "DeadLettersHigh": a_malformed_record,
    "ShadowDisagrees": a_shadow_that_has_compared,
    "Deleted topic": a_deleted_topic,
    "Score records again": judged_records,
    "Restore a backup": nothing_left,
    "Labels that disagree with their topic": labels_in_a_topic_that_was_made_again,
}
"""Prepares the situation of a section before its commands run."""

PROOFS: dict[str, Callable[[Installation], None]] = {
    "Score records again": scored_again,
    "Restore a backup": as_before,
}
"""Checks what must be true after the commands of a section."""


@pytest.mark.parametrize("section", [each for each in SECTIONS if each != FIRST_DAY])
def test_the_commands_of_a_section_work(section: str, installation: Installation) -> None:
    for program in ("curl", "openssl"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed, which the runbook uses")
    SITUATIONS.get(section, lambda _: None)(installation)

    run_section(installation, section)

    PROOFS.get(section, lambda _: None)(installation)


def test_every_command_has_an_expected_line_and_uses_defined_variables() -> None:
    assert [each.line for each in COMMANDS if is_run(each) and not each.expected] == []
    names = {each.removeprefix("export ").partition("=")[0] for each in VARIABLES}
    for line in [*(each.line for each in COMMANDS), *MENTIONED]:
        assert set(re.findall(r"\$\{?([A-Z_]+)", line)) <= names, line


def test_a_command_in_a_sentence_exists() -> None:
    lines = [each.line for each in COMMANDS]
    for text in MENTIONED:
        check(text)
        assert text.startswith(NOT_RUN) or any(line.startswith(text) for line in lines), (
            f"{text}: put it into a block, where it is run"
        )


def test_situations_and_proofs_belong_to_sections() -> None:
    assert SITUATIONS.keys() | PROOFS.keys() | {FIRST_DAY} <= {*SECTIONS}


def test_blocks_contain_only_commands_and_the_variables() -> None:
    others = [
        block[0] for block in indented_blocks(RUNBOOK.splitlines()) if not block[0].startswith("$ ")
    ]
    assert [each.partition(" ")[0] for each in others] == [VARIABLES[0]]


@pytest.mark.parametrize(
    "command", [each for each in COMMANDS if not is_run(each)], ids=lambda each: each.line
)
def test_other_commands_name_services_and_objects_that_exist(command: Command) -> None:
    check(command.line)


def test_models_and_backups_have_commands_for_each_kind_of_installation() -> None:
    for section in ("Roll a model back", "End a shadow", "Take a backup", "Restore a backup"):
        lines = [each.line for each in COMMANDS if each.section == section]
        for start in ("stream-", "docker compose ", "kubectl "):
            assert any(line.startswith(start) for line in lines), (section, start)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("docker compose exec trainers stream-trainer watch", "trainers"),
        ("docker compose exec trainer stream-trainer models roll-back", "roll-back"),
        ("kubectl --namespace stream-detector logs deploy/worker", "worker"),
        ("kubectl --namespace stream-detektor get pods", "stream-detektor"),
        ("stream-detector topics create --partitions 3", "--partitions"),
    ],
)
def test_a_command_with_an_unknown_name_is_noticed(line: str, fault: str) -> None:
    with pytest.raises(AssertionError, match=fault):
        check(line)


def test_a_missing_line_is_noticed() -> None:
    command = Command("", "", ["url-events ... created", "(nothing: all is well)"])
    assert missing_line(command, "url-events  existed\n") == "url-events ... created"
    assert missing_line(command, "x\nurl-events  1  created\n") == ""
    assert missing_line(command, "url-events  1  created\nmore\n") == "(nothing: all is well)"


def check(line: str) -> None:
    """Fail if a command names a service, object, command or option that does not exist."""
    words = shlex.split(line.partition(" > ")[0].partition(" < ")[0].partition(" | ")[0])
    if words[:2] == ["docker", "compose"]:
        check_compose(words[2:])
    elif words[0] == "kubectl":
        check_kubectl(words[1:])
    elif words[0] in PROGRAMS:
        check_ours(words)


def check_compose(words: list[str]) -> None:
    verb, *rest = words
    taking_a_value = {"--tail", "--env", "--index"}
    while rest and rest[0].startswith("-"):
        del rest[: 1 + (rest[0] in taking_a_value)]
    if verb in {"exec", "run"}:
        assert rest[0] in SERVICES, rest[0]
        check_ours(rest[1:])
    else:
        assert verb in {"ps", "logs", "stop", "start", "up"}, verb
        for service in rest:
            assert service in SERVICES, service


def check_kubectl(words: list[str]) -> None:
    if words[:2] == ["apply", "--kustomize"]:
        assert (ROOT / words[2] / "kustomization.yaml").exists()
        return
    [namespace] = [name for kind, name in KUBERNETES if kind == "Namespace"]
    assert words[:2] == ["--namespace", namespace], words
    for kind, name in re.findall(r" (deploy|scaledobject)/(\w+)", " ".join(words)):
        assert (KINDS[kind], name) in KUBERNETES, name
    for name in re.findall(r" pvc (\w+)", " ".join(words)):
        assert ("PersistentVolumeClaim", name) in KUBERNETES, name
    if "--patch" in words:
        trainer = KUBERNETES["Deployment", "trainer"]
        for step in json.loads(words[words.index("--patch") + 1]):
            found: Any = trainer
            for part in step["path"].strip("/").split("/"):
                found = found[int(part) if part.isdigit() else part]
    if "--" in words:
        check_ours(words[words.index("--") + 1 :])


def check_ours(words: Sequence[str]) -> None:
    if not words or words[0] not in PROGRAMS:
        return
    command, rest = PROGRAMS[words[0]], list(words[1:])
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        found = command.get_command(click.Context(command), rest[0])
        assert found is not None, rest[0]
        command = found
        del rest[0]
    options = {option for parameter in command.params for option in parameter.opts}
    options |= {*command.get_help_option_names(click.Context(command)), "--version"}
    given = {word for word in rest if word.startswith("--")}
    assert given <= options, given - options
