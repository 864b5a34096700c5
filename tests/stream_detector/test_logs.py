"""One line per event, for people or for machines, and no floods."""

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka.errors import GroupAuthorizationFailedError, GroupCoordinatorNotAvailableError

from stream_detector.logs import CollapseRepeats, configure_logging


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Leave the process's logging as other tests expect it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(capture=False)


def lines_of(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_each_event_is_one_json_line_where_no_person_looks() -> None:
    stream = io.StringIO()
    configure_logging("info", stream=stream)

    logging.getLogger("stream_detector.x").info("read\n%d", 5, extra={"topic": "a"})
    logging.getLogger("stream_detector.x").debug("not this")

    [line] = lines_of(stream)
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "logger": "stream_detector.x",
        "message": "read\n5",
        "topic": "a",
    }


def test_an_exception_is_part_of_its_json_line() -> None:
    stream = io.StringIO()
    configure_logging("info", stream=stream)
    try:
        raise ValueError("the cause")
    except ValueError:
        logging.getLogger("a").exception("failed")

    [line] = lines_of(stream)
    assert "ValueError: the cause" in line["exception"]


def test_a_person_reads_one_plain_line() -> None:
    stream = Terminal()
    configure_logging("info", stream=stream)

    logging.getLogger("a").warning("first\nsecond", extra={"topic": "b"})

    [line] = stream.getvalue().splitlines()
    assert line.endswith("warning first second topic=b")


@pytest.mark.parametrize("library", ["aiokafka.cluster", "faust.app", "kafka.conn", "mode.service"])
def test_libraries_are_heard_from_warning_on(library: str) -> None:
    stream = io.StringIO()
    configure_logging("info", stream=stream)

    logging.getLogger(library).info("chatter")
    logging.getLogger(library).warning("trouble")

    assert [line["message"] for line in lines_of(stream)] == ["trouble"]


def test_what_a_library_tries_again_is_no_error() -> None:
    stream = io.StringIO()
    configure_logging("info", stream=stream)
    log = logging.getLogger("aiokafka.consumer.group_coordinator")

    log.error("Group Coordinator Request failed: %s", GroupCoordinatorNotAvailableError())
    log.error("Heartbeat failed: %s", GroupAuthorizationFailedError())

    assert [line["level"] for line in lines_of(stream)] == ["warning", "error"]


def test_a_library_is_not_heard_below_the_level_that_was_asked_for() -> None:
    stream = io.StringIO()
    configure_logging("error", stream=stream)

    logging.getLogger("aiokafka").warning("trouble")

    assert stream.getvalue() == ""


def record(message: str, *values: object, logger: str = "aiokafka.client") -> logging.LogRecord:
    return logging.LogRecord(logger, logging.ERROR, "", 0, message, values, None)


def test_repeats_of_a_message_are_held_back_and_counted() -> None:
    now = 0.0
    collapse = CollapseRepeats(lambda: now)

    passed = [collapse.filter(record("no connection to node %d", node)) for node in range(5)]
    assert passed == [True, False, False, False, False]
    now = 9.9
    assert not collapse.filter(record("no connection to node %d", 7))
    now = 10.0
    late = record("no connection to node %d", 8)
    assert collapse.filter(late)
    assert vars(late)["repeats"] == 5


def test_another_message_passes_at_once() -> None:
    collapse = CollapseRepeats(lambda: 0.0)

    assert collapse.filter(record("no connection"))
    assert collapse.filter(record("topic is gone"))


def test_messages_of_the_project_itself_are_never_held_back() -> None:
    collapse = CollapseRepeats(lambda: 0.0)

    assert all(collapse.filter(record("retry", logger="stream_detector.worker")) for _ in range(9))


def test_memory_for_messages_is_bounded() -> None:
    collapse = CollapseRepeats(lambda: 0.0)
    first = "a" * 1
    assert collapse.filter(record(first))
    for length in range(2, 1100):
        collapse.filter(record("a" * length))

    assert collapse.filter(record(first)), "the oldest message was forgotten"


NATIVE = """
import os, sys
from stream_detector.errors import BundleError
from stream_detector.logs import configure_logging, native_output_held_back
configure_logging("info")
import logging
try:
    with native_output_held_back():
        os.write(2, b"from C\\n")
        logging.getLogger("stream_detector").info("from Python")
        {end}
except (ValueError, BundleError):
    pass
os.write(2, b"after\\n")
"""


@pytest.mark.parametrize(
    ("end", "is_shown"), [("", False), ("raise BundleError", False), ("raise ValueError", True)]
)
def test_native_output_is_shown_only_when_something_unforeseen_fails(
    end: str, is_shown: bool
) -> None:
    program = NATIVE.format(end=end)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True
    )

    assert "from Python" in done.stderr
    assert ("from C" in done.stderr) is is_shown
    assert done.stderr.endswith("after\n")
