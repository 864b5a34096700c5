"""Help that teaches and loads nothing heavy; wrong usage, closed streams and Ctrl-C in one line."""

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from stream_detector import __version__
from stream_detector.settings.fields import SECRETS, SETTING_GROUPS, Settings
from support.commands import (
    assert_one_line_error,
    command_line,
    environment_of,
    run_command,
)

COMMANDS = [
    *(
        "run",
        "score",
        "scan",
        "inspect",
        "formats",
        "label",
        "settings",
        "topics",
        "doctor",
        "demo",
        "replay",
        "dead-letters",
    )
]
TOPIC_COMMANDS = ["create", "check", "acls"]
LETTER_COMMANDS = ["list", "show", "replay"]
HELP_PAGES = [
    [],
    *([name] for name in COMMANDS),
    *(["topics", name] for name in TOPIC_COMMANDS),
    *(["dead-letters", name] for name in LETTER_COMMANDS),
]
HEAVY = {"faust", "keras", "pandas", "pyarrow", "sklearn", "tensorflow"}
"""Each takes about half a second to import, or more."""


def text_of(*arguments: str) -> str:
    """What is printed, with its lines joined: where they break is of no account."""
    done = run_command(*arguments)
    assert done.returncode == 0, done.stderr.decode()
    return " ".join(done.stdout.decode().split())


@pytest.mark.parametrize("page", HELP_PAGES, ids=" ".join)
def test_help_loads_nothing_that_is_slow_to_import(page: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "stream_detector", *page, "--help"],
        capture_output=True,
        text=True,
        env=environment_of(),
        check=True,
    )

    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.split("\n")}
    assert "stream_detector" in loaded
    assert loaded & HEAVY == set()
    assert done.stdout.startswith(" ".join(["Usage: stream-detector", *page]))


def test_help_begins_with_what_to_try_and_lists_every_command() -> None:
    done = run_command("--help")

    listed = done.stdout.decode().partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed[: len(COMMANDS)]] == COMMANDS
    assert b"stream-detector score example.com/login" in done.stdout
    assert run_command("-h").stdout == done.stdout


@pytest.mark.parametrize("page", [page for page in HELP_PAGES if page], ids=" ".join)
def test_every_command_says_what_it_does(page: list[str]) -> None:
    words = text_of(*page, "--help").partition("Options:")[0].split()

    assert len(words) > 15


@pytest.mark.parametrize("command", ["run", "settings", "doctor"])
def test_every_setting_but_secrets_is_an_option_with_its_meaning_and_default(command: str) -> None:
    page = text_of(command, "--help")

    for name, field in Settings.model_fields.items():
        flag = f" --{name.replace('_', '-')} "
        if name in SECRETS:
            assert flag not in page
        else:
            # click breaks lines at hyphens too.
            assert flag in page
            assert (field.description or "").replace(" ", "") in page.replace(" ", "")
    for title in SETTING_GROUPS:
        assert f"{title}: " in page
    assert "[default: localhost:9092]" in page


def test_help_shows_what_a_value_looks_like() -> None:
    page = text_of("run", "--help")

    assert "--bootstrap-servers A,B " in page
    assert "--kafka-options NAME=VALUE " in page
    assert "--url-malicious-threshold NUMBER " in page
    assert "--url-bundle PATH " in page
    assert "--start-at [earliest|latest] " in page


def test_score_has_no_option_that_it_does_not_heed() -> None:
    page = text_of("score", "--help")

    assert "--deny-list" in page
    for flag in ("--alert-window", "--bootstrap-servers", "--http-port"):
        assert flag not in page


def test_the_version_is_printed() -> None:
    assert text_of("--version").endswith(__version__)


def test_the_installed_program_is_the_same() -> None:
    (script,) = entry_points(group="console_scripts", name="stream-detector")

    assert script.value == "stream_detector.cli:main"


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["scor"], ["'scor'", "did you mean score?"]),
        (
            ["http://example.com/"],
            [
                "no command",
                ", ".join(COMMANDS),
            ],
        ),
        (["topics", "mak"], ["'mak'", "stream-detector topics --help"]),
        (["score", "--jsn", "a.example"], ["--jsn", "--json", "stream-detector score --help"]),
        (["run", "--bootstrap-server", "a:1"], ["--bootstrap-server", "--bootstrap-servers"]),
        (["run", "--sasl-password", "a"], ["--sasl-password", "--sasl-password-file"]),
        (["doctor", "--config"], ["--config"]),
        (["demo", "--records", "0"], ["--records", "x>=1"]),
    ],
)
def test_wrong_usage_is_named_in_one_line(arguments: list[str], parts: list[str]) -> None:
    assert_one_line_error(run_command(*arguments), 2, *parts)


@pytest.mark.parametrize("arguments", [[], ["topics"]])
def test_without_a_command_help_is_shown_as_an_error(arguments: list[str]) -> None:
    done = run_command(*arguments)

    assert done.returncode == 2
    assert done.stdout == b""
    assert b"Commands:" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--group-id", "a", "--kafka-options", "linger=5"], ["linger", "did you mean linger_ms?"]),
        (["--kafka-options", "fetch_max_wait_ms=soon"], ["fetch_max_wait_ms", "'soon'"]),
        (["--kafka-options", "group_id=a"], ["set group_id"]),
        (["--input-formats", "url-events=syslog"], ["'syslog'", "squid", "--input-formats"]),
        (["--http-port", "70000"], ["http_port", "70000", "--http-port"]),
    ],
)
def test_the_worker_refuses_wrong_settings_before_it_starts(
    arguments: list[str], parts: list[str]
) -> None:
    assert_one_line_error(run_command("run", *arguments), 2, *parts)


@pytest.mark.parametrize("arguments", [["--help"], ["settings"], ["settings", "--toml"]])
def test_a_reader_that_closes_the_pipe_sees_no_error(arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            command_line(*arguments),
            stdout=writing,
            stderr=subprocess.PIPE,
            env=environment_of(),
            check=False,
        )
    finally:
        os.close(writing)

    assert (done.returncode, done.stderr) == (1, b"")


def test_a_full_disk_is_reported_in_one_line() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command_line("settings"),
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment_of(),
            check=False,
        )

    assert done.returncode == 1
    assert b"No space left on device" in done.stderr
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_a_closed_stream_does_no_harm(closed: int) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" "$@" {closed}>&-', *command_line("settings")],
        capture_output=True,
        env=environment_of(),
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, b"")
    assert bool(done.stdout) == (closed != 1)


INTERRUPTED_IMPORT = """
import os, signal, sys

class Interrupted:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupted())
from stream_detector.cli import main
main()
"""


@pytest.mark.parametrize("module", ["click", "pydantic", "stream_detector.settings"])
def test_ctrl_c_while_modules_load_leaves_no_trace(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_IMPORT.format(module=module), "settings"],
        capture_output=True,
        env=environment_of(),
        check=False,
    )

    assert done.returncode == 130
    assert (done.stdout, done.stderr.strip()) == (b"", b"")
