"""One line per event, for people or for machines, and no floods."""

import io
import json
import logging
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka.errors import GroupAuthorizationFailedError, GroupCoordinatorNotAvailableError

from stream_detector.logs.libraries import KAFKA_FAULTS
from stream_detector.logs.repeats import LINES_MAX
from stream_detector.logs.setup import configure_logging
from stream_detector.settings.fields import Settings
from stream_detector.settings.loading import load_settings


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Leave the process's logging as other tests expect it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    for fault in ("brokers", "topics"):  # Those of earlier tests are over, and long ago.
        KAFKA_FAULTS.report(fault, present=True, now=-math.inf)
        KAFKA_FAULTS.report(fault, present=False, now=-math.inf)
    yield
    root.handlers[:], root.level = handlers, level
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    logging.captureWarnings(capture=False)


def written(stream: io.StringIO) -> str:
    """All that was logged, with what libraries said just now."""
    for handler in logging.getLogger().handlers:
        handler.flush()
    return stream.getvalue()


def lines_of(stream: io.StringIO) -> list[dict[str, Any]]:
    """What a strict parser makes of the lines."""
    return [msgspec.json.decode(line) for line in written(stream).splitlines()]


def test_each_event_is_one_json_line_where_no_person_looks() -> None:
    stream = io.StringIO()
    configure_logging(Settings(log_level="info"), stream=stream)

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


def test_a_number_that_json_lacks_is_a_string() -> None:
    stream = io.StringIO()
    configure_logging(Settings(), stream=stream)
    fields = {"loss": math.nan, "rates": [math.inf, -math.inf, 0.5], "deep": {"x": math.nan}}

    logging.getLogger("a").info("trained", extra={**fields, math.nan: 10**400})

    [line] = lines_of(stream)
    assert (line["loss"], line["rates"], line["deep"]) == (
        "nan",
        ["inf", "-inf", 0.5],
        {"x": "nan"},
    )
    assert '"nan": 1' + "0" * 400 in stream.getvalue()


def test_a_value_without_a_text_leaves_the_rest_of_the_line() -> None:
    stream = io.StringIO()
    configure_logging(Settings(), stream=stream)
    loop: dict[str, Any] = {"topic": "a"}
    loop["self"] = loop

    class Mute:
        def __str__(self) -> str:
            raise RuntimeError

    fields = {"loop": loop, "all": [[[[[[0]]]]]], "huge": 10**5000, "mute": Mute(), "fine": 1}
    logging.getLogger("a").info("read %s", Mute(), extra={**fields, 10**5000: 2})

    [line] = lines_of(stream)
    assert (line["message"], line["fine"]) == ("read %s", 1)
    assert (line["huge"], line["mute"]) == ("<int without a text>", "<Mute without a text>")
    assert line["<int without a text>"] == 2
    assert line["all"] == [[[[["<list nested too deep>"]]]]]
    assert line["loop"]["topic"] == line["loop"]["self"]["topic"] == "a"
    assert "<dict nested too deep>" in stream.getvalue()


def test_an_exception_is_part_of_its_json_line() -> None:
    stream = io.StringIO()
    configure_logging(Settings(log_level="info"), stream=stream)
    try:
        raise ValueError("the cause")
    except ValueError:
        logging.getLogger("a").exception("failed")

    [line] = lines_of(stream)
    assert "ValueError: the cause" in line["exception"]


def test_a_person_reads_one_plain_line() -> None:
    stream = Terminal()
    configure_logging(Settings(log_level="info"), stream=stream)

    logging.getLogger("a").warning("first\nsecond", extra={"topic": "b"})

    [line] = stream.getvalue().splitlines()
    assert line.endswith("warning  first second topic=b")


@pytest.mark.parametrize("library", ["aiokafka.cluster", "faust.app", "kafka.conn", "mode.service"])
def test_libraries_log_from_warning_on(library: str) -> None:
    stream = io.StringIO()
    configure_logging(Settings(log_level="info"), stream=stream)

    logging.getLogger(library).info("chatter")
    logging.getLogger(library).warning("trouble")

    assert [line["message"] for line in lines_of(stream)] == ["trouble"]


def test_errors_that_a_library_retries_become_warnings() -> None:
    stream = io.StringIO()
    configure_logging(Settings(log_level="info"), stream=stream)
    log = logging.getLogger("aiokafka.consumer.group_coordinator")

    log.error("Group Coordinator Request failed: %s", GroupCoordinatorNotAvailableError())
    logging.getLogger("mode.threads").error("[^--T]: Thread keepalive is not responding...")
    logging.getLogger("aiokafka").error("Unable connect to node with id %s: %s", 1, OSError())
    log.error("Heartbeat failed: %s", GroupAuthorizationFailedError())

    assert [line["level"] for line in lines_of(stream)] == [*["warning"] * 3, "error"]


def test_a_library_does_not_log_below_log_level() -> None:
    stream = io.StringIO()
    configure_logging(Settings(log_level="error"), stream=stream)

    logging.getLogger("aiokafka").warning("trouble")

    assert written(stream) == ""


SECRET = "hunter2 with a long tail"
CREDENTIALS = [
    ("at http://kim:pASSWORDp@kafka/x", ()),
    ("at %s", ("http://kim:pASSWORDp@kafka/x",)),
    ("%r", ({"sasl_plain_password": "pASSWORDp"},)),
    ("the password is %s", (SECRET,)),
    ("Authorization: Basic pASSWORDp", ()),
]


@pytest.fixture
def secret_settings(tmp_path: Path) -> Settings:
    """Settings whose two secrets are the same, once by value and once by file."""
    file = tmp_path / "key-password"
    file.write_text(f"{SECRET}\n")
    return Settings(sasl_password=SECRET, ssl_key_password_file=file)


@pytest.mark.parametrize("log_format", ["json", "pretty"])
@pytest.mark.parametrize(("message", "arguments"), CREDENTIALS)
def test_no_line_holds_a_credential(
    message: str, arguments: tuple[object, ...], log_format: Any, secret_settings: Settings
) -> None:
    stream = io.StringIO()
    settings = secret_settings.model_copy(update={"log_format": log_format, "log_queries": True})
    configure_logging(settings, stream=stream)
    log = logging.getLogger("aiokafka.conn")

    text = message % arguments
    fields = {"why": text, "nested": {"deep": [text]}, "token": "pASSWORDp", "time": SECRET}
    log.error(message, *arguments, extra=fields)
    try:
        raise ValueError(text)
    except ValueError:
        log.exception("failed", stack_info=True)

    text = written(stream)
    assert "failed" in text
    assert "pASSWORDp" not in text
    assert SECRET not in text


def test_a_password_file_is_redacted_after_loading(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(SECRET)
    environ = {
        "STREAM_DETECTOR_SASL_PASSWORD_FILE": str(file),
        "STREAM_DETECTOR_SASL_USERNAME": "kim",
        "STREAM_DETECTOR_SECURITY_PROTOCOL": "SASL_SSL",
    }
    stream = io.StringIO()
    configure_logging(load_settings({}, environ, None)[0], stream=stream)

    logging.getLogger("a").info("it is %s.", SECRET)

    assert lines_of(stream)[0]["message"] == "it is ***."


@pytest.mark.parametrize(
    ("allowed", "shown"), [(False, "http://a.com/x?***"), (True, "http://a.com/x?user=kim")]
)
def test_a_line_holds_query_strings_only_if_allowed(allowed: bool, shown: str) -> None:
    stream = io.StringIO()
    configure_logging(Settings(log_queries=allowed), stream=stream)

    url = "http://a.com/x?user=kim"
    logging.getLogger("a").info("read %s", url, extra={"url": url})

    [line] = lines_of(stream)
    assert (line["message"], line["url"]) == (f"read {shown}", shown)


@pytest.mark.parametrize(
    ("log_format", "terminal", "is_json"),
    [("auto", True, False), ("auto", False, True), ("json", True, True), ("pretty", False, False)],
)
def test_lines_are_pretty_on_a_terminal_unless_set_otherwise(
    log_format: Any, terminal: bool, is_json: bool
) -> None:
    stream = Terminal() if terminal else io.StringIO()
    configure_logging(Settings(log_format=log_format), stream=stream)

    logging.getLogger("a").info("read")

    assert stream.getvalue().startswith("{") == is_json


def test_pretty_lines_have_no_colour_and_let_none_in() -> None:
    stream = Terminal()
    configure_logging(Settings(), stream=stream)

    logging.getLogger("a").error("\x1b[31mred\r\nnext", extra={"topic": "\x1b]0;a\x07\u2028b"})

    assert "\x1b" not in stream.getvalue()
    [line] = stream.getvalue().splitlines()
    assert line.endswith(r"error    \x1b[31mred next topic=\x1b]0;a\x07\u2028b")


def test_fields_do_not_replace_the_standard_ones() -> None:
    stream = io.StringIO()
    configure_logging(Settings(), stream=stream)

    logging.getLogger("a").info("read", extra={"level": "x", "logger": "y", "count": 3})

    [line] = lines_of(stream)
    assert (line["level"], line["logger"], line["count"]) == ("info", "a", 3)


def test_wrong_arguments_leave_the_template() -> None:
    stream = io.StringIO()
    configure_logging(Settings(), stream=stream)

    logging.getLogger("a").info("read %d", "http://kim:pASSWORDp@a.com")

    assert lines_of(stream)[0]["message"] == "read %d"


def test_repeats_are_held_back_but_not_the_critical_line() -> None:
    stream = io.StringIO()
    configure_logging(Settings(), stream=stream)
    log = logging.getLogger("stream_detector.x")

    for number in range(100):
        log.warning("record %d is bad", number)
        log.critical("it ends: %d", number)

    messages = [line["message"] for line in lines_of(stream)]
    assert len([m for m in messages if m.startswith("record")]) == LINES_MAX
    assert len([m for m in messages if m.startswith("it ends")]) == 100


UNCAUGHT = """
import asyncio, gc, threading
from stream_detector.logs.setup import configure_logging
from stream_detector.settings.fields import Settings
configure_logging(Settings())
WHERE = "at http://kim:pASSWORDp@a.com/?q=1"
def fail(kind): raise kind(WHERE)
for kind in ValueError, asyncio.CancelledError, SystemExit:
    thread = threading.Thread(target=fail, args=[kind]); thread.start(); thread.join()
class Left:
    def __del__(self): fail(asyncio.CancelledError)
Left()
async def leave():
    async def work(): fail(ValueError)
    asyncio.create_task(work())
    await asyncio.sleep(0)
    gc.collect()
asyncio.run(leave())
fail({kind})
"""


@pytest.mark.parametrize("kind", ["ValueError", "asyncio.CancelledError"])
def test_an_uncaught_error_is_a_log_line(kind: str) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", UNCAUGHT.replace("{kind}", kind)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )

    assert done.returncode == 1
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    levels = ["critical", "critical", "error", "error", "critical"]
    assert [line["level"] for line in lines] == levels
    assert all("Error: at http://***@a.com/?***" in line["exception"] for line in lines)
    assert lines[2]["message"].startswith("Exception ignored in: <function Left.__del__")
    assert lines[3]["message"].startswith("Task exception was never retrieved")


def test_ctrl_c_logs_no_error() -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    program = UNCAUGHT.replace("{kind}", "KeyboardInterrupt")
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )

    assert done.returncode == -signal.SIGINT
    assert done.stderr.count('"critical"') == 2


NATIVE = """
import os, sys
from stream_detector.errors import BundleError
from stream_detector.logs.setup import configure_logging
from stream_detector.system.native_output import native_output_held_back
from stream_detector.settings.fields import Settings
configure_logging(Settings())
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
def test_native_output_is_shown_only_after_an_unforeseen_error(end: str, is_shown: bool) -> None:
    program = NATIVE.format(end=end)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True
    )

    assert "from Python" in done.stderr
    assert ("from C" in done.stderr) is is_shown
    assert done.stderr.endswith("after\n")
