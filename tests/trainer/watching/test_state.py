"""What a watch knows after a restart."""

from datetime import timedelta
from unittest.mock import patch

import pytest

from stream_detector.errors import StreamDetectorError
from support.labels import NOON
from trainer.watching.schedule import Attempt, WatchState, load_state, save_state


def test_it_comes_back_as_it_was_saved(tmp_path):
    path = tmp_path / "watch.json"
    state = load_state(path, now=NOON)
    assert state == WatchState(NOON)
    for kind, labels in (("url", 3), ("host", 5), ("url", 7)):
        state = state.after(kind, Attempt(NOON + timedelta(hours=labels), labels, "passed"))
        save_state(path, state)
        assert load_state(path, now=NOON + timedelta(days=9)) == state
    assert {kind: attempt.labels for kind, attempt in state.attempts.items()} == {
        "url": 7,
        "host": 5,
    }
    assert [file.name for file in tmp_path.iterdir()] == ["watch.json"]


def test_a_save_cut_short_leaves_the_state_before(tmp_path):
    path = tmp_path / "watch.json"
    save_state(path, WatchState(NOON))
    with (
        patch("pathlib.Path.replace", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        save_state(path, WatchState(NOON).after("url", Attempt(NOON, 1, "passed")))
    assert load_state(path, now=NOON) == WatchState(NOON)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"since": "yesterday"}',
        b'{"since": "2026-11-24T12:00:00"}',
        b'{"since": "2026-11-24T12:00:00Z", "attempts": {"mail": {}}}',
        b'{"since": "2026-11-24T12:00:00Z", "attempts": {"url": {"labels": "x"}}}',
    ],
)
def test_a_damaged_state_is_an_error_with_a_remedy(tmp_path, content):
    path = tmp_path / "watch.json"
    path.write_bytes(content)
    with pytest.raises(StreamDetectorError, match=r"watch\.json is damaged .*: remove it"):
        load_state(path, now=NOON)
    assert path.read_bytes() == content
