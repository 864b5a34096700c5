"""Lines in, rows out: ``score`` on lists of URLs and on log files, without Kafka."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Literal

import msgspec

from stream_detector.canonical import kind_of
from stream_detector.events import (
    Decision,
    Kind,
    ModelRef,
    Observed,
    Rejected,
    RejectReason,
    UrlEvent,
)
from stream_detector.policy.decider import Decider
from stream_detector.sources.base import Source
from stream_detector.sources.json_fields import JsonFields
from stream_detector.sources.log_file import LogFile

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Row(msgspec.Struct, frozen=True, gc=False):
    """The result for one line; as JSON, its fields in this order."""

    input: str
    canonical: str | None = None
    kind: Kind | None = None
    score: float | None = None
    rejected: RejectReason | None = None
    verdict: str | None = None
    model: ModelRef | None = None
    reason: str | None = None
    """``model``, ``allow_list`` or ``deny_list``; None for a rejected line."""


class LogRow(Row, frozen=True, gc=False):
    """The result for one event of a log line, or for a rejected line.

    ``input`` is the log's URL or host name, or the line.
    """

    file: str | None = None
    line: int = 0
    """In the file, from 1."""
    format: str | None = None
    client: str | None = None
    time: datetime | None = None
    log_id: str | None = None
    detail: str | None = None
    """The fault of a rejected line."""


class ListScorer:
    """Scores lines of one URL or host name each: one row a line, in order."""

    def __init__(self, decider: Decider, kind: Literal["auto", "url", "host"]) -> None:
        self._decider = decider
        self._kind = kind

    def rows(self, lines: Sequence[bytes]) -> Sequence[Row]:
        """A row for each of ``lines``; one call of the model for all."""
        rows: list[Row] = []
        observed: list[Observed] = []
        places: list[int] = []
        for line in lines:
            try:
                text = line.removeprefix(_BYTE_ORDER_MARK).decode()
            except UnicodeDecodeError:
                text = line.decode(errors="replace")
                rows.append(Row(text, rejected=RejectReason.NOT_UTF8))
                continue
            if "\0" in text:
                rows.append(Row(text, rejected=RejectReason.NOT_UTF8))
            elif not text or text.isspace():
                rows.append(Row(text, rejected=RejectReason.EMPTY))
            else:
                places.append(len(rows))
                rows.append(Row(text))
                observed.append((kind_of(text) if self._kind == "auto" else self._kind, text))
        decisions = self._decider.decide(observed).decisions
        for place, (kind, text), decision in zip(places, observed, decisions, strict=True):
            rows[place] = Row(text, **_decided(kind, decision))
        return rows


class LogScorer:
    """Scores log files: a row for each event and each rejected line."""

    def __init__(
        self,
        decider: Decider,
        source: Source | None,
        *,
        line_bytes_max: int,
        json_fields: JsonFields | None = None,
    ) -> None:
        """``source`` is the format, None to detect it line by line."""
        self._decider = decider
        self._new_log = partial(
            LogFile, source, line_bytes_max=line_bytes_max, json_fields=json_fields
        )
        self._file: str | None = None
        self._log = self._new_log()
        self._line = 0
        self.counts: Counter[str] = Counter()
        """``lines``, ``events``, ``rejected``, and ``nameless`` lines without a URL or host."""

    def begin(self, file: str | None) -> None:
        """Begin another file; None for stdin."""
        self._file, self._line = file, 0
        self._log = self._new_log()

    def rows(self, lines: Iterable[bytes]) -> Sequence[LogRow]:
        """The rows of the next lines of the file; one call of the model for all."""
        rows: list[LogRow] = []
        events: list[UrlEvent] = []
        places: list[int] = []
        for line in lines:
            self._line += 1
            results = self._log.read(line)
            rows_before = len(rows)
            for log_format, result in results:
                if isinstance(result, UrlEvent):
                    places.append(len(rows))
                    events.append(result)
                    rows.append(
                        LogRow(
                            result.observed,
                            file=self._file,
                            line=self._line,
                            format=log_format,
                            client=result.client,
                            time=result.time,
                            log_id=result.log_id,
                        )
                    )
                elif isinstance(result, Rejected):
                    rows.append(
                        LogRow(
                            line.decode(errors="replace"),
                            rejected=result.reason,
                            file=self._file,
                            line=self._line,
                            format=log_format or None,
                            detail=result.detail,
                        )
                    )
            self.counts["nameless"] += len(rows) == rows_before
            self.counts["lines"] += 1
        decisions = self._decider.decide(
            [(event.kind, event.observed) for event in events]
        ).decisions
        for place, event, decision in zip(places, events, decisions, strict=True):
            rows[place] = msgspec.structs.replace(rows[place], **_decided(event.kind, decision))
            if isinstance(decision, Rejected):
                rows[place] = msgspec.structs.replace(rows[place], detail=decision.detail)
        rejected = sum(row.rejected is not None for row in rows)
        self.counts["rejected"] += rejected
        self.counts["events"] += len(rows) - rejected
        return rows


def _decided(kind: Kind, decision: Decision | Rejected) -> dict[str, Any]:
    """The fields of a row that a decision fills."""
    if isinstance(decision, Rejected):
        return {"kind": kind, "rejected": decision.reason}
    return {
        "canonical": decision.canonical.text,
        "kind": decision.canonical.kind,
        "score": decision.score,
        "verdict": decision.verdict,
        "model": None if decision.score is None else decision.model,
        "reason": decision.reason,
    }
