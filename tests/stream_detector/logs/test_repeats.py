"""The same thing is said only so often, and then how often it was."""

import io
import logging
from collections.abc import Mapping

import pytest

from stream_detector.logs.repeats import LINES_MAX, WINDOW_SECONDS, RepeatsHeldBack
from support.held_time import HeldTime


class Bench(HeldTime):
    """A handler with a clock and timers that the test holds."""

    def __init__(self) -> None:
        super().__init__(now=0.0)
        self.stream = io.StringIO()
        self.handler = RepeatsHeldBack(
            self.stream,
            clock=self.clock,
            call_later=self.call_later,
        )

    def say(
        self,
        message: str,
        *values: object,
        logger: str = "a",
        level: int = 30,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        record = logging.LogRecord(logger, level, "a.py", 7, message, values, None)
        vars(record).update(extra or {})
        self.handler.handle(record)

    @property
    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()


def test_one_line_counts_the_repeats() -> None:
    bench = Bench()
    for number in range(LINES_MAX + 5):
        bench.say("record %d is bad", number)
    assert bench.lines == [f"record {number} is bad" for number in range(LINES_MAX)]

    bench.wait(WINDOW_SECONDS)

    assert bench.lines[LINES_MAX:] == [
        f"held back 5 more like this in 60 s: record {LINES_MAX + 4} is bad"
    ]
    bench.say("record %d is bad", 99)
    assert bench.lines[-1] == "record 99 is bad"


def test_the_count_has_the_fields_of_the_last_repeat() -> None:
    bench = Bench()
    bench.handler.setFormatter(logging.Formatter("%(message)s %(topic)s %(held_back)s"))
    for number in range(LINES_MAX + 3):
        bench.say("bad", extra={"topic": f"t-{number}", "held_back": "?"})
    bench.wait(WINDOW_SECONDS)

    assert bench.lines[-1] == f"held back 3 more like this in 60 s: bad t-{LINES_MAX + 2} 3"


def test_a_failing_line_is_named_without_its_values(
    capfd: pytest.CaptureFixture[str],
) -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("CANARY")

    bench = Bench()
    bench.say("bad %s %s", Broken(), "CANARY")
    bench.say("good")
    assert bench.lines == ["a line of a.py:7 could not be written: RuntimeError", "good"]
    bench.stream.close()
    bench.say("CANARY")

    assert capfd.readouterr() == ("", "")


def test_the_count_comes_without_another_line() -> None:
    bench = Bench()
    bench.wait(WINDOW_SECONDS / 2)
    for _ in range(LINES_MAX):
        bench.say("bad")
    bench.wait(WINDOW_SECONDS / 2)
    bench.say("bad")
    bench.wait(WINDOW_SECONDS)
    assert bench.lines[-1] == "held back 1 more like this in 60 s: bad"
    assert not bench.timers


def test_close_writes_the_count() -> None:
    bench = Bench()
    for _ in range(LINES_MAX + 3):
        bench.say("bad")
    bench.handler.close()
    assert bench.lines[-1] == "held back 3 more like this in 60 s: bad"


def test_there_is_no_count_without_repeats() -> None:
    bench = Bench()
    bench.say("bad")
    bench.wait(WINDOW_SECONDS)
    bench.handler.close()
    assert bench.lines == ["bad"]


@pytest.mark.parametrize(
    ("message", "logger", "level"), [("good", "a", 30), ("bad", "b", 30), ("bad", "a", 40)]
)
def test_another_message_logger_or_level_is_another_kind(
    message: str, logger: str, level: int
) -> None:
    bench = Bench()
    for _ in range(LINES_MAX + 1):
        bench.say("bad")
    bench.say(message, logger=logger, level=level)
    assert len(bench.lines) == LINES_MAX + 1


def test_digits_in_a_template_make_no_new_kind() -> None:
    bench = Bench()
    for number in range(LINES_MAX + 5):
        bench.say(f"no connection to node {number}")
    assert len(bench.lines) == LINES_MAX


def test_critical_lines_always_pass() -> None:
    bench = Bench()
    for _ in range(LINES_MAX + 5):
        bench.say("ends", level=logging.CRITICAL)
    assert len(bench.lines) == LINES_MAX + 5


def test_the_memory_for_messages_is_bounded_and_loses_no_count() -> None:
    bench = Bench()
    for _ in range(LINES_MAX + 2):
        bench.say("first")
    for length in range(1, 1001):
        bench.say("x" * length)
    assert "held back 2 more like this in 60 s: first" in bench.lines
