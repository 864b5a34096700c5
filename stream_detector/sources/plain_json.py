"""JSON objects with a ``url`` or a ``host``, as any shipper can be told to write them.

Optional: ``client`` (or ``client_ip``), ``time`` (or ``timestamp``, ``@timestamp``; seconds or
milliseconds since the epoch, or RFC 3339) and ``id``. Schema: ``data/schemas/url-event.json``.
"""

from stream_detector.events import Rejected, RejectReason, UrlEvent
from stream_detector.sources.base import LineResult
from stream_detector.sources.json_record import JsonRecord, JsonSource
from stream_detector.sources.times import to_time

__all__ = ["PlainJson"]


class PlainJson(JsonSource):
    """One object, one event; where both are given, ``url`` says more than ``host``."""

    name = "json"

    def claims(self, record: JsonRecord) -> bool:  # noqa: ARG002 - what no other format claims
        """Any object: it stands last among the JSON formats."""
        return True

    def interpret(self, record: JsonRecord) -> LineResult:
        """The object's URL or host."""
        observed = record.url or record.host
        if not observed:
            return Rejected(RejectReason.NO_URL, "neither url nor host")
        time = record.time
        if time is None:
            time = record.timestamp if record.timestamp is not None else record.at_timestamp
        return UrlEvent(
            "url" if record.url else "host",
            observed,
            record.client or record.client_ip,
            None if time is None else to_time(time),
            None if record.id is None else str(record.id),
        )
