import io

import pytest
from rich.console import Console

from stream_detector.demo.ledger import Ledger, SeenVerdict, Sent, Source
from stream_detector.demo.session import expected_of
from stream_detector.demo.view import View


@pytest.fixture
def ledger():
    ledger = Ledger([expected_of(b"http://example.com/")])
    texts = ["evil.example/[bold]x", "odd.example/"]
    for offset, (verdict, text) in enumerate(zip(["malicious", "suspicious"], texts, strict=True)):
        ledger.sent(Sent(0, offset, 0, time=100.0))
        place = Source(0, offset, 0)
        seen = SeenVerdict(f"id-{offset}", text, "url", 0.9876, verdict, "10.20.1.7", place)
        ledger.verdict(seen, 100.25)
    ledger.alerts.add("id-0")
    return ledger


def console(*, terminal):
    return Console(file=io.StringIO(), force_terminal=terminal, width=150, height=40)


def test_plain_lines_hold_counts_and_no_control_characters(ledger):
    screen = console(terminal=False)
    with View(screen, records=20, clock=lambda: 10.0) as view:
        view.step("Ready.")
        view.refresh(ledger)
    first, second = screen.file.getvalue().splitlines()
    assert first == "Ready."
    assert second.startswith("2 of 20 records")
    for part in ["1 malicious", "1 suspicious", "1 alerts", "p99 250 ms"]:
        assert part in second
    assert screen.file.getvalue().replace("\n", "").isprintable()


def test_plain_lines_come_every_other_second(ledger):
    screen = console(terminal=False)
    times = iter([10.0, 11.0, 11.9, 12.1])
    with View(screen, records=20, clock=lambda: next(times)) as view:
        view._rate = lambda now, done: 0.0
        for _ in range(4):
            view.refresh(ledger)
    assert len(screen.file.getvalue().splitlines()) == 2


def test_the_live_view_shows_the_newest_first_and_text_as_it_is(ledger):
    screen = console(terminal=True)
    with View(screen, records=20, clock=lambda: 10.0) as view:
        view.refresh(ledger)
        drawn = screen.file.getvalue()
    assert "0.9876" in drawn
    assert "ALERT" in drawn
    assert "evil.example/[bold]x" in drawn
    assert drawn.index("odd.example/") < drawn.index("evil.example/")
