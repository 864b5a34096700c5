"""What an announcement may say."""

import json

import pytest

from stream_detector.errors import RefusalReason, RefusedModelError
from stream_detector.models.announcement import Announcement, decode_announcement

ANNOUNCED = {
    "name": "url-wide_bilstm",
    "kind": "url",
    "version": "1",
    "sha256": "0" * 64,
    "url": "/srv/models",
    "thresholds": {"suspicious": 0.5, "malicious": 0.9},
    "announced_at": "2026-11-27T10:00:00Z",
}


def test_an_announcement_is_read():
    announcement = decode_announcement(b"url", json.dumps(ANNOUNCED).encode())
    assert isinstance(announcement, Announcement)
    assert announcement.name == "url-wide_bilstm"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"name": "a" * 60_000 + " ?"}, "the name of the announcement for url is longer than"),
        ({"version": "a\x1b[2J"}, "the version of the announcement for url holds a control"),
        ({"sha256": "0" * 64 + "\n"}, "sha256"),
        ({"previous": ["0" * 64 + "\n"]}, "previous"),
    ],
    ids=["long", "escapes", "newline", "newline before"],
)
def test_what_no_bundle_has_is_refused_in_one_short_line(changes, named):
    with pytest.raises(RefusedModelError) as caught:
        decode_announcement(b"url", json.dumps(ANNOUNCED | changes).encode())
    assert caught.value.reason is RefusalReason.MALFORMED
    assert named in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500
