"""Limits that no setting changes, and the defaults of those that settings change.

Whoever can write a record chooses its size, its compression and its content. Each limit bounds
what such a record can cost. Names end in their unit.
"""

MESSAGE_BYTES_MAX = 1_048_588
"""Kafka's default of ``max.message.bytes``: 1 MiB and the overhead of a batch of one record.
Everything that the worker writes fits into it."""

# --- reading --------------------------------------------------------------------------------

RECORD_BYTES_MAX = 1_048_576
"""Default of ``record_bytes_max``: the longest record that is parsed. Compressed, a record of any
length fits into a message of 1 MB."""

RECORD_LINES_MAX = 10_000
"""Most lines, and most events, of one record. An event takes a few bytes of a record, but about
1.5 KB of memory and 600 bytes of a verdict. Shippers write far fewer lines into a record."""

DECOMPRESSED_BYTES_MAX = 8 * 1024 * 1024
"""Size of one decompressed record batch, or twice ``record_bytes_max`` if that is more: 1 MB of
zstd can hold gigabytes. Records beyond it become dead letters unread. Producers fill batches of
16 KB to 1 MB before they compress them. Decoding takes up to 36 times this memory: a header of a
record takes two bytes and becomes an object."""

HEADERS_MAX = 1_000
"""The last headers of a record that are kept. The worker needs only ``replay-of``, which comes
last; a compressed batch of a few hundred bytes has room for four million."""

UNREAD_RECORDS_MAX = 1_000
"""Records beyond that size, of one batch, that become a dead letter each; the rest become one. A
record takes seven bytes, so that 1 MB of zstd can hold a hundred million."""

HEADER_MEMORY_BYTES = 100
"""Memory for the objects of one header of a record."""

CHUNK_RECORDS_MAX = 2_048
"""Most records of one partition delivered at once: half a batch, so that partitions take turns
within one. ``kafka_options`` can set another ``max_poll_records``."""

CHUNK_BYTES_MAX = 2 * 1024 * 1024
"""Keys and values at which a chunk is full, whatever its number of records: 2,048 records of
1 KB. It exceeds this by one record at most."""

FETCH_BYTES_MAX = 1024 * 1024
"""Bytes of compressed record batches that one partition adds to a fetch."""

BUFFERED_BYTES_MAX = 64 * 1024 * 1024
"""Records read and not yet committed, decompressed, at which partitions are paused: seconds of
work for the scorer, and little compared to the gigabyte that TensorFlow takes."""

# --- batches --------------------------------------------------------------------------------

BATCH_BYTES_MAX = 4 * 1024 * 1024
"""Records in memory at which a batch is full, whatever their number. The URLs that are slowest to
mask and publish take seconds a megabyte, and a batch has to be done long before the worker counts
as stalled, and before ``shutdown_timeout``."""

TURN_BYTES = 512 * 1024
"""Records in memory at which a partition's turn in a batch ends; it exceeds this by one chunk at
most. About 1,700 usual records: two full chunks of them are two turns."""

PART_EVENTS = 1_023
"""Events, above one a record, at which a part of a batch is decided and published before the rest
is read, also within a record. Other partitions wait for a part: to score a new text takes 0.1 ms,
on busy cores 0.3. With its record that is 1,024, the most rows of a model's group. Usual batches
have one event a record: they are one part, and the model gets all texts at once."""

PART_CHARACTERS = 512 * 1024
"""Characters of observed texts at which a part ends too, also within a record; it exceeds this by
one text at most. The slowest text takes a second a megabyte to mask. Usual batches have less."""

PART_MILLISECONDS = 100
"""Reading time at which a part ends too; it exceeds this by one record at most. Other partitions
wait for a part, whatever its records take. To read a usual batch takes 0.03 s."""

CANONICAL_CHARACTERS_MAX = 65_536
"""Longest canonical form that gets a verdict. Percent-encoding makes up to 12 characters of one; an
alert that holds the form twice, and the observed text, still fits into a message."""

REMEMBERED_CHARACTERS_MAX = 512
"""Longer texts, observed or canonical, are decided each time: they seldom repeat, and so
``cache_entries`` bounds memory, with about 4 KB an entry. 99% of URLs are under 220."""

CLIENT_CHARACTERS_MAX = 256
LOG_ID_CHARACTERS_MAX = 256
"""Longer ones are cut, so that no log line makes a verdict too large for a message."""

REPLAY_OF_BYTES_MAX = 300
"""A topic's name is 249 characters at most, and two numbers follow."""

# --- writing --------------------------------------------------------------------------------

LETTER_VALUE_BYTES_MAX = 512 * 1024
"""Bytes of a value that a dead letter keeps, before and after masking: masking takes up to 90 bytes
of memory a byte, and makes up to 5 bytes of 3. ``dead-letters replay`` reads the whole record from
the input topic."""

LETTER_KEY_BYTES_MAX = 64 * 1024
"""As ``LETTER_VALUE_BYTES_MAX``, for a key: keys are names."""

LETTER_SHORT_BYTES_MAX = 64 * 1024
"""Bytes of a key and of a value that a dead letter keeps where its topic accepts no more: some
topics have a smaller ``max.message.bytes`` than Kafka's default."""

LONE_MESSAGE_BYTES = 128 * 1024
"""A message this large travels alone, so that a broker's size limit refuses only it."""

IN_FLIGHT_BYTES_MAX = 8 * 1024 * 1024
"""Messages handed to the Kafka client and not yet acknowledged. A message that waits in the client
longer than its request timeout, 40 s, fails and is sent again: a slow broker takes a few at a
time."""

LOG_TEXT_CHARACTERS_MAX = 32_768
"""Characters of a message, a trace or a field that a log line uses. They may quote foreign text."""

LOG_TEXT_UNSURE_CHARACTERS = 8_192
"""Not shown before the cut: it may have cut off the rest of a secret, whose beginning does not show
that it is one. A private key takes 3,500, more where it is escaped."""
