"""Comparisons of a shadow model with the served one, as they lie in ``url-shadow``.

Schema: ``data/schemas/url-shadow.json``. There are two types of record:

- a ``disagreement`` for each text on which the two verdicts differ;
- ``counts`` for each batch and kind with compared texts, which include the texts that both models
  agree on: without them nobody could say how often the models disagree.

Each worker counts a text when it scores it: once, and again after it has forgotten the score (a
restart, a full memory, another model); repetitions do not count. The id of ``counts`` names the
first record of its batch. Batches follow one another without a gap from the committed offset, so a
batch that is replayed after a crash mostly begins at the same record, has the same id, and replaces
the earlier counts. Where it does not, the records that two batches share count twice. A
disagreement has the id of a verdict on its text, and the last one of a text counts.
"""

import msgspec

from stream_detector.errors import RecordError
from stream_detector.events import Comparison, Counts, Disagreement

_DETAIL_CHARACTERS = 200

_encode_json = msgspec.json.Encoder().encode
_decoder: msgspec.json.Decoder[Comparison] = msgspec.json.Decoder(Disagreement | Counts)


def comparison_key(comparison: Comparison) -> bytes:
    """The key in the topic: the registered domain of a text, ``counts/`` and the kind of counts."""
    if isinstance(comparison, Disagreement):
        return comparison.registered_domain.encode()
    return f"counts/{comparison.kind}".encode()


def encode_comparison(comparison: Comparison) -> bytes:
    """The value in the topic, JSON."""
    return _encode_json(comparison)


def read_comparison(value: bytes | None) -> Comparison:
    """The comparison that a record of the topic holds.

    Raises:
        RecordError: it holds none.
    """
    try:
        return _decoder.decode(value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError(f"not a comparison: {str(error)[:_DETAIL_CHARACTERS]}") from error
