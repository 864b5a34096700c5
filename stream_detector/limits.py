"""The limits that no setting changes, and the defaults of those that settings change.

Whoever can write one record chooses its size, its compression and what it holds. Each limit
bounds what such a record can cost. Names end in their unit.
"""

MESSAGE_BYTES_MAX = 1_048_588
"""Kafka's default of ``max.message.bytes``: 1 MiB and the overhead of a batch of one record.
Everything that the worker writes fits into it."""

# --- what is read ---------------------------------------------------------------------------

RECORD_BYTES_MAX = 1_048_576
"""Default of ``record_bytes_max``: longest record that is parsed. Compressed, a record of any
length fits into a message of 1 MB."""

RECORD_LINES_MAX = 10_000
"""Most lines, and most events, of one record. An event takes a few bytes of a record, but about
1.5 KB of memory and 600 bytes of a verdict. Shippers write far fewer lines into a record."""

DECOMPRESSED_BYTES_MAX = 8 * 1024 * 1024
"""What one record batch may be when it is decompressed, or twice ``record_bytes_max`` if that is
more: 1 MB of zstd can hold gigabytes. Records beyond it become dead letters without being read.
Producers fill batches of 16 KB to 1 MB before they compress them. While it is decoded it takes 36
times as much at most: a header of a record is an object, and takes two bytes."""

HEADERS_MAX = 1_000
"""Last headers of a record that are kept. None but ``replay-of`` is looked at, which stands last; a
batch of a few hundred bytes, compressed, has room for four million."""

UNREAD_RECORDS_MAX = 1_000
"""Records behind that limit, of one batch, that become a dead letter each; all behind these become
one together. A record takes seven bytes, so that 1 MB of zstd can hold a hundred million."""

HEADER_MEMORY_BYTES = 100
"""What the objects of one header of a record take in memory."""

CHUNK_RECORDS_MAX = 2_048
"""Most records of one partition delivered at once: half a batch, so that partitions take turns
within one."""

CHUNK_BYTES_MAX = 2 * 1024 * 1024
"""Keys and values at which a chunk is full, whatever its number of records: 2,048 records of
1 KB. It exceeds this by one record at most."""

FETCH_BYTES_MAX = 1024 * 1024
"""Bytes of record batches that one partition gives a fetch, compressed."""

BUFFERED_BYTES_MAX = 64 * 1024 * 1024
"""Records read and not yet committed, decompressed, at which partitions are paused: seconds of work
for the scorer, and little beside the gigabyte that TensorFlow takes."""

# --- what is worked on at once --------------------------------------------------------------

BATCH_BYTES_MAX = 4 * 1024 * 1024
"""Records at which a batch is full, whatever their number, in memory. URLs that take longest to
mask and publish take seconds a megabyte; a batch has to be done long before the worker
counts as stalled, and before ``shutdown_timeout``."""

TURN_BYTES = 512 * 1024
"""Records in memory at which a partition's turn in a batch ends; it exceeds this by one chunk at
most. 1,700 usual records: two full chunks of them are two turns."""

PART_EVENTS = 1_023
"""Events, above one a record, at which a part of a batch is decided and published before the rest
is read, also within a record. Other partitions wait for a part: to score a new text takes 0.1 ms,
on busy cores 0.3. With its record that is 1,024, the most rows of a model's group. Usual batches
have one event a record: they are one part, and the model gets all texts at once."""

PART_CHARACTERS = 512 * 1024
"""Characters of what events observed at which a part ends too, also within a record; it exceeds
this by one text at most. To mask the worst takes a second a megabyte. Usual batches have less."""

PART_MILLISECONDS = 100
"""Reading at which a part ends too; it exceeds this by one record at most. Other partitions wait
for a part, whatever its records take. To read a usual batch takes 0.03 s."""

CANONICAL_CHARACTERS_MAX = 65_536
"""Longest canonical form that gets a verdict. Percent-encoding makes up to 12 characters of one;
an alert that holds them twice, beside what was observed, still fits into a message."""

REMEMBERED_CHARACTERS_MAX = 512
"""Longer texts, as observed or in canonical form, are decided again each time: they seldom repeat,
and so the memory that ``cache_entries`` may take has a bound, about 4 KB an entry. 99% of URLs
are under 220."""

CLIENT_CHARACTERS_MAX = 256
LOG_ID_CHARACTERS_MAX = 256
"""Longer ones are cut, so that no log line makes a verdict too large for a message."""

REPLAY_OF_BYTES_MAX = 300
"""A topic's name is 249 characters at most, and two numbers follow."""

# --- what is written ------------------------------------------------------------------------

LETTER_VALUE_BYTES_MAX = 512 * 1024
"""What a dead letter keeps of a value, before and after it is masked: masking takes up to 90
bytes of memory a byte, and makes up to 5 bytes of 3. ``dead-letters replay`` reads the whole record
from the input topic."""

LETTER_KEY_BYTES_MAX = 64 * 1024
"""As ``LETTER_VALUE_BYTES_MAX``, of a key: keys are names."""

LETTER_SHORT_BYTES_MAX = 64 * 1024
"""What a dead letter keeps of a key and of a value where its topic takes no more than that: some
topics have a smaller ``max.message.bytes`` than Kafka's default."""

LONE_MESSAGE_BYTES = 128 * 1024
"""A message this large travels alone, so that a broker's size limit refuses only it."""

IN_FLIGHT_BYTES_MAX = 8 * 1024 * 1024
"""Messages handed to the Kafka client and not yet acknowledged. What waits longer in the client
than its request timeout, 40 s, fails and is sent again: a slow broker takes a few at a time."""

LOG_TEXT_CHARACTERS_MAX = 32_768
"""What is read of a message, a trace or a field of a log line, which may quote what somebody
sent."""

LOG_TEXT_UNSURE_CHARACTERS = 8_192
"""Not shown before the cut: the rest of a secret may be cut off there, and a secret is not known by
its beginning. A private key takes 3,500, more where it is escaped."""
