"""Loads of announced models, for tests of what follows them: held, failed or done as told."""

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stream_detector.errors import RefusalReason, RefusedModelError
from stream_detector.models.announcement import Announcement
from stream_detector.models.base import ServedModel
from stream_detector.settings.fields import Settings

__all__ = ["LoadedNetwork", "Loads", "SwitchedScorer"]


class LoadedNetwork:
    """What a load gives: it serves as it was announced, and its scores are none."""

    def __init__(self, announcement: Announcement) -> None:
        self.served = ServedModel(announcement.ref, announcement.thresholds)

    def score(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """NaN for each of ``texts``."""
        return np.full(len(texts), np.nan, np.float32)


class SwitchedScorer:
    """Keeps what serves, and which thread switched."""

    def __init__(self, announcement: Announcement) -> None:
        self.models = {announcement.kind: LoadedNetwork(announcement).served}
        self.threads: list[str] = []

    def switch(self, kind, network) -> None:
        """Take ``network`` for the model of ``kind``."""
        self.threads.append(threading.current_thread().name)
        self.models[kind] = network.served


class Loads:
    """Whether and how the loads of a follower end; ``load`` is given to it."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        """A load waits for it; set at first."""
        self.go_on.set()
        self.faults: list[RefusalReason] = []
        """With what the next loads fail."""
        self.loaded: list[str] = []
        """Versions whose load has begun."""

    def load(
        self, announcement: Announcement, settings: Settings, expired: threading.Event
    ) -> LoadedNetwork:
        """The network announced. Raises ``RefusedModelError`` where it is to fail."""
        self.loaded.append(announcement.version)
        assert self.go_on.wait(30)
        if self.faults:
            raise RefusedModelError(self.faults.pop(0), "told to fail")
        return LoadedNetwork(announcement)
