"""What reading a record gives: results, each with the name of its format."""

from stream_detector.events import Rejected, RejectReason, UrlEvent
from stream_detector.sources.base import LineResult, Results
from stream_detector.sources.times import to_time

NO_FORMAT = ""


def results_of(name: str, result: LineResult) -> Results:
    """``result`` event by event, each with the name of its format."""
    if isinstance(result, tuple):
        return [(name, event) for event in result]
    return [(name, result)]


def all_rejected(results: Results) -> bool:
    """Whether no result is an event, or a line that was passed over."""
    return all(isinstance(result, Rejected) for _, result in results)


def passed(results: Results, door: str, time: float | str | None) -> Results:
    """``results`` from behind a door; events without a time have that of the door."""
    return [
        (
            name,
            UrlEvent(
                result.kind,
                result.observed,
                result.client,
                result.time or to_time(time),
                result.log_id,
                (door, *result.unwrapped),
            )
            if isinstance(result, UrlEvent)
            else result,
        )
        for name, result in results
    ]


def empty() -> Results:
    """Of a record without any character but white space."""
    return [(NO_FORMAT, Rejected(RejectReason.EMPTY, "nothing but white space"))]


def too_many(count: int, lines_max: int, what: str = "lines") -> Results:
    """Of a record with ``count`` lines or events, more than it may have."""
    detail = f"{count} {what}, more than {lines_max}"
    return [(NO_FORMAT, Rejected(RejectReason.TOO_MANY, detail))]
