"""Progress off a terminal: nothing of what is quick, then a line every few seconds."""

import pytest

from stream_detector.commands.progress import shown_progress


def test_lines_come_after_two_seconds_and_then_every_five(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = 100.0
    with shown_progress("reading url-events-dlq", clock=lambda: now) as report:
        for second in range(18):
            now = 100.0 + second
            report(second, 17, f"{second} read")

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "reading url-events-dlq: 12%, 2 read",
        "reading url-events-dlq: 41%, 7 read",
        "reading url-events-dlq: 71%, 12 read",
    ], "and none when it is done"


def test_of_nothing_no_share_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    times = iter([0.0, 9.0, 9.0])
    with shown_progress("reading", clock=lambda: next(times)) as report:
        report(0, 0, "0 read")

    assert capsys.readouterr().err == "reading: 0 read\n"
