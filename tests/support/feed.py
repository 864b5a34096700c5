"""Load on a worker, for as long as a test needs it."""

import itertools
from collections.abc import Iterable

from support.accounting import Sent, mixed_records, poison_records
from support.background import Background
from support.bench import Bench

__all__ = ["OFTEN", "Feed", "MixedFeed"]

OFTEN = b"http://seen-often.example/page"


class Feed(Background):
    """Sends 40 records every 50 ms until the block ends; one of them is always the same."""

    def __init__(self, bench: Bench, often: bytes = OFTEN) -> None:
        self._bench = bench
        self._often = often
        super().__init__("feed")

    def _run(self) -> None:
        for number in itertools.count():
            self._bench.account.send(self._records(number))
            if self._stop.wait(0.05):
                return

    def _records(self, number: int) -> Iterable[Sent]:
        urls = [f"http://h{number}.example/{place}".encode() for place in range(39)]
        return [Sent(url, 1) for url in [*urls, self._often]]


class MixedFeed(Feed):
    """As ``Feed``, of records in several formats, and of some that none can read."""

    def _records(self, number: int) -> Iterable[Sent]:
        return [*mixed_records(35, seed=number), *_POISON]


_POISON = [record for record in poison_records(13) if len(record.value or b"") < 1_000]
