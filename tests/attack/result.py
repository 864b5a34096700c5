"""What an attack measured, and the bounds that it is held to."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rich.table import Table

from storm.accounting import Count

__all__ = ["Bound", "Ending", "Wave", "bounds", "kinds_table", "percentile"]

MEMORY_BYTES_MAX = 1_500_000_000
P99_MS_MAX = 1_000
DRAIN_BYTES_PER_SECOND_MIN = 1_000_000


@dataclass(frozen=True)
class Wave:
    """One attack."""

    name: str
    records: int
    """Hostile records that Kafka has."""
    wire_bytes: int
    """Of the hostile records, compressed."""
    unpacked_bytes: int
    seconds: float
    """From the first hostile record in Kafka to the last output of one."""
    peak_bytes: Sequence[int]
    """The most resident memory of each worker since the attack began."""
    ordinary: int
    """Ordinary records."""
    quiet_ms: Sequence[int]
    """From each ordinary record to its verdict, before the attack."""
    ordinary_ms: Sequence[int]
    """As ``quiet_ms``, of those written during the attack."""
    outputs: int
    """Verdicts and dead letters."""
    lost: Sequence[Count]
    """Records that should have become something and did not, a count a topic."""
    refused: Sequence[str]
    """Why Kafka refused records."""

    @property
    def bytes_per_second(self) -> float:
        """At which the hostile records were drained, unpacked."""
        return self.unpacked_bytes / self.seconds


@dataclass(frozen=True)
class Ending:
    """What is known when the workers have ended."""

    alive: int
    """Workers before SIGTERM."""
    misbehaved: Count
    """Those that ended by themselves, or by another exit code than 0."""
    secrets: Count
    """Outputs that hold the planted secret."""
    secrets_in_logs: Count
    """Lines of workers' logs that do."""


class Bound(NamedTuple):
    """A bound, what was measured, and whether it holds; None: it is shown alone."""

    text: str
    measured: str
    holds: bool | None
    examples: Sequence[str] = ()


def percentile(values: Sequence[int], percent: int) -> float:
    """The value that ``percent`` of ``values`` do not exceed; NaN where there is none."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def bounds(
    waves: Sequence[Wave], ending: Ending, *, workers: int, is_timed: bool
) -> Iterator[Bound]:
    """All bounds; without ``is_timed`` those of time are shown alone."""
    quiet = [took for wave in waves for took in wave.quiet_ms]
    yield Bound("ordinary topic before: p50, p99", _spread(quiet), None)
    ordinary = [took for wave in waves for took in wave.ordinary_ms]
    p99 = max((percentile(wave.ordinary_ms, 99) for wave in waves), default=math.nan)
    yield Bound(
        f"ordinary topic, attacked: p99 under {P99_MS_MAX:,} ms",
        _spread(ordinary) + (f", worst p99 of a kind {p99:,.0f} ms" if len(waves) > 1 else ""),
        (bool(ordinary) and p99 < P99_MS_MAX) if is_timed else None,
    )
    # What is drained at once says nothing of a rate.
    lasting = [wave for wave in waves if wave.seconds >= 1]
    slowest = min(lasting, key=lambda wave: wave.bytes_per_second, default=None)
    is_fast = slowest is None or slowest.bytes_per_second >= DRAIN_BYTES_PER_SECOND_MIN
    yield Bound(
        "attack topic drained at 1 MB/s or more, unpacked",
        f"{slowest.bytes_per_second / 1e6:.2f} MB/s ({slowest.name})" if slowest else "at once",
        is_fast if is_timed else None,
    )
    peaks = [max(each) for each in zip(*(wave.peak_bytes for wave in waves), strict=False)]
    yield Bound(
        "peak memory of each worker under 1.50 GB",
        ", ".join(f"{peak / 1e9:.2f} GB" for peak in peaks) or "no worker",
        bool(peaks) and max(peaks) < MEMORY_BYTES_MAX,
    )
    records = sum(wave.records + wave.ordinary for wave in waves)
    yield _none(
        f"each of {records:,} records accounted for",
        "lost",
        *(count for wave in waves for count in wave.lost),
    )
    refused = Count()
    for reason in (reason for wave in waves for reason in wave.refused):
        refused.add(reason)
    yield _none("Kafka has all records", "refused", refused)
    yield _none("planted secret in no verdict, alert, dead letter", "found", ending.secrets)
    yield _none("planted secret in no log of a worker", "found", ending.secrets_in_logs)
    is_well = ending.alive == workers and not ending.misbehaved.count
    yield Bound(
        "workers alive at the end, exit code 0 at SIGTERM",
        f"{ending.alive} of {workers} alive, {ending.misbehaved.count} ended otherwise",
        is_well,
        ending.misbehaved.examples,
    )


def kinds_table(waves: Sequence[Wave]) -> Table:
    """A row an attack."""
    table = Table(box=None, pad_edge=False)
    table.add_column("kind", no_wrap=True)
    for name in ("records", "MB wire", "MB", "s", "MB/s", "peak GB", "p99 ms", "outputs", "lost"):
        table.add_column(name, justify="right", no_wrap=True)
    for wave in waves:
        table.add_row(
            wave.name,
            f"{wave.records:,}",
            f"{wave.wire_bytes / 1e6:,.1f}",
            f"{wave.unpacked_bytes / 1e6:,.1f}",
            f"{wave.seconds:.1f}",
            f"{wave.bytes_per_second / 1e6:.1f}",
            f"{max(wave.peak_bytes, default=0) / 1e9:.2f}",
            f"{percentile(wave.ordinary_ms, 99):,.0f}",
            f"{wave.outputs:,}",
            f"{sum(count.count for count in wave.lost):,}",
        )
    return table


def _spread(values: Sequence[int]) -> str:
    return (
        f"{percentile(values, 50):,.0f} ms, {percentile(values, 99):,.0f} ms "
        f"({len(values):,} records)"
    )


def _none(text: str, what: str, *counts: Count) -> Bound:
    found = sum(count.count for count in counts)
    examples = [example for count in counts for example in count.examples]
    return Bound(text, f"{found:,} {what}", not found, examples[:10])
