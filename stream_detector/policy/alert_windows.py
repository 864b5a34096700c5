"""Which malicious verdicts become alerts: one per client and registered domain and window."""

from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from stream_detector.events import Alert, Sighting, Verdict

KEYS_MAX = 100_000
"""About 50 MB of memory."""


class _Window(msgspec.Struct):
    """The open window of one key."""

    opened_by: str
    """Id of the verdict whose alert opened the window."""
    opened_at: datetime
    folded_before: int
    """The previous window's ``folded``: the opening alert's count."""
    folded: int = 0
    """Malicious verdicts that gave no alert so far."""


class AlertWindows:
    """Lets one alert through per key and window. Not safe for several threads.

    The key is the original client (empty if unknown) and the registered domain.
    Guarantees:

    - Every malicious verdict gives an alert, or its key's alert came less than ``seconds``
      before. At most ``keys_max`` keys are remembered; the least recently seen is forgotten
      first. A forgotten key alerts again: forgetting repeats alerts, and never loses one.
    - A replay of the verdict that opened the window (the same id) gives the same alert again:
      a batch that was dropped before its alerts were published loses none.
    - ``folded`` counts processed verdicts, so replays can raise it. Verdicts of a forgotten
      window are not counted.

    Windows live in one process: two workers that both see a key both alert for it. Input keyed
    by client brings a key to one worker only.
    """

    def __init__(self, *, seconds: float, keys_max: int = KEYS_MAX) -> None:
        self._seconds = seconds
        self._length = timedelta(seconds=seconds)
        self._keys_max = keys_max
        self._windows: OrderedDict[tuple[str, str], _Window] = OrderedDict()

    def __len__(self) -> int:
        return len(self._windows)

    def alerts(self, verdicts: Iterable[Verdict]) -> list[Alert]:
        """The alerts of the malicious ones among ``verdicts``."""
        malicious = (each for each in verdicts if each.decision.verdict == "malicious")
        return [alert for each in malicious if (alert := self.admit(each)) is not None]

    def admit(self, verdict: Verdict) -> Alert | None:
        """The alert for a malicious ``verdict``, or None where its key's window folds it in.

        Time is the verdict's ``detected_at``. A clock set back behind the window's start opens
        a new window rather than hold alerts back until the clock catches up.
        """
        sighting = verdict.sighting
        key = (sighting.client or "", verdict.decision.canonical.registered_domain)
        window = self._windows.get(key)
        if window is None:
            window = self._open(key, sighting, folded_before=0)
        else:
            self._windows.move_to_end(key)
            age = sighting.detected_at - window.opened_at
            if not timedelta(0) <= age < self._length:
                window = self._open(key, sighting, folded_before=window.folded)
            elif sighting.id != window.opened_by:
                window.folded += 1
                return None
        return Alert(verdict=verdict, folded=window.folded_before, window_seconds=self._seconds)

    def _open(self, key: tuple[str, str], sighting: Sighting, *, folded_before: int) -> _Window:
        window = _Window(sighting.id, sighting.detected_at, folded_before)
        self._windows[key] = window
        if len(self._windows) > self._keys_max:
            self._windows.popitem(last=False)
        return window
