"""``settings`` shows every value and its origin, makes a file to start from, keeps secrets."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stream_detector.settings.fields import SETTING_GROUPS, Settings
from support.commands import assert_one_line_error, run_command

SECRET = "hunter2-of-the-tests"
LOGIN = {"SECURITY_PROTOCOL": "SASL_SSL", "SASL_USERNAME": "alice"}

Write = Callable[[str], str]


@pytest.fixture
def toml(tmp_path: Path) -> Write:
    def write(text: str) -> str:
        path = tmp_path / "detector.toml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def shown(*arguments: str, settings: dict[str, str] | None = None) -> dict[str, Any]:
    done = run_command("settings", "--json", *arguments, settings=settings)
    assert (done.returncode, done.stderr) == (0, b"")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def table(*arguments: str, settings: dict[str, str] | None = None) -> dict[str, list[str]]:
    """The cells of each line that shows a setting."""
    done = run_command("settings", *arguments, settings=settings)
    assert (done.returncode, done.stderr) == (0, b"")
    cells = [line.split(maxsplit=2) for line in done.stdout.decode().splitlines() if line[0] == " "]
    return {name: [origin, value] for name, origin, value in cells}


def test_every_setting_is_shown_with_value_and_origin() -> None:
    document = shown()

    assert list(document) == [name for names in SETTING_GROUPS.values() for name in names]
    assert {entry["origin"] for entry in document.values()} == {"default"}
    assert document["bootstrap_servers"]["value"] == ["localhost:9092"]
    assert document["ssl_check_hostname"]["value"] is True
    assert document["allow_list"]["value"] is None
    assert document["url_bundle"]["value"] == str(Settings().url_bundle)


def test_flag_environment_file_and_default_are_told_apart(toml: Write) -> None:
    config = toml('group_id = "file"\ncluster = "file"\ntopic_prefix = "file."\n')
    arguments = ["--config", config, "--group-id", "flag"]
    environment = {"GROUP_ID": "environment", "CLUSTER": "environment"}

    rows = table(*arguments, settings=environment)
    document = shown(*arguments, settings=environment)

    assert rows["group_id"] == ["flag", "flag"]
    assert rows["cluster"] == ["environment", "environment"]
    assert rows["topic_prefix"] == ["file", "file."]
    assert rows["alerts_topic"] == ["default", "url-alerts"]
    assert rows.keys() == document.keys()
    for name, (origin, _) in rows.items():
        assert document[name]["origin"] == origin


def test_the_environment_may_name_the_file(toml: Write) -> None:
    rows = table(settings={"CONFIG": toml('group_id = "g"\n')})

    assert rows["group_id"] == ["file", "g"]


def test_values_are_shown_as_they_are_given() -> None:
    rows = table(
        *("--input-topics", "proxy,dns", "--input-topics", "tls", "--no-ssl-check-hostname"),
        *("--input-formats", "proxy=squid,dns=zeek_dns", "--group-id", "gruppe ü"),
    )

    assert rows["input_topics"] == ["flag", "proxy,dns,tls"]
    assert rows["input_formats"] == ["flag", "proxy=squid,dns=zeek_dns"]
    assert rows["ssl_check_hostname"] == ["flag", "false"]
    assert rows["group_id"] == ["flag", "gruppe ü"]
    assert rows["allow_list"] == ["default", "-"]


def test_names_of_json_fields_are_given_by_flag_environment_and_file(toml: Write) -> None:
    config = toml('[json_fields]\nurl = "request.url"\nclient = "src.addr"\n')
    by_flag = table("--json-fields", "url=request.url,client=src.addr")["json_fields"]
    assert by_flag == ["flag", "url=request.url,client=src.addr"]
    assert table(settings={"JSON_FIELDS": "host=domain"})["json_fields"][1] == "host=domain"
    assert table("--config", config)["json_fields"][1] == "url=request.url,client=src.addr"


@pytest.mark.parametrize(
    ("fields", "parts"),
    [
        ("uri=request.uri", ["'uri'", "url, host, client, time, id", "--json-fields"]),
        ("url=", ["no field for url", "--json-fields"]),
        ("url", ["name=value", "--json-fields"]),
    ],
)
def test_a_wrong_name_of_a_json_field_is_refused_in_one_line(fields: str, parts: list[str]) -> None:
    assert_one_line_error(run_command("run", "--json-fields", fields), 2, *parts)


def test_help_teaches_how_json_fields_are_chosen() -> None:
    text = " ".join(run_command("run", "--help").stdout.decode().split())
    assert "--json-fields NAME=VALUE" in text
    assert "url=request.url,client=src.addr" in text


def test_a_file_name_of_any_bytes_can_be_shown() -> None:
    arguments = (b"--url-bundle", b"bundles/\xff")
    table_text = run_command("settings", *arguments).stdout.decode()
    document = json.loads(run_command("settings", "--json", *arguments).stdout)

    assert "bundles/\\xff" in table_text
    assert document["url_bundle"] == {"value": "bundles/\\xff", "origin": "flag"}


def test_the_file_to_start_from_sets_nothing(toml: Write) -> None:
    done = run_command("settings", "--toml")

    assert done.returncode == 0
    for name in Settings.model_fields:
        assert f"# {name} = " in done.stdout.decode()
    assert shown("--config", toml(done.stdout.decode())) == shown()


_CONTRADICTING = ("# ssl_", "# sasl_", "# model_public_key", "# client_key")


def test_every_line_of_the_file_to_start_from_may_be_used(toml: Write, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("")
    lines = run_command("settings", "--toml").stdout.decode().splitlines()
    used = [
        line.removeprefix("# ").replace("/path/to/file", str(there))
        for line in lines
        if line.partition(" = ")[0].removeprefix("# ") in Settings.model_fields
        # Files of TLS and SASL contradict a Kafka without either, a key models from nowhere
        # or pseudonyms that no output asks for.
        and not line.startswith(_CONTRADICTING)
    ]

    document = shown("--config", toml("\n".join(used)))

    origins = {name: entry["origin"] for name, entry in document.items()}
    assert [name for name, origin in origins.items() if origin == "default"] == [
        name for name in origins if f"# {name}".startswith(_CONTRADICTING)
    ]


def test_what_is_set_goes_through_a_file_unchanged(toml: Write) -> None:
    arguments = (
        *("--group-id", 'a "b" \\ ü 😀', "--input-topics", "proxy,dns", "--alert-window", "2.5"),
        *("--input-formats", "proxy=squid", "--kafka-options", "client_rack=a,linger_ms=3"),
        *("--no-ssl-check-hostname", "--url-malicious-threshold", "0.99", "--cache-entries", "0"),
    )
    given = shown(*arguments)

    file = run_command("settings", "--toml", *arguments).stdout.decode()
    read = shown("--config", toml(file))

    assert {name: entry["value"] for name, entry in read.items()} == {
        name: entry["value"] for name, entry in given.items()
    }
    for name, entry in given.items():
        assert (entry["origin"], read[name]["origin"]) in {("flag", "file"), ("default", "default")}


@pytest.mark.parametrize("form", [[], ["--json"], ["--toml"]], ids=["table", "json", "toml"])
def test_no_secret_is_printed(form: list[str], tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text(SECRET)

    by_variable = run_command("settings", *form, settings={**LOGIN, "SASL_PASSWORD": SECRET})
    by_file = run_command(
        "settings", *form, settings={**LOGIN, "SASL_PASSWORD_FILE": str(password)}
    )

    for done in (by_variable, by_file):
        assert done.returncode == 0
        assert b"alice" in done.stdout
        assert SECRET.encode() not in done.stdout + done.stderr
    assert str(password).encode() in by_file.stdout


def test_whether_a_secret_is_set_is_shown() -> None:
    rows = table(settings={**LOGIN, "SASL_PASSWORD": SECRET})

    assert rows["sasl_password"] == ["environment", "**********"]
    assert table()["sasl_password"] == ["default", "-"]


@pytest.mark.parametrize(
    ("arguments", "settings", "parts"),
    [
        (["--batch-records", "many"], {}, ["batch_records", "'many'", "--batch-records"]),
        ([], {"BATCH_RECORDS": "0"}, ["batch_records", "STREAM_DETECTOR_BATCH_RECORDS"]),
        ([], {"BATCH_RECORD": "1"}, ["did you mean STREAM_DETECTOR_BATCH_RECORDS?"]),
        (["--config", "/no/such.toml"], {}, ["/no/such.toml", "No such file"]),
        (["--input-formats", "url-events=x"], {}, ["'x'", "one of suricata", "--input-formats"]),
        ([], {"INPUT_FORMATS": "dns=zeek_dns"}, ["'dns'", "input_topics (url-events)"]),
        ([], {"SASL_PASSWORD": SECRET, "SASL_USERNAME": "a"}, ["SASL_SSL", "SASL_USERNAME"]),
        (["--kafka-options", f"sasl_password={SECRET}"], {}, ["can't hold a secret"]),
        (["--json", "--toml"], {}, ["not both"]),
    ],
)
def test_what_is_wrong_is_reported_in_one_line_with_its_place(
    arguments: list[str], settings: dict[str, str], parts: list[str]
) -> None:
    done = run_command("settings", *arguments, settings=settings)

    assert_one_line_error(done, 2, *parts)
    assert SECRET.encode() not in done.stderr
