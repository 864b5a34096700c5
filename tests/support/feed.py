"""Load on a worker, for as long as a test needs it."""

import itertools
import threading

from support.accounting import Sent
from support.bench import Bench

__all__ = ["OFTEN", "Feed"]

OFTEN = b"http://seen-often.example/page"


class Feed:
    """Sends 40 records every 50 ms until the block ends; one of them is always the same."""

    def __init__(self, bench: Bench, often: bytes = OFTEN) -> None:
        self._bench = bench
        self._often = often
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        for number in itertools.count():
            urls = [f"http://h{number}.example/{place}".encode() for place in range(39)]
            self._bench.account.send([Sent(url, 1) for url in [*urls, self._often]])
            if self._stop.wait(0.05):
                return

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
