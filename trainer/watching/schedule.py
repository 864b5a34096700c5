"""Decides when a retraining is due; a JSON file keeps the state over a restart of the watch."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec

from stream_detector.errors import StreamDetectorError
from stream_detector.events import Kind
from stream_detector.system.atomic_files import write_atomically

Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class Attempt(msgspec.Struct, frozen=True):
    """The last retraining of a kind that came to an end."""

    at: Moment
    labels: int
    """Labels of the kind in the store when it began."""
    outcome: str


class WatchState(msgspec.Struct, frozen=True):
    """The state of the watch."""

    since: Moment
    """When a watch first ran in the folder: a schedule begins then."""
    attempts: dict[Kind, Attempt] = {}

    def after(self, kind: Kind, attempt: Attempt) -> "WatchState":
        """The state after one more attempt."""
        return WatchState(self.since, {**self.attempts, kind: attempt})


def new_labels(labels: int, last: Attempt | None) -> int:
    """How many of the ``labels`` the last retraining did not have.

    If the store has fewer than it had then, it is a new store, and all of them count.
    """
    return labels - last.labels if last is not None and last.labels <= labels else labels


class Schedule(NamedTuple):
    """Due with enough new labels, or with any new one after some time."""

    every: timedelta
    new_labels: int
    """0: only by time."""

    def is_due(self, *, labels: int, last: Attempt | None, since: datetime, now: datetime) -> bool:
        """Whether to retrain now, with so many ``labels``; the watch began at ``since``."""
        new = new_labels(labels, last)
        if new <= 0:
            return False
        enough = self.new_labels > 0 and new >= self.new_labels
        return enough or now - (last.at if last else since) >= self.every


def load_state(path: Path, *, now: datetime) -> WatchState:
    """The state in the file; without a file a new one that begins ``now``.

    Raises:
        StreamDetectorError: the file is damaged.
        OSError: it can't be read.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=WatchState)
    except FileNotFoundError:
        return WatchState(now)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StreamDetectorError(
            f"{path} is damaged ({error}): remove it, and the watch starts from the beginning"
        ) from error


def save_state(path: Path, state: WatchState) -> None:
    """Replace the file as a whole; OSError where it can't be written."""
    write_atomically(path, msgspec.json.format(msgspec.json.encode(state), indent=2))
