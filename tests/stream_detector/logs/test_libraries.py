"""Lines of Kafka's libraries come late, and not at all where a line of ours explains them."""

import io
import logging

import pytest

from stream_detector.logs.libraries import HOLD_SECONDS, KafkaFaults, LibrariesHeldBack
from support.held_time import HeldTime


class Bench(HeldTime):
    """A handler with faults, a clock and timers that the test holds."""

    def __init__(self) -> None:
        super().__init__(now=1000.0)
        self.stream = io.StringIO()
        self.faults = KafkaFaults()
        self.handler = LibrariesHeldBack(
            logging.StreamHandler(self.stream),
            faults=self.faults,
            clock=self.clock,
            call_later=self.call_later,
        )

    def say(self, message: str, *, logger: str = "aiokafka.client", level: int = 40) -> None:
        self.handler.handle(logging.LogRecord(logger, level, "a.py", 7, message, (), None))

    def report(self, *, present: bool, fault: str = "brokers") -> None:
        self.faults.report(fault, present=present, now=self.now)

    @property
    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()


def test_a_line_without_a_fault_is_written_after_the_hold() -> None:
    bench = Bench()
    bench.say("first")
    bench.wait(HOLD_SECONDS / 2)
    bench.say("second")
    assert bench.lines == []
    bench.wait(HOLD_SECONDS / 2)
    assert bench.lines == ["first"]
    bench.wait(HOLD_SECONDS / 2)
    assert bench.lines == ["first", "second"]


def test_lines_around_a_fault_are_dropped() -> None:
    bench = Bench()
    bench.say("before")
    bench.wait(3)
    bench.report(present=True)
    bench.say("during")
    bench.wait(300)
    bench.say("during")
    bench.report(present=False)
    bench.wait(3)
    bench.say("right after")
    bench.wait(HOLD_SECONDS)
    bench.report(present=False)
    bench.say("long after")
    bench.wait(HOLD_SECONDS)
    assert bench.lines == ["long after"]


@pytest.mark.parametrize(
    ("logger", "level"),
    [("stream_detector.worker.app", logging.ERROR), ("aiokafka.client", logging.INFO)],
)
def test_other_lines_are_written_at_once_during_a_fault(logger: str, level: int) -> None:
    bench = Bench()
    bench.report(present=True)
    bench.say("now", logger=logger, level=level)
    assert bench.lines == ["now"]


def test_a_missing_topic_explains_no_line_about_brokers() -> None:
    bench = Bench()
    bench.report(present=True, fault="topics")
    bench.say("Topic x not found in cluster metadata", logger="aiokafka.cluster")
    bench.say("Unable connect to node", logger="aiokafka.client")
    bench.wait(HOLD_SECONDS)
    assert bench.lines == ["Unable connect to node"]


def test_held_lines_come_before_the_critical_one() -> None:
    bench = Bench()
    bench.say("a hint")
    bench.say("the end", logger="stream_detector.worker.process", level=logging.CRITICAL)
    assert bench.lines == ["a hint", "the end"]


def test_close_releases_all_held_lines() -> None:
    bench = Bench()
    bench.say("a hint")
    bench.handler.close()
    assert bench.lines == ["a hint"]
