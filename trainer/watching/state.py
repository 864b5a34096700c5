"""What a watch that was stopped or killed must know when it starts again: one JSON file."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec

from stream_detector.errors import StreamDetectorError
from stream_detector.events import Kind
from stream_detector.system.atomic_files import write_atomically

__all__ = ["Attempt", "WatchState", "load_state", "save_state"]

Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class Attempt(msgspec.Struct, frozen=True):
    """The last retraining of a kind that came to an end."""

    at: Moment
    labels: int
    """Labels of the kind in the store when it began."""
    outcome: str


class WatchState(msgspec.Struct, frozen=True):
    """What is known of each kind."""

    since: Moment
    """When the folder was first watched: a schedule begins then."""
    attempts: dict[Kind, Attempt] = {}

    def after(self, kind: Kind, attempt: Attempt) -> "WatchState":
        """The state after one more attempt."""
        return WatchState(self.since, {**self.attempts, kind: attempt})


def load_state(path: Path, *, now: datetime) -> WatchState:
    """The state in the file; a new one, beginning ``now``, where there is none.

    Raises:
        StreamDetectorError: the file is no state.
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
    """Replace the file as a whole.

    Raises:
        OSError: it can't be written.
    """
    write_atomically(path, msgspec.json.format(msgspec.json.encode(state), indent=2))
