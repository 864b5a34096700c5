"""What is written of a record, a label or a log line, for secrets that were planted in it.

The whole way of a record, as a worker goes it, and not its masking alone. The first byte chooses
where the text goes, the second how the secret is spelled, the third where in the text it stands.
What the README excepts is not planted: host names, clients, ids and names of parameters.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from stream_detector.assembly import decider_of, pipeline_of
from stream_detector.events import Chunk, Kind, Label, ModelRef, Thresholds
from stream_detector.logs.redaction import Redaction
from stream_detector.metrics import Metrics
from stream_detector.models.base import ServedModel
from stream_detector.pipeline import Pipeline
from stream_detector.settings.fields import Settings
from stream_detector.wire.labels import label_message, read_label
from stream_detector.wire.outcomes import Message, encode
from trainer.labels.unreadable import dead_letter_of

__all__ = ["check_outputs"]

_SECRET = "Zq7xPvWk9Ym"
"""No hexadecimal digit at its ends, which could complete a percent-encoding beside it."""
_PLACES = 64
_REPEATS = (*(1,) * 7, 2_000, *(1,) * 24)
"""Some texts are long: what is cut before it is masked has to be masked all the same."""
_CHARACTERS_MAX = 100_000

_Option = TypeVar("_Option")
_NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


class _Record(NamedTuple):
    value: bytes | None
    key: bytes | None = None
    topic: str = "url-labels"
    partition: int = 0
    offset: int = 7
    timestamp: int | None = 1_795_000_000_000
    headers: Sequence[tuple[str, bytes]] = ()


class _Malicious:
    """A scorer by which all is malicious, so that there is an alert."""

    device = "none"
    models: Mapping[Kind, ServedModel] = {
        kind: ServedModel(ModelRef("all", "1", "0" * 64), Thresholds(0.5, 0.9))
        for kind in ("url", "host")
    }

    def warm_up(self) -> None:
        """Nothing to compile."""

    def score(self, kind: Kind, texts: Sequence[str]) -> NDArray[np.float32]:
        """All the same."""
        return np.full(len(texts), 0.97, np.float32)


def _pipeline(**given: object) -> Pipeline:
    settings = Settings(cache_entries=1, alert_window=0.001, **given)
    metrics = Metrics()
    decider = decider_of(_Malicious(), settings=settings, metrics=metrics)
    return pipeline_of(settings=settings, decider=decider, metrics=metrics, cluster="lab")


_PLAIN = _pipeline()
_QUERIES_MASKED = _pipeline(mask_queries=["verdicts", "alerts", "dead_letters", "comparisons"])
_REDACTION = Redaction(Settings(sasl_password=_SECRET, log_queries=True))
_REDACTION_OF_QUERIES = Redaction(Settings())


def _outputs(pipeline: Pipeline, value: bytes) -> Iterator[bytes]:
    """All that is written of a record."""
    written = encode(pipeline.process([Chunk("url-events", 0, [_Record(value, value[:999])])]))
    return _parts([*written.verdicts, *written.alerts, *written.dead_letters])


def _parts(messages: Sequence[Message]) -> Iterator[bytes]:
    for key, value, headers in messages:
        yield from (key or b"", value or b"", *(content for _, content in headers))


def _of_url(text: str) -> Iterator[bytes]:
    return _outputs(_PLAIN, json.dumps({"url": text}).encode())


def _of_record(text: str) -> Iterator[bytes]:
    """A record as it is, of any format: of its verdicts only what is not the client's or an id."""
    chunk = Chunk("url-events", 0, [_Record(text.encode(errors="surrogateescape"))])
    outcomes = _PLAIN.process([chunk])
    for verdict in outcomes.verdicts:
        yield verdict.decision.observed.encode(errors="replace")
        yield verdict.decision.canonical.text.encode()
    yield from _parts(encode(outcomes._replace(verdicts=[], alerts=[])).dead_letters)


def _of_masked_query(text: str) -> Iterator[bytes]:
    return _outputs(_QUERIES_MASKED, json.dumps({"url": text}).encode())


def _of_label(text: str) -> Iterator[bytes]:
    value = json.dumps(
        {
            "url": text,
            "label": "benign",
            "source": "desk",
            "labeled_at": "2026-11-01T12:00:00Z",
            "analyst": "a",
        }
    ).encode()
    label = read_label(value, written_at=_NOON)
    if isinstance(label, Label):
        return _parts([label_message(label)])
    return _parts([dead_letter_of(_Record(value, value[:999]), label)])


def _of_log(text: str) -> Iterator[bytes]:
    yield _REDACTION.text(text).encode(errors="replace")


def _of_log_without_queries(text: str) -> Iterator[bytes]:
    yield _REDACTION_OF_QUERIES.text(text).encode(errors="replace")


_USER_INFO = [
    "user:{}@",
    "://user:{}@",
    "user%3A{}%40",
    "%3A%2F%2Fuser%3a{}%40",
    "user%253A{}%2540",
    "%253a%252F%252Fuser%253A{}%2540",
    "user:{}%4\n0",
    "user:{}%2\t540",
    "://{}@",
]
_PATH = "http://a.example/"
"""Before the rest of a URL with a secret in its path, query or fragment."""
_OWN = ["http://user:{}@", "//user:{}@", "https://{}@", "HTTP:\\\\user:{}@"]
_IN_LOGS = [
    "http://user:{}@host",
    "user:{}@",
    " password={} ",
    " sasl.password='{}' ",
    '"api_key": "{}"',
    "Authorization: Basic {}\n",
    "--token {} ",
]
_Output = Callable[[str], Iterator[bytes]]
_OUTPUTS: Sequence[tuple[_Output, Sequence[str]]] = [
    (_of_url, _USER_INFO),
    (_of_url, _OWN),
    (_of_record, [*_USER_INFO[:6], *_OWN]),
    (_of_masked_query, ["?q={}", "?{}&", "#{}"]),
    (_of_label, [*_USER_INFO, *_OWN]),
    (_of_log, [*_IN_LOGS, "{}"]),
    (_of_log_without_queries, [*_IN_LOGS, "http://a.example/?q={} "]),
]


def check_outputs(data: bytes) -> None:
    """No secret is in what is written of a record, a label or a log line, wherever it stands."""
    (outputs, spellings), data = _chosen(data, _OUTPUTS)
    spelling, data = _chosen(data, spellings)
    place, data = _chosen(data, range(_PLACES))
    repeats, data = _chosen(data, _REPEATS)
    text = (data.decode(errors="surrogateescape") * repeats)[:_CHARACTERS_MAX]
    if _SECRET.lower() in text.lower():
        return
    planted = spelling.format(_SECRET)
    if spelling in _OWN and outputs is not _of_record:
        hostile = planted + text
    elif outputs in {_of_url, _of_label}:
        hostile = f"{_PATH}{text[:place]}{planted}{text[place:]}"
    else:
        hostile = text[:place] + planted + text[place:]
    for output in outputs(hostile):
        assert _SECRET.lower().encode() not in output.lower(), (hostile[:300], output[:900])


def _chosen(data: bytes, options: Sequence[_Option]) -> tuple[_Option, bytes]:
    """One of ``options`` by the first byte, ``0`` for the first of them; and the rest."""
    return options[((data[0] if data else 0) - ord("0")) % len(options)], data[1:]
