"""The result of a storm: what it did, what it found, and whether that is a fault."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from storm.accounting import Account, Count
from storm.actions import ACTIONS
from storm.worker_logs import LogReading

__all__ = ["Result"]

_WARNINGS_SHOWN = 5


@dataclass(frozen=True)
class Result:
    """All that is known at the end."""

    seed: int
    minutes: float
    """How long it blew."""
    brokers: int
    workers_started: int
    actions: Counter[str]
    delivered: int
    """Input records that Kafka confirmed."""
    refused: Sequence[str]
    """Why Kafka refused input records."""
    loaded_seconds: float
    """From the first record until all was committed, or given up."""
    caught_up_seconds: float | None
    """From the storm's end until all was committed; None: it never was."""
    behind: str
    """Which partitions were not committed to their end."""
    account: Account
    misbehaved: Count
    """Workers that ended in a way that nothing explains."""
    logs: LogReading
    folder: Path
    """Where the logs lie."""

    @property
    def findings(self) -> dict[str, Count]:
        """Everything found that is a fault, by what it is."""
        found = {
            "outputs lost": self.account.lost(),
            "repeats that differ": self.account.differing,
            "outputs of what nobody sent": self.account.unexpected,
            "outputs that differ from an offline reading": self.account.misread,
            "malicious clients and domains without an alert": self.account.unalerted(),
            "tracebacks in workers' logs": self.logs.tracebacks,
            "critical lines in workers' logs": self.logs.critical,
            "workers that ended by themselves or not by 0": self.misbehaved,
            "partitions not committed to their end": Count(),
            "input records that Kafka refused or lost": Count(),
        }
        if self.caught_up_seconds is None:
            found["partitions not committed to their end"].add(self.behind or "no answer")
        for reason in self.refused:
            found["input records that Kafka refused or lost"].add(reason)
        if self.account.records < self.delivered:
            found["input records that Kafka refused or lost"].add(
                f"{self.delivered:,} were confirmed and {self.account.records:,} are there"
            )
        return found

    def lines(self) -> Iterator[str]:
        """The summary, a line at a time."""
        account, findings = self.account, self.findings
        rate = account.records / max(1.0, self.loaded_seconds)
        twice = 100 * account.repeated / max(1, account.owed)
        yield (
            f"storm of {self.minutes:.1f} minutes, seed {self.seed}: {self.brokers} brokers, all "
            f"named as bootstrap addresses, {self.workers_started} workers started"
        )
        yield "did: " + ", ".join(f"{self.actions[name]} {name}" for name in ACTIONS)
        yield (
            f"records: {account.records:,} ({rate:,.0f}/s), which owe {account.owed:,} outputs; "
            f"{account.naming_no_url:,} name no URL"
        )
        yield (
            f"outputs: {account.verdicts:,} verdicts, {account.dead_letters:,} dead letters; "
            f"{account.repeated:,} twice ({twice:.1f}%)"
        )
        if self.caught_up_seconds is not None:
            yield f"all committed {self.caught_up_seconds:.0f} s after the end"
        for name, found in findings.items():
            yield f"{found.count:>9,}  {name}"
            for example in found.examples:
                yield f"             {example}"
        for message, count in self.logs.warnings.most_common(_WARNINGS_SHOWN):
            yield f"logged {count:,} times: {message}"
        yield f"logs: {self.folder}"
        faults = [name for name, found in findings.items() if found.count]
        yield f"FAILED: {', '.join(faults)}" if faults else "passed"

    @property
    def has_passed(self) -> bool:
        """Whether nothing was found."""
        return not any(found.count for found in self.findings.values())
