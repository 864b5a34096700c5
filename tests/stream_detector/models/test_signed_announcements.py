"""The newest signed announcement counts, whatever is written into the topic behind it."""

import json
from itertools import count

import pytest

from stream_detector.errors import RefusalReason
from stream_detector.models.announcement import Announcement, ShadowEnd, shadow_key
from stream_detector.models.signed_announcements import (
    AnnouncementOrder,
    SignedRecord,
    keep_signed,
    kept_signed,
    next_sequence,
    signed_record,
)
from stream_detector.models.signing import new_key, public_half
from stream_detector.models.store import ModelStore

THRESHOLDS = {"suspicious": 0.5, "malicious": 0.9}


def value(version: str, **changes: object) -> bytes:
    return json.dumps(
        {
            "name": "a",
            "kind": "url",
            "version": version,
            "sha256": "0" * 64,
            "url": "",
            "thresholds": THRESHOLDS,
            "announced_at": "2026-11-27T10:00:00Z",
            **changes,
        }
    ).encode()


@pytest.fixture
def key(tmp_path):
    new_key(tmp_path / "models.key")
    return tmp_path / "models.key"


@pytest.fixture
def signed(key):
    numbers = count(1)

    def signed(version: str, record_key: bytes = b"url", **changes: object) -> SignedRecord:
        content = value(version, **changes)
        return signed_record(record_key, content, sequence=next(numbers), signing_key=key)

    return signed


class Judged:
    """An order that remembers whom it refused."""

    def __init__(self, key) -> None:
        self.refused: list[RefusalReason] = []
        self.messages: list[str] = []
        refusing = {"serve": self._refuse, "shadow": self._refuse}
        self.order = AnnouncementOrder(None if key is None else public_half(key), refusing)

    def _refuse(self, error) -> None:
        self.refused.append(error.reason)
        self.messages.append(str(error))

    def versions(self, *records: SignedRecord, kept=()) -> dict[bytes, str]:
        self.order.read(records)
        return {
            key: announced.version
            for key, announced in self.order.newest(kept).items()
            if isinstance(announced, Announcement)
        }


def test_an_older_record_written_again_does_not_count(key, signed):
    first, second, third = signed("1"), signed("2"), signed("3")

    judged = Judged(key)
    assert judged.versions(first, second, third, second) == {b"url": "3"}
    assert judged.refused == [RefusalReason.OUTDATED]

    # Nor later on; the same once more is what is announced already.
    assert judged.versions(first, third) == {b"url": "3"}
    assert judged.refused == [RefusalReason.OUTDATED] * 2
    assert all(message.isprintable() for message in judged.messages)


def test_the_topic_read_once_more_is_no_attack(key, signed):
    records = [signed("1"), signed("2")]
    judged = Judged(key)
    judged.versions(*records)
    judged.order.begin()
    assert judged.versions(*records) == {b"url": "2"}
    assert judged.refused == []

    # Where compaction has left the old one alone, what was seen still counts.
    judged.order.begin()
    assert judged.versions(records[0]) == {}
    assert judged.refused == [RefusalReason.OUTDATED]


def test_a_process_that_starts_knows_the_newest_from_the_store(key, signed, tmp_path):
    store = ModelStore(str(tmp_path / "store"))
    first, second = signed("1"), signed("2")
    keep_signed(store, second)

    judged = Judged(key)
    assert judged.versions(first, kept=kept_signed(store)) == {b"url": "2"}
    assert judged.refused == [RefusalReason.OUTDATED]
    assert Judged(key).versions(kept=kept_signed(store)) == {b"url": "2"}
    assert Judged(key).versions(signed("3"), kept=kept_signed(store)) == {b"url": "3"}


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"null"])
def test_a_damaged_announcement_in_the_store_is_passed_over(tmp_path, content, caplog):
    store = ModelStore(str(tmp_path / "store"))
    store.put_announced("shadow/url", content)
    assert kept_signed(store) == []
    assert "the announcement of shadow/url in" in caplog.text


@pytest.mark.parametrize("part", ["value", "key", "sequence", "signature", "none", "unsigned"])
def test_what_was_changed_after_it_was_signed_is_refused(key, signed, part):
    record = signed("1", b"shadow/url", role="shadow", share=0.5)
    headers = dict(record.headers)
    changed = {
        "value": record._replace(value=record.value.replace(b"0.9", b"0.8")),
        "key": record._replace(key=b"shadow/host"),
        "sequence": record._replace(headers=[*headers.items(), ("sequence", b"99")]),
        "signature": record._replace(headers=[*headers.items(), ("signature", b"x" * 64)]),
        "none": record._replace(headers=[*headers.items(), ("sequence", None)]),
        "unsigned": record._replace(headers=[]),
    }[part]

    judged = Judged(key)
    assert judged.versions(record, changed) == {b"shadow/url": "1"}
    assert judged.refused == [RefusalReason.SIGNATURE]


def test_a_shadow_does_not_serve_by_another_key_or_role(key, signed):
    shadow = signed("1", b"shadow/url", role="shadow", share=0.5)
    serving = shadow.value.replace(b'"shadow"', b'"serve"')

    judged = Judged(key)
    assert judged.versions(shadow._replace(key=b"url", value=serving)) == {}
    assert judged.versions(shadow._replace(key=b"url")) == {}
    assert judged.refused == [RefusalReason.SIGNATURE] * 2


def test_a_shadow_ends_by_a_signed_record_alone(key, signed):
    shadow = signed("1", b"shadow/url", role="shadow", share=0.5)
    judged = Judged(key)
    judged.order.read([shadow, SignedRecord(b"shadow/url", None, [])])
    assert isinstance(judged.order.newest()[b"shadow/url"], Announcement)
    assert judged.refused == [RefusalReason.SIGNATURE]

    end = signed_record(b"shadow/url", None, sequence=2, signing_key=key)
    judged.order.read([end, shadow])
    assert judged.order.newest() == {b"shadow/url": ShadowEnd("url")}
    assert judged.refused[1:] == [RefusalReason.OUTDATED]


def test_without_a_key_the_last_record_counts_signed_or_not(signed):
    old = SignedRecord(b"url", value("old"), [])
    first, second = signed("1"), signed("2")
    judged = Judged(None)
    assert judged.versions(old, second, first) == {b"url": "1"}
    assert judged.versions(old) == {b"url": "old"}
    judged.order.begin()
    # Of a kind without a shadow its end is said each time that the topic is read.
    assert judged.order.newest() == {shadow_key(kind): ShadowEnd(kind) for kind in ("url", "host")}
    assert judged.refused == []


def test_sequences_grow_though_a_clock_goes_back():
    now = next_sequence(0)
    assert now > 1_700_000_000_000
    assert next_sequence(now + 10**9) == now + 10**9 + 1
