"""Whether a running worker reaches the brokers it needs, and if not, why.

aiokafka retries for ever, as it should, but names a broker by its number at best. For a missing
connection a probe of our own finds the reason: a certificate that has expired or is not trusted, a
host that is away. The sentences are those of a start without Kafka.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable, Iterable, Mapping

from stream_detector.errors import FatalError
from stream_detector.kafka.probing import Fault, broker_faults
from stream_detector.logs.libraries import KAFKA_FAULTS

logger = logging.getLogger(__name__)

_REPEAT_SECONDS = 60.0
"""After this time a fault that stays is logged again."""
_FAULTS_NAMED_MAX = 3
_REACHED_SECONDS = 10.0
"""A broker that a probe reached is probed again after this time, if the worker still has no
connection to it: perhaps nothing needs it now."""


class ReachMonitor:
    """Looks for needed brokers that are not reached. Runs on the event loop."""

    def __init__(
        self,
        unconnected: Callable[[], Iterable[str]],
        *,
        is_connected: Callable[[], bool],
        refresh: Callable[[], object],
        context: ssl.SSLContext | None,
        clock: Callable[[], float],
    ) -> None:
        """Look at nothing yet.

        Args:
            unconnected: ``host:port`` of each needed broker without a connection or an answer.
            is_connected: whether any answering broker has a connection.
            refresh: makes the clients ask which brokers lead what. An idle client would learn only
                after minutes that another broker leads its partitions.
            context: the TLS context of the clients; None without TLS.
            clock: monotonic seconds.
        """
        self._unconnected = unconnected
        self._is_connected = is_connected
        self._refresh = refresh
        self._context = context
        self._clock = clock
        self._logged_at = 0.0
        self._reached_at: dict[str, float] = {}
        self.fault = ""
        """Which brokers are not reached, why, and what to do; or empty."""
        self.is_cut_off = False
        """Whether the worker reaches no broker at all."""

    async def run(self, interval: float) -> None:
        """Look every ``interval`` seconds until cancelled."""
        while True:
            await asyncio.sleep(interval)
            await self.look()

    async def look(self) -> None:
        """Look once, and log faults that are new or were last logged long ago."""
        now = self._clock()
        missing, since = set(self._unconnected()), now - _REACHED_SECONDS
        self._reached_at = {
            each: at for each, at in self._reached_at.items() if each in missing and at > since
        }
        addresses = sorted(missing - self._reached_at.keys())
        faults = await asyncio.to_thread(broker_faults, addresses, self._context)
        self._reached_at |= dict.fromkeys((each for each in addresses if each not in faults), now)
        is_connected = self._is_connected()
        before, self.fault = self.fault, "; ".join(_sentences(faults, others=is_connected))
        self.is_cut_off = bool(faults) and not is_connected
        KAFKA_FAULTS.report("brokers", present=bool(self.fault), now=now)
        if not self.fault:
            if before:
                logger.info("all brokers that are needed are reached again")
            return
        self._refresh()
        if self.fault != before or now - self._logged_at >= _REPEAT_SECONDS:
            self._logged_at = now
            # A broker comes back by itself, a certificate does not become valid.
            final = any(isinstance(fault, FatalError) for fault in faults.values())
            level = logging.ERROR if final else logging.WARNING
            logger.log(level, "%s; trying again", self.fault)


def _sentences(faults: Mapping[str, Fault], *, others: bool) -> list[str]:
    """Sentences about the faults by address; ``others``: whether other brokers are reached."""
    named = list(faults.items())[:_FAULTS_NAMED_MAX]
    sentences = [str(fault) for _, fault in named if isinstance(fault, FatalError)]
    away = [f"{address}: {fault}" for address, fault in named if isinstance(fault, str)]
    if others:
        sentences += [
            f"broker {address} can't be reached ({fault}), others are: check that it runs"
            for address, fault in named
            if isinstance(fault, str)
        ]
    elif away:
        sentences.append(
            f"Kafka can't be reached ({'; '.join(away)}): check that it runs, bootstrap_servers "
            "and security_protocol"
        )
    if more := len(faults) - len(named):
        sentences.append(f"and {more} brokers more")
    return sentences
