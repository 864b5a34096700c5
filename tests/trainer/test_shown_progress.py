"""Long work says what it does: by lines where there is no terminal, by bars on one."""

import io
import re
import time

import pytest
from rich.console import Console

from trainer.console import ShownProgress
from trainer.training.fitting import Epoch, shown_training


def shown(*, terminal):
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=terminal, width=120)
    return screen, ShownProgress(console, line_seconds=0.05)


def wait_for(screen, pattern):
    deadline = time.monotonic() + 10
    while not re.search(pattern, screen.getvalue()):
        assert time.monotonic() < deadline, screen.getvalue()
        time.sleep(0.01)


def test_uncounted_work_shows_that_it_continues():
    screen, progress = shown(terminal=False)
    with progress.stage("gradient_boosting: 640 rows"):
        wait_for(screen, r"(gradient_boosting: 640 rows, \d+ s\n){2}")


def test_an_epoch_shows_rows_and_loss():
    screen, progress = shown(terminal=False)
    with shown_training(progress, "bilstm") as training:
        wait_for(screen, r"bilstm: epoch 1, \d+ s\n")  # It is being compiled.
        training.on_step(2560, 10_000, 0.25)
        wait_for(screen, r"bilstm: epoch 1, 2,560 of 10,000, loss 0\.2500, \d+ s\n")
        training.on_step(10_000, 10_000, 0.2)
        wait_for(screen, r"bilstm: epoch 1, validation, \d+ s\n")
        training.on_epoch(Epoch(1, 0.2, 0.9, 0.8, 0.9, 1.0))
        wait_for(screen, r"bilstm: epoch 1: loss 0\.2000, .*\n(.*\n)*bilstm: epoch 2, \d+ s\n")


def test_many_short_stages_are_not_silent():
    screen, progress = shown(terminal=False)
    started = time.monotonic()
    while "short, 0 s" not in screen.getvalue():
        assert time.monotonic() < started + 10
        with progress.stage("short"):
            time.sleep(0.01)


@pytest.mark.parametrize("terminal", [True, False])
def test_between_stages_nothing_is_shown(terminal):
    screen, progress = shown(terminal=terminal)
    with progress.stage("outer"), progress.stage("inner", 10) as inner:
        inner.update(5, "half")
        wait_for(screen, "5/10" if terminal else "5 of 10")
    before = screen.getvalue()
    time.sleep(0.2)
    assert screen.getvalue() == before
    if terminal:
        assert "outer" in before
        assert before.endswith("\x1b[2K")  # The bars are wiped: results follow.
