"""Records with known outcomes, and the proof that each of them came out."""

import json
import random
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from support.records import produce, read_all

__all__ = ["CLUSTER", "Account", "Outputs", "mixed_records", "poison_records"]

CLUSTER = "tests"


class Sent(NamedTuple):
    """A value and the events it holds; 0 events make a dead letter."""

    value: bytes | None
    events: int


def mixed_records(count: int, *, seed: int = 1) -> Iterator[Sent]:
    """Good records in several formats, some of several lines, all of distinct names."""
    rng = random.Random(seed)
    for number in range(count):
        host = f"h{number}.{rng.choice(['example', 'test-site', 'shop'])}{rng.randrange(999)}.com"
        client = f"10.0.{rng.randrange(256)}.{rng.randrange(256)}"
        url = f"http://{host}/p/{number}?q={rng.randrange(10**6)}"
        choice = rng.randrange(6)
        if choice == 0:
            yield Sent(json.dumps({"url": url, "client": client, "id": str(number)}).encode(), 1)
        elif choice == 1:
            yield Sent(json.dumps({"host": host, "client": client}).encode(), 1)
        elif choice == 2:
            yield Sent(url.encode(), 1)
        elif choice == 3:
            yield Sent(
                f"1066036250.603    250 {client} TCP_MISS/200 1024 GET {url} - "
                "DIRECT/192.0.2.1 text/html".encode(),
                1,
            )
        elif choice == 4:
            yield Sent(
                json.dumps(
                    {
                        "timestamp": "2026-11-01T10:00:00.000000+0000",
                        "event_type": "tls",
                        "src_ip": client,
                        "flow_id": number,
                        "tls": {"sni": host},
                    }
                ).encode(),
                1,
            )
        else:
            yield Sent(f"{url}\n{host}\nhttp://{host}/second".encode(), 3)


def poison_records(count: int) -> Iterator[Sent]:
    """Records none of which can become a verdict."""
    deep = b'{"url":' + b"[" * 5000 + b"]" * 5000 + b"}"
    kinds: list[bytes | None] = [
        b"",
        None,
        b"x" * 1_000_000,
        bytes(range(256)),
        b'{"url": "http://a.exam',
        deep,
        b'{"url": 5}',
        b'{"url": ["http://a.example"]}',
        b"\xff\xfe\x00h\x00t",
        b"http://exa\xc3(mple.com/",
        b'{"neither": "url nor host"}',
        b'{"url": "http://[::1/"}',
        b"   \n \t ",
    ]
    for number in range(count):
        # A megabyte each would only test the disk: a few are enough.
        kind = kinds[number % len(kinds)]
        yield Sent(kind if kind is None or len(kind) < 100_000 or number < 40 else b"\x00", 0)


class Account:
    """What was sent to one topic, and so what has to come out."""

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        self._bootstrap_servers = bootstrap_servers
        self.topic = topic
        self.verdict_ids: set[str] = set()
        self.dead_letters: set[tuple[int, int]] = set()

    def send(self, records: Iterable[Sent], *, codec: str = "none") -> list[tuple[int, int]]:
        """Produce ``records`` and note what they must become; returns their positions."""
        sent = list(records)
        positions = produce(
            self._bootstrap_servers,
            self.topic,
            [record.value for record in sent],
            codec=codec,
            broker_may_fail=True,
        )
        for record, (partition, offset) in zip(sent, positions, strict=True):
            for index in range(record.events):
                self.verdict_ids.add(f"{CLUSTER}:{self.topic}:{partition}:{offset}:{index}")
            if not record.events:
                self.dead_letters.add((partition, offset))
        return positions


class Outputs:
    """What came out so far, by id and by position, with every copy of it."""

    def __init__(
        self, bootstrap_servers: str, verdicts_topic: str, dead_letters_topic: str
    ) -> None:
        self.verdicts: dict[str, list[dict[str, object]]] = {}
        self.dead_letters: dict[tuple[int, int], list[bytes | None]] = {}
        self.reasons: dict[tuple[int, int], str] = {}
        for record in read_all(bootstrap_servers, verdicts_topic):
            verdict = json.loads(record.value or b"")
            self.verdicts.setdefault(verdict["id"], []).append(verdict)
        for record in read_all(bootstrap_servers, dead_letters_topic):
            headers = dict(record.headers)
            position = int(headers["source-partition"]), int(headers["source-offset"])
            self.dead_letters.setdefault(position, []).append(record.value)
            self.reasons[position] = headers["reason"].decode()

    def prove(self, account: Account) -> None:
        """Every record is accounted for, by exactly the expected ids; replays say the same."""
        _assert_same("verdict ids", set(self.verdicts), account.verdict_ids)
        _assert_same("dead letters", set(self.dead_letters), account.dead_letters)
        for copies in self.verdicts.values():
            first, *replays = [{**copy, "detected_at": None} for copy in copies]
            assert all(replay == first for replay in replays)


def _assert_same(what: str, found: set[Any], expected: set[Any]) -> None:
    missing, unexpected = sorted(expected - found), sorted(found - expected)
    assert not missing, f"{len(missing)} {what} missing: {_ends(missing)}"
    assert not unexpected, f"{len(unexpected)} {what} that nobody sent: {_ends(unexpected)}"


def _ends(items: list[Any]) -> str:
    shown = items if len(items) <= 10 else [*items[:5], "...", *items[-5:]]
    return ", ".join(map(str, shown))
