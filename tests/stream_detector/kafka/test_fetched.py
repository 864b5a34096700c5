"""What a fetch gives, by aiokafka's own builder of record batches."""

import gzip
import random
import subprocess
import sys
import time

import cramjam
import pytest
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.structs import TopicPartition

from stream_detector.events import UnreadRecord
from stream_detector.kafka.fetched import (
    FetchedChunks,
    RecordBatches,
    RecordsAsDecoded,
    bound_fetches,
)
from stream_detector.kafka.record_batches import TooLargeError, decompressed
from stream_detector.limits import (
    CHUNK_BYTES_MAX,
    DECOMPRESSED_BYTES_MAX,
    HEADERS_MAX,
    UNREAD_RECORDS_MAX,
)
from support.memory import takes_at_most
from support.raw_batches import raw_batch, raw_record, varint

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
CODECS = [0, GZIP, SNAPPY, LZ4, ZSTD]
BOUNDED = [GZIP, LZ4, ZSTD]
MIB = 1024 * 1024


@pytest.fixture(autouse=True)
def _bounded():
    bound_fetches(DECOMPRESSED_BYTES_MAX)


def batch_of(values, *, codec, first=0, headers=()):
    builder = DefaultRecordBatchBuilder(2, codec, 0, -1, -1, -1, 1 << 30)
    for offset, value in enumerate(values):
        builder.append(offset, timestamp=1000 + offset, key=b"k", value=value, headers=[*headers])
    built = builder.build()
    built[:8] = first.to_bytes(8, "big")  # which its checksum does not cover
    return bytes(built)


def records_of(*batches, start=0):
    records = RecordBatches(b"".join(batches))
    return RecordsAsDecoded(
        TopicPartition("t", 0), records, [], start, None, None, True, "read_uncommitted"
    )


@pytest.mark.parametrize("codec", CODECS)
def test_a_usual_batch_comes_whole(codec):
    values = [b"line %d" % number for number in range(500)]
    read = list(records_of(batch_of(values, codec=codec, first=7, headers=[("h", b"v")]), start=7))
    assert [record.value for record in read] == values
    assert [record.offset for record in read] == list(range(7, 507))
    assert {record.key for record in read} == {b"k"}
    assert read[3].timestamp == 1003
    assert list(read[0].headers) == [("h", b"v")]


@pytest.mark.parametrize("codec", BOUNDED)
def test_a_batch_that_compresses_well_comes_whole_up_to_the_limit(codec):
    values = [b"x" * MIB for _ in range(7)]
    assert [r.value for r in records_of(batch_of(values, codec=codec))] == values


@pytest.mark.parametrize("codec", BOUNDED)
def test_what_stands_behind_the_limit_comes_unread_and_the_next_batch_whole(codec):
    values = [b"%d" % number + b'"' * MIB for number in range(20)]
    bomb, next_batch = (
        batch_of(values, codec=codec, headers=[("h", b"v")]),
        batch_of([b"next"], codec=codec, first=20),
    )
    read = list(records_of(bomb, next_batch))
    whole = DECOMPRESSED_BYTES_MAX // MIB - 1
    assert [record.offset for record in read] == list(range(21))
    assert [record.value for record in read[:whole]] == values[:whole]
    assert (read[5].timestamp, read[5].key, read[5].headers) == (1005, b"k", [("h", b"v")])
    assert read[whole:20] == [UnreadRecord(offset) for offset in range(whole, 20)]
    assert read[20].value == b"next"


def test_of_a_batch_of_tiny_records_most_come_unread_as_one():
    count = 3 * DECOMPRESSED_BYTES_MAX // 14
    batch = batch_of([b""] * count, codec=ZSTD)
    read = list(records_of(batch))
    *one_by_one, rest = read[-UNREAD_RECORDS_MAX - 1 :]
    assert all(isinstance(record, UnreadRecord) for record in one_by_one)
    assert {record.records for record in one_by_one} == {1}
    assert not isinstance(read[-UNREAD_RECORDS_MAX - 2], UnreadRecord)
    assert rest == UnreadRecord(count - 1, records=count - 1 - one_by_one[-1].offset)
    assert rest.records > count // 4
    assert [record.offset for record in read[:-1]] == list(range(len(read) - 1))


def test_a_single_record_of_a_gigabyte_stays_within_the_limit():
    # Made piece by piece: frames that follow each other are one stream.
    batch = batch_of([b"y"], codec=ZSTD)
    header, length = bytearray(batch[:61]), 1 << 30
    record = bytes([0, 0, 0, 1]) + _varint(length)
    start = cramjam.zstd.compress(_varint(len(record) + length + 1) + record)
    piece = bytes(cramjam.zstd.compress(bytes(64 * MIB)))
    body = bytes(start) + piece * 16 + bytes(cramjam.zstd.compress(b"\0"))
    header[8:12] = (len(header) + len(body) - 12).to_bytes(4, "big")
    records = RecordsAsDecoded(
        TopicPartition("t", 0),
        RecordBatches(bytes(header) + body),
        *([], 0, None, None, False, "read_uncommitted"),
    )
    with takes_at_most(8 * DECOMPRESSED_BYTES_MAX):
        assert list(records) == [UnreadRecord(0)]


def test_gzip_files_in_a_row_are_one():
    batch = batch_of([b"a" * 50, b"b"], codec=GZIP)
    body = gzip.decompress(batch[61:])
    twice = gzip.compress(body[:20]) + gzip.compress(body[20:])
    header = bytearray(batch[:61])
    header[8:12] = (len(header) + len(twice) - 12).to_bytes(4, "big")
    records = RecordsAsDecoded(
        TopicPartition("t", 0),
        RecordBatches(bytes(header) + twice),
        *([], 0, None, None, False, "read_uncommitted"),
    )
    assert [record.value for record in records] == [b"a" * 50, b"b"]


def with_body(batch, body):
    return batch[:8] + (len(body) + 49).to_bytes(4, "big") + batch[12:61] + body


def unchecked(content):
    """The records of a batch whose checksum is not looked at."""
    return list(
        RecordsAsDecoded(
            TopicPartition("t", 0),
            RecordBatches(content),
            *([], 0, None, None, False, "read_uncommitted"),
        )
    )


@pytest.mark.parametrize("codec", CODECS)
def test_a_header_name_that_is_not_utf_8_stops_nothing(codec):
    whole = batch_of([b"a", b"b"], codec=0, headers=[("name", b"v")])
    body = whole[61:].replace(b"name", b"\xff\xfeme")
    compress = {
        0: bytes,
        GZIP: gzip.compress,
        SNAPPY: cramjam.snappy.compress_raw,
        LZ4: cramjam.lz4.compress,
        ZSTD: cramjam.zstd.compress,
    }[codec]
    head = batch_of([b"a", b"b"], codec=codec)
    records = unchecked(with_body(head, bytes(compress(body))))
    assert [(r.offset, r.key, r.value) for r in records] == [(0, b"k", b"a"), (1, b"k", b"b")]
    assert records[0].headers == [("\ufffd\ufffdme", b"v")]


@pytest.mark.parametrize("codec", [SNAPPY, ZSTD])
def test_of_millions_of_headers_the_last_are_kept(codec):
    """A few hundred bytes in zstd; the objects of all would take 300 MB for as long as it waits."""
    count = 3_000_000
    record = b"\0\0\0\x01" + varint(1) + b"a" + varint(count + 1) + b"\0\0" * count
    record += varint(9) + b"replay-of" + varint(5) + b"t:0:1"
    compress = {SNAPPY: cramjam.snappy.compress_raw, ZSTD: cramjam.zstd.compress}[codec]
    body = bytes(compress(varint(len(record)) + record))
    with takes_at_most(400 * MIB):
        batch = raw_batch(body, 1, codec=codec)
        read = [record for _ in range(4) for record in unchecked(batch)]
    assert [(record.offset, record.value) for record in read] == [(0, b"a")] * 4
    assert {len(record.headers) for record in read} == {HEADERS_MAX}
    assert {record.headers[-1] for record in read} == {("replay-of", b"t:0:1")}


def test_snappy_beyond_the_limit_comes_unread():
    """A megabyte of it can hold 22."""
    large = raw_record(b"a" * DECOMPRESSED_BYTES_MAX, offset_delta=1)
    body = bytes(cramjam.snappy.compress_raw(raw_record(b"first") + large))
    first, second = unchecked(raw_batch(body, 2, codec=SNAPPY))
    assert (first.offset, first.value) == (0, b"first")
    assert second == UnreadRecord(1)


@pytest.mark.parametrize("claimed", [-1, 0, 5, 1_000_000])
def test_a_record_that_claims_another_offset_comes_unread(claimed):
    first, second = (batch_of([b"a"], codec=0)[61:],) * 2
    # Length, attributes, time, and then the offset.
    second = second[:3] + _varint(claimed) + second[4:] if claimed >= 0 else _at_minus_one(second)
    second = _varint(len(second) - 1) + second[1:]
    records = unchecked(with_body(batch_of([b"a", b"b"], codec=0), first + second))
    assert [record.offset for record in records] == [0, 1]
    assert records[0].value == b"a"
    assert records[1] == UnreadRecord(1)


def test_a_record_that_is_longer_than_it_says_comes_unread():
    body = batch_of([b"value" * 5], codec=0)[61:]
    assert unchecked(with_body(batch_of([b"a"], codec=0), _varint(9) + body[1:])) == [
        UnreadRecord(0)
    ]


def test_what_can_not_be_decompressed_comes_unread():
    assert unchecked(with_body(batch_of([b"a"], codec=SNAPPY), b"\xff" * 20)) == [UnreadRecord(0)]


def test_bytes_behind_a_gzip_file_are_passed_over():
    batch = batch_of([b"a"], codec=GZIP)
    assert [record.value for record in unchecked(with_body(batch, batch[61:] + b"junk"))] == [b"a"]


def _at_minus_one(record):
    return record[:3] + b"\x01" + record[4:]


class _Assignment:
    """Of a consumer that has one partition."""

    active = True
    paused = False

    def __init__(self):
        self.position = 0

    def state_value(self, tp):
        return self

    def consumed_to(self, position):
        self.position = position


def test_a_chunk_ends_by_its_bytes_and_by_its_records():
    values = [b"z" * (CHUNK_BYTES_MAX // 2), *[b"small"] * 5, b"z" * CHUNK_BYTES_MAX, b"last"]
    fetch = FetchedChunks(
        TopicPartition("t", 0),
        assignment=_Assignment(),
        partition_records=records_of(batch_of(values, codec=ZSTD)),
        backoff=0,
    )
    chunks = []
    while fetch.has_more():
        chunks.append([len(record.value) for record in fetch.getall(4)])
    half = CHUNK_BYTES_MAX // 2
    assert chunks == [[half, 5, 5, 5], [5, 5, 2 * half], [4]]


def _varint(number):
    number <<= 1
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(0x80 | number & 0x7F)
        number >>= 7
    return bytes([*encoded, number])


SNAPPY_CLAIMS_4_GIB = b"\xff\xff\xff\xff\x0f\x00a"
XERIAL = b"\x82SNAPPY\0" + bytes([0, 0, 0, 1, 0, 0, 0, 1])


@pytest.mark.parametrize("reads", ["RecordsAsDecoded", "records_of_batch"])
@pytest.mark.parametrize("is_block_behind_others", [False, True])
def test_a_snappy_block_that_claims_four_gigabytes_does_not_end_the_process(
    reads, is_block_behind_others
):
    """In a process with 3 GiB of address space: the library takes what is claimed, or aborts."""
    payload = SNAPPY_CLAIMS_4_GIB
    if is_block_behind_others:
        first = bytes(cramjam.snappy.compress_raw(raw_record(b"read")))
        blocks = (first, SNAPPY_CLAIMS_4_GIB)
        payload = XERIAL + b"".join(len(block).to_bytes(4, "big") + block for block in blocks)
    program = f"""
import resource
from aiokafka.structs import TopicPartition
from kafka.record.default_records import DefaultRecordBatch
from stream_detector.kafka.fetched import RecordBatches, RecordsAsDecoded, bound_fetches
from stream_detector.kafka.record_batches import records_of_batch
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
bound_fetches(8 << 20)
batch = {raw_batch(payload, 2, codec=SNAPPY)!r}
if {reads!r} == "records_of_batch":
    records = records_of_batch(DefaultRecordBatch(batch), batch[61:], 8 << 20)
else:
    fetched = RecordBatches(batch), [], 0, None, None, False, "read_uncommitted"
    records = RecordsAsDecoded(TopicPartition("t", 0), *fetched)
print([(record.offset, record.value) for record in records])
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert ended.stdout == "[(0, None), (1, None)]\n", ended.stderr[-2000:]


def test_a_megabyte_of_empty_gzip_files_is_unpacked_in_linear_time():
    def seconds(size):
        payload = gzip.compress(b"", mtime=0) * (size // 20)
        started = time.process_time()
        assert decompressed(GZIP, payload, MIB) == b""
        return time.process_time() - started

    quarter, whole = (min(seconds(size) for _ in range(3)) for size in (MIB // 4, MIB))
    assert whole < 5 * quarter + 0.05


def test_gzip_files_in_a_row_that_are_longer_than_a_piece_are_one():
    parts = [random.Random(seed).randbytes(10_000) for seed in range(3)]
    payload = b"".join(gzip.compress(part) for part in parts)
    assert decompressed(GZIP, payload + b"no gzip file", MIB) == b"".join(parts)
    with pytest.raises(TooLargeError) as error:
        decompressed(GZIP, payload, 15_000)
    assert error.value.beginning == b"".join(parts)[:15_000]
    damaged = payload[:12_000] + bytes(100) + payload[12_100:]
    assert decompressed(GZIP, damaged, MIB) == parts[0]
