"""The kinds of hostile records, each of which once cost more than its bytes say.

A kind makes record batches: each is decompressed as a whole, so its make-up is part of the attack.
``SECRET`` stands wherever the worker promises to mask.
"""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

__all__ = ["KINDS", "SECRET", "Batch", "HostileRecord", "Kind", "mixed_batches"]

SECRET = "Pl4ntedS3cret"
"""Letters and digits alone: no encoding changes it, and none hides it from a search."""

_MEGABYTE = 1_000_000
_SHORT_RECORDS = 50
"""Of a batch of short records."""


class HostileRecord(NamedTuple):
    """What a record of Kafka has."""

    value: bytes | None
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes | None]] = ()


class Batch(NamedTuple):
    """One record batch, which is compressed by zstd."""

    kind: str
    records: Sequence[HostileRecord]

    @property
    def unpacked_bytes(self) -> int:
        """Keys, values and headers before compression."""
        return sum(
            len(record.value or b"")
            + len(record.key or b"")
            + sum(2 + len(name) + len(value or b"") for name, value in record.headers)
            for record in self.records
        )


class Kind(NamedTuple):
    """One kind of attack."""

    name: str
    batch: Callable[[random.Random, int], Batch]
    """Makes a batch of at most so many records."""
    weight: float
    """How many records of the mixture are of this kind, to the others."""


def _long(name: str, size: int, value: Callable[[random.Random], bytes], weight: float) -> Kind:
    """A kind of large records, ``size`` to a batch."""

    def batch(rng: random.Random, count: int) -> Batch:
        return Batch(name, [HostileRecord(value(rng))] * min(size, count))

    return Kind(name, batch, weight)


def _short(name: str, make: Callable[[random.Random], HostileRecord], weight: float) -> Kind:
    """A kind of short records, all of them different."""

    def batch(rng: random.Random, count: int) -> Batch:
        return Batch(name, [make(rng) for _ in range(min(_SHORT_RECORDS, count))])

    return Kind(name, batch, weight)


def _bomb(_: random.Random, count: int) -> Batch:
    """More than is decompressed of a batch: 40 MB of quotes in a few KB."""
    records = [HostileRecord(b'"' * 10 * _MEGABYTE)] * min(4, count)
    return Batch("zstd of 40 MB", records)


def _host(rng: random.Random) -> str:
    return f"h{rng.randrange(10**9)}.hostile.example"


def _nested_logins(rng: random.Random) -> bytes:
    line = f"http://{_host(rng)}/" + f":{SECRET}@/" * 3_500
    return "\n".join([line] * 15).encode()


def _names_asked(count: int) -> Callable[[random.Random], bytes]:
    def value(rng: random.Random) -> bytes:
        start = rng.randrange(10**6)
        names = [{"rrname": f"a{start + number}.b"} for number in range(count)]
        dns = {"type": "request", "queries": names}
        return json.dumps(
            {"event_type": "dns", "flow_id": 1, "dns": dns}, separators=(",", ":")
        ).encode()

    return value


def _long_urls(rng: random.Random) -> bytes:
    sizes = (129_000, 200_000, 64_000)
    return "\n".join(f"http://{_host(rng)}/{'x/' * (size // 2)}" for size in sizes).encode()


def _canonical_bomb(rng: random.Random) -> bytes:
    """What percent-encoding makes longer: up to the longest canonical form that is allowed."""
    return "\n".join(f"http://{_host(rng)}/{'é' * 10_000}" for _ in range(20)).encode()


def _many_lines(rng: random.Random) -> bytes:
    start = rng.randrange(10**9)
    return b"\n".join(b"http://l%d.example/" % (start + number) for number in range(9_999))


def _too_many_lines(_: random.Random) -> bytes:
    return b"a.b\n" * 250_000


def _one_line(rng: random.Random) -> bytes:
    return (f"what is this {rng.random()} " * 60_000).encode()[:_MEGABYTE]


def _one_json_line(rng: random.Random) -> bytes:
    return json.dumps({"url": f"http://{_host(rng)}/", "user_agent": "\\" * 450_000}).encode()


def _encoded_secret(rng: random.Random) -> HostileRecord:
    host = _host(rng)
    urls = (
        f"http://user:{SECRET}@{host}/",
        f"http://{host}/?u=http%3A%2F%2Fuser%3A{SECRET}%40other.example%2F",
        f"http://{host}/?u=http%253A%252F%252Fuser%253A{SECRET}%2540other.example%252F",
        f"http://{host}/?a=x%40y&u=http%253A%252F%252Fu%253A{SECRET}%2540other.example",
        f"http://{host}/http:/u:{SECRET}%40other.example/%2540/",
    )
    url = rng.choice(urls)
    return HostileRecord(
        rng.choice(
            [
                url.encode(),
                json.dumps({"url": url, "client": f"u:{SECRET}@10.0.0.1", "id": url}).encode(),
                json.dumps({"elsewhere": url}).encode(),
                f"not a line {url}".encode(),
            ]
        ),
        key=url.encode(),
    )


def _broken_secret(rng: random.Random) -> HostileRecord:
    """The encoding of the ``@`` holds a line break, or is Zeek's."""
    host = _host(rng)
    return HostileRecord(
        rng.choice(
            [
                json.dumps({"url": f"http://u:{SECRET}%4\n0{host}/"}).encode(),
                json.dumps({"url": f"http://{host}/?u=http://u:{SECRET}%\t40x.example/"}).encode(),
                f"1795165220.6\tC1\t10.0.0.1\t1\t192.0.2.1\t80\t1\tGET\t{host}\t"
                f"/?u=http://u:{SECRET}\\x40x.example/\t-\t1.1".encode(),
            ]
        )
    )


def _headers(rng: random.Random) -> HostileRecord:
    url = f"http://{_host(rng)}/".encode()
    headers: list[tuple[str, bytes | None]] = rng.choice(
        [
            [("", b"")] * 500,
            [("replay-of", b"url-events-dlq:0:" + b"9" * 10_000)],
            [("content-type", None), ("reason", b"malformed"), ("source-offset", b"-1")],
            [("é" * 10_000, b"\xff" * 10_000)],
        ]
    )
    return HostileRecord(url, headers=headers)


def _many_headers(rng: random.Random, count: int) -> Batch:
    """Headers that take two bytes each: some hundred bytes, compressed."""
    url = f"http://{_host(rng)}/".encode()
    record = HostileRecord(url, headers=[("", b"")] * 500_000)
    return Batch("500,000 headers", [record] * min(4, count))


def _unreadable(rng: random.Random) -> HostileRecord:
    host = _host(rng).encode()
    return HostileRecord(
        rng.choice(
            [
                b"http://" + host + b"/\0",
                b"http://" + host + b"/\xff\xfe",
                b'{"url":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
                b'{"url":"http://' + host + b'/","ts":1e999}',
                b'{"url":"http://' + host + b'/","ts":' + b"9" * 5_000 + b"}",
                b'{"url":"\\ud800' + host + b'"}',
                b"",
                None,
                b"\xef\xbb\xbf" * 1_200,
                b'{"event_type":"dns","dns":{"queries":[' + b"{}," * 2_000 + b"{}]}}",
                host,
            ]
        )
    )


def _long_key(rng: random.Random) -> HostileRecord:
    return HostileRecord(f"http://{_host(rng)}/ what".encode(), key=b"k:@" * 300_000)


KINDS: Sequence[Kind] = (
    _long("quotes", 8, lambda _: b'"' * 1_040_000, 2),
    _long("quotes above the limit", 3, lambda _: b'"' * 2_500_000, 1),
    Kind("zstd of 40 MB", _bomb, 1),
    _long("nested logins", 8, _nested_logins, 1),
    _long("60,000 names", 4, _names_asked(60_000), 1),
    _long("9,000 names", 4, _names_asked(9_000), 1),
    _long("long URLs", 8, _long_urls, 2),
    _long("URLs that get longer", 8, _canonical_bomb, 1),
    _long("9,999 lines", 4, _many_lines, 1),
    _long("250,000 lines", 8, _too_many_lines, 1),
    _long("one line of 1 MB", 8, _one_line, 1),
    _long("JSON of 1 MB", 8, _one_json_line, 1),
    Kind(
        "keys of 900 KB",
        lambda rng, count: Batch("keys of 900 KB", [_long_key(rng)] * min(4, count)),
        1,
    ),
    Kind("500,000 headers", _many_headers, 1),
    _short("encoded secrets", _encoded_secret, 2500),
    _short("secrets with breaks", _broken_secret, 2000),
    _short("headers", _headers, 2000),
    _short("unreadable", _unreadable, 3500),
)


def mixed_batches(records: int, *, seed: int) -> Iterator[Batch]:
    """Batches of all kinds by their weights, ``records`` records in all; each kind at least once.

    The same ``seed`` gives the same batches.
    """
    rng = random.Random(seed)
    total = sum(kind.weight for kind in KINDS)
    left = {kind.name: max(1, round(records * kind.weight / total)) for kind in KINDS}
    left["unreadable"] += records - sum(left.values())
    makers = {kind.name: kind.batch for kind in KINDS}
    while left:
        name = rng.choices(list(left), list(left.values()))[0]
        batch = makers[name](rng, left[name])
        left[name] -= len(batch.records)
        if not left[name]:
            del left[name]
        yield batch
