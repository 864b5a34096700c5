"""The result of comparing two windows: plain data, which encodes as JSON directly."""

from datetime import datetime

import msgspec

from stream_detector.events import ModelRef


class Window(msgspec.Struct, frozen=True):
    """From the start up to the end."""

    start: datetime
    end: datetime


class Counts(msgspec.Struct, frozen=True):
    """The counts of a window, or of a part of it."""

    verdicts: int
    texts: int
    """Distinct ones of each input topic."""
    flagged: int
    """Verdicts that are malicious or suspicious."""

    @property
    def flagged_share(self) -> float:
        """Of the verdicts; 0 without any."""
        return self.flagged / self.verdicts if self.verdicts else 0.0


class StatisticDrift(msgspec.Struct, frozen=True):
    """One statistic; lists have an entry a bin, shares are of rows or texts.

    The score's is of the model's own verdicts, that of the input of all models of its kind.
    """

    name: str
    psi_reference: float | None
    """Of the recent window against the reference; None without a reference or recent texts."""
    psi_baseline: float | None
    """Of the recent window against the baseline window."""
    psi_baseline_reference: float | None
    """Of the baseline window against the reference: the level that this network has."""
    bins: list[str]
    recent: list[float]
    baseline: list[float] | None
    reference: list[float] | None


class Group(msgspec.Struct, frozen=True):
    """An input topic, or a registered domain."""

    name: str
    recent: Counts
    baseline: Counts
    score_shift: float
    """Its part of the index of the score, compared with what ``ModelDrift.explained`` names."""
    flagged_shift: float
    """Its part of the change of the flagged share: recent less baseline."""


class Groups(msgspec.Struct, frozen=True):
    """All groups of one sort, counted; and some of them."""

    recent: int
    baseline: int
    """Groups that have verdicts in that window."""
    new: int
    """Groups only of the recent window."""
    new_share: float
    """Of the recent verdicts."""
    gone: int
    gone_share: float
    """Of the baseline's verdicts."""
    movers: list[Group]
    """Those that moved most, the most first."""
    most_new: list[Group]
    """By verdicts; empty without a baseline."""
    most_gone: list[Group]


class ModelDrift(msgspec.Struct, frozen=True):
    """The verdicts of one model, compared."""

    kind: str
    model: str
    version: str
    sha256: str
    recent: Counts
    baseline: Counts
    """Of the models of its kind before it, where it has no verdict of its own there."""
    serves_from: datetime | None
    """Its first verdict that was read, where ``baseline`` is of the models before it."""
    reference_rows: int | None
    explained: str
    """``baseline`` or ``reference``: shifts of the score count from it. Those of the flagged share
    always count from ``baseline``."""
    statistics: list[StatisticDrift]
    topics: Groups
    domains: Groups
    remarks: list[str]

    @property
    def ref(self) -> ModelRef:
        """As verdicts name the model."""
        return ModelRef(self.model, self.version, self.sha256)


class Drift(msgspec.Struct, frozen=True):
    """A drift report."""

    recent: Window
    baseline: Window
    by_list: int
    """Verdicts of a list, not of a model: left out."""
    malformed: int
    """Records that are no verdicts."""
    models: list[ModelDrift]
