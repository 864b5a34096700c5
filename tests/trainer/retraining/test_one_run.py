"""How one retraining ends, whatever breaks: its outcome and its error."""

import errno

import pytest

from stream_detector.errors import RetryableError
from stream_detector.settings.fields import Settings
from stream_detector.terminal.progress import Progress
from support.bundles import save_small_bundle
from trainer.examples.datasets import Examples
from trainer.gate.options import GateOptions
from trainer.retraining import one_run, outcome
from trainer.retraining.examples import LabelRules
from trainer.retraining.warm_start import TABLE


class Said(Progress):
    """Keeps the lines."""

    def __init__(self):
        self.lines = []

    def tell(self, line):
        self.lines.append(line)


@pytest.fixture
def plan(tmp_path):
    save_small_bundle(tmp_path / "champion", "url")
    return one_run.Plan(
        kind="url",
        base=Examples(files=()),
        labels=tmp_path / "labels",
        folder=tmp_path / "out",
        champion=tmp_path / "champion",
        trust=(),
        label_rules=LabelRules(),
        recipe=TABLE,
        only_ngrams=True,
        gate=GateOptions(),
        because=None,
        publish=False,
        signing_key=None,
        licences={},
        command="none",
    )


@pytest.fixture
def full_disk(monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(outcome, "write_atomically", refuse)


def ends_in(monkeypatch, result):
    """The retraining itself returns ``result``, or raises it."""

    def done(*_):
        if isinstance(result, BaseException):
            raise result
        return result

    monkeypatch.setattr(one_run, "_retrain", done)


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_does_not_hide_that_a_model_was_published(plan, monkeypatch):
    published = outcome.outcome_now("url", "published")
    ends_in(monkeypatch, published)
    said = Said()
    assert one_run.retrain(plan, Settings(), progress=said) == published
    [line] = said.lines
    assert "outcome (published) can't be written" in line
    assert "No space left on device" in line


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_does_not_hide_the_error_of_a_retraining(plan, monkeypatch):
    ends_in(monkeypatch, RetryableError("Kafka is away"))
    with pytest.raises(RetryableError, match="Kafka is away"):
        one_run.retrain(plan, Settings(), progress=Progress())


def test_an_unforeseen_error_is_in_the_outcome_too(plan, monkeypatch):
    ends_in(monkeypatch, KeyError("weights"))
    with pytest.raises(KeyError):
        one_run.retrain(plan, Settings(), progress=Progress())
    found = outcome.read_outcome(plan.folder, "url")
    assert (found.ending, found.reason) == ("failed", "KeyError('weights')")


def test_a_stopped_retraining_leaves_no_outcome(plan, monkeypatch):
    ends_in(monkeypatch, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        one_run.retrain(plan, Settings(), progress=Progress())
    assert outcome.read_outcome(plan.folder, "url") is None
