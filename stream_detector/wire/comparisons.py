"""What a shadow model and the one that serves say of the same texts, as it lies in ``url-shadow``.

Schema: ``data/schemas/url-shadow.json``. There are two types of record:

- a ``disagreement`` for each text on which the two verdicts differ;
- ``counts`` for each batch and kind in which texts were compared, those that agree too: without
  them nobody could say how often the models disagree.

How often a text is counted: once by each worker that meets it, again when a worker has forgotten
its score (a restart, a full memory, another model), and never for its repetitions. How a replay is
counted: the id of ``counts`` is made of the first record of its batch. Batches follow one another
without a gap from the committed offset on, so a batch that is replayed after a crash mostly begins
where it did before, has the same id, and takes the place of what was counted then. Where it does
not, the records that two batches share are counted twice. A disagreement has the id of a verdict on
its text, and what is said last of a text is what counts.
"""

from collections.abc import Mapping

import msgspec

from stream_detector.errors import RecordError
from stream_detector.events import Comparison, Counts, Disagreement, VerdictName, VerdictPair

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
    """What a record of the topic says.

    Raises:
        RecordError: it is no comparison.
    """
    try:
        return _decoder.decode(value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecordError(f"no comparison: {str(error)[:_DETAIL_CHARACTERS]}") from error


def pairs_of(counted: Mapping[tuple[VerdictName, VerdictName], int]) -> tuple[VerdictPair, ...]:
    """Counts by (served, shadow) verdict, in the order of their names."""
    return tuple(VerdictPair(*pair, texts) for pair, texts in sorted(counted.items()))
