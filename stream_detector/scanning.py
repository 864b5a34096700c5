"""Whole log files in, the worst registered domains out: what ``scan`` finds without Kafka."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from stream_detector.events import Decision, Rejected, UrlEvent, VerdictName
from stream_detector.policy.decider import Decider
from stream_detector.sources.log_file import LogFile

CLIENTS_MAX = 64
"""Clients of a domain that are remembered by name."""
EXAMPLES_MAX = 3
DOMAINS_MAX = 100_000
"""Domains that are remembered; beyond it the ones with the lowest scores are forgotten."""


class Example(msgspec.Struct, frozen=True, gc=False):
    """A URL or host name as the log has it."""

    text: str
    score: float


class Found(msgspec.Struct, gc=False):
    """What the logs say of one registered domain that is suspicious or worse."""

    domain: str
    score: float
    """The highest of its texts; 1 where the deny list decided."""
    verdict: VerdictName
    events: int = 0
    """Suspicious and malicious ones."""
    clients: list[str] = []
    more_clients: bool = False
    """There are more than ``clients``."""
    first: datetime | None = None
    last: datetime | None = None
    examples: list[Example] = []
    """Its texts with the highest scores, the highest first."""

    def add(self, other: "Found") -> None:
        """Add what other lines say of the same domain."""
        # A lower score may be the malicious one: URLs and hosts have thresholds of their own.
        if other.verdict == "malicious":
            self.verdict = "malicious"
        self.score = max(self.score, other.score)
        examples = {example.text: example for example in self.examples + other.examples}
        self.examples = sorted(examples.values(), key=lambda example: -example.score)[:EXAMPLES_MAX]
        self.events += other.events
        clients = list(dict.fromkeys(self.clients + other.clients))
        self.more_clients |= other.more_clients or len(clients) > CLIENTS_MAX
        self.clients = clients[:CLIENTS_MAX]
        times = [self.first, self.last, other.first, other.last]
        known = [time for time in times if time is not None]
        self.first, self.last = min(known, default=None), max(known, default=None)


class Scan:
    """What was found so far; blocks of lines are scanned anywhere and added up here."""

    def __init__(self) -> None:
        self.domains: dict[str, Found] = {}
        self.counts: Counter[str] = Counter()
        """``lines``, ``events``, ``malicious``, ``suspicious``, ``rejected``, ``nameless``."""
        self.formats: Counter[str] = Counter()
        """Events by format."""
        self.faults: Counter[str] = Counter()
        """Rejected lines by reason."""

    def add(self, other: "Scan") -> None:
        """Add what another scan found."""
        for domain, found in other.domains.items():
            if (known := self.domains.get(domain)) is None:
                self.domains[domain] = found
            else:
                known.add(found)
        self.counts += other.counts
        self.formats += other.formats
        self.faults += other.faults
        if len(self.domains) > DOMAINS_MAX:
            self.domains = {found.domain: found for found in self.worst(DOMAINS_MAX * 3 // 4)}

    def worst(self, count: int) -> Sequence[Found]:
        """Malicious domains first, then by score and by events."""
        order = sorted(
            self.domains.values(),
            key=lambda found: (found.verdict != "malicious", -found.score, -found.events),
        )
        return order[:count]


def scan_lines(log: LogFile, lines: Iterable[bytes], decider: Decider) -> Scan:
    """Scan the next lines of ``log``; one call of the model for all."""
    scan = Scan()
    events: list[UrlEvent] = []
    for line in lines:
        scan.counts["lines"] += 1
        results = log.read(line)
        named = False
        for log_format, result in results:
            if isinstance(result, UrlEvent):
                events.append(result)
                scan.formats[log_format] += 1
                named = True
            elif isinstance(result, Rejected):
                scan.faults[result.reason] += 1
                scan.counts["rejected"] += 1
                named = True
        scan.counts["nameless"] += not named
    scan.counts["events"] += len(events)
    decisions = decider.decide([(event.kind, event.observed) for event in events]).decisions
    for event, decision in zip(events, decisions, strict=True):
        if isinstance(decision, Rejected):
            scan.faults[decision.reason] += 1
            scan.counts["rejected"] += 1
        elif decision.verdict != "benign":
            scan.counts[decision.verdict] += 1
            _note(scan.domains, event, decision)
    return scan


def _note(domains: dict[str, Found], event: UrlEvent, decision: Decision) -> None:
    domain = decision.canonical.registered_domain
    score = 1.0 if decision.score is None else decision.score
    found = Found(
        domain,
        score,
        decision.verdict,
        1,
        [event.client] if event.client else [],
        first=event.time,
        last=event.time,
        examples=[Example(decision.observed, score)],
    )
    if (known := domains.get(domain)) is None:
        domains[domain] = found
    else:
        known.add(found)
