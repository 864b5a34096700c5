"""Secrets of the settings are known in a line however they are spelled, in a text or a field."""

import json
from pathlib import Path
from urllib.parse import quote

import pytest

from stream_detector.logs.redaction import Redaction
from stream_detector.settings.fields import SECRET_FILES, SECRETS, Settings

PASSWORD = "pa'ss\\wörd & more"


@pytest.fixture
def redaction() -> Redaction:
    return Redaction(Settings(sasl_password=PASSWORD))


@pytest.mark.parametrize("name", sorted(SECRETS))
def test_each_secret_is_known(name: str) -> None:
    redaction = Redaction(Settings.model_validate({name: f" {PASSWORD}\n"}))

    assert redaction.text(f"it is {PASSWORD}") == "it is ***"


@pytest.mark.parametrize("name", SECRET_FILES)
@pytest.mark.parametrize("content", [PASSWORD.encode(), b"\x00\xff\x80key\n\xfe"])
def test_the_content_of_each_secret_s_file_is_known(
    name: str, content: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content + b"\r\n")
    redaction = Redaction(Settings.model_validate({name: file}))

    assert redaction.text(f"it is {content!r}").strip("\"'") in ("it is b'***", 'it is b"***')


def test_a_file_that_can_not_be_read_has_no_secret(tmp_path: Path) -> None:
    assert Redaction(Settings(ssl_keyfile=tmp_path / "none")).text("a line") == "a line"


def test_a_secret_of_three_characters_is_not_masked() -> None:
    assert Redaction(Settings(sasl_password="the")).text("the line") == "the line"


def test_a_line_has_no_spelling_of_a_secret(redaction: Redaction) -> None:
    for spelling in (PASSWORD, repr(PASSWORD), json.dumps(PASSWORD), quote(PASSWORD)):
        assert redaction.text(f"with {spelling}, again").strip("'\"") in {
            "with ***, again",
            "with '***', again",
            'with "***", again',
        }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (PASSWORD.encode(), 'b"***"'),
        (ValueError(PASSWORD), "***"),
        (ExceptionGroup("both", [ValueError(PASSWORD)]), "both (1 sub-exception)"),
        ({"why": ValueError(PASSWORD)}, {"why": "***"}),
        ({PASSWORD: [PASSWORD.encode()]}, {"***": ['b"***"']}),
        ({b"passphrase": "x"}, {"b'passphrase'": "***"}),
        ({"a": {"api-key": {"x": 1}}}, {"a": {"api-key": "***"}}),
        ((Path("/srv") / PASSWORD,), ["/srv/***"]),
        ([1, 0.5, True, None], [1, 0.5, True, None]),
    ],
)
def test_a_field_has_no_secret_whatever_it_is(
    value: object, expected: object, redaction: Redaction
) -> None:
    assert redaction.fields({"field": value}) == {"field": expected}


def test_a_secret_that_is_a_number_is_masked_in_a_field() -> None:
    redaction = Redaction(Settings(sasl_password="20304050"))

    assert redaction.fields({"n": 20304050, "m": 7}) == {"n": "***", "m": 7}
