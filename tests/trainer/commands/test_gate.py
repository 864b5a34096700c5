"""A model takes another's place by the gate or by a reason; as a user does it, on a real Kafka."""

import json

import pytest

from support.gated import named, save_challenger, save_champion, save_ignorant, write_rows
from trainer.gate.decision import read_decision

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture
def champion(tmp_path):
    write_rows(tmp_path / "rows.csv", named(2400, 11))
    write_rows(tmp_path / "newest.csv", named(60, 12))
    return save_champion(tmp_path / "champion")


@pytest.fixture
def set_to(tmp_path):
    """Workers are set to the champion."""
    return {"STREAM_DETECTOR_HOST_BUNDLE": str(tmp_path / "champion")}


@pytest.fixture
def models(trainer, set_to):
    return lambda *arguments, **options: trainer("models", *arguments, **set_to, **options)


def announced(models) -> dict:
    lines = models("list", "--json").stdout.splitlines()
    (model,) = [model for model in map(json.loads, lines) if model["announced"]]
    return model


def test_a_worse_challenger_is_refused_from_the_first_on_and_a_reason_is_recorded(
    trainer, models, champion, set_to, tmp_path
):
    worse = save_ignorant(tmp_path / "worse", champion)

    options = ("--data", "rows.csv", "--newest", "newest.csv", "--resamples", 100)
    refused = trainer("gate", "worse", "--champion", "served", *options, code=3, **set_to)
    assert "REFUSED" in refused.stdout
    assert "detection at 1%" in refused.stdout
    assert refused.stderr.splitlines()[-1].startswith("refused: ")

    told = models("publish", "worse", code=3).stderr
    assert "the gate refused rule ignorant" in told
    assert '--force "REASON"' in told
    assert not (tmp_path / "store").exists()
    models("publish", "champion")  # What serves already needs no decision.
    assert "give a reason" in models("publish", "worse", "--force", "  ", code=2).stderr
    long = models("publish", "worse", "--force", "x" * 201, code=2).stderr
    assert "the reason is longer than 200 characters" in long
    assert (
        "to `promote`" in models("publish", "worse", "--no-announce", "--force", "x", code=2).stderr
    )

    models("publish", "worse", "--force", "a drill")
    now = announced(models)
    assert now["sha256"] == worse.sha256
    assert (now["gate"]["passed"], now["gate"]["forced_because"]) == (False, "a drill")
    assert now["gate"]["champion"] == champion.sha256
    assert any(not check["passed"] for check in now["gate"]["checks"])
    beside = read_decision(tmp_path / "worse-gate.json")
    stored = read_decision(tmp_path / "store/host" / worse.sha256 / "gate.json")
    assert beside == stored
    assert (beside.passed, beside.forced_because) == (False, "a drill")

    models("rollback")  # Needs no gate.
    assert announced(models)["sha256"] == champion.sha256


def test_a_bundle_that_passed_replaces_only_the_one_it_was_compared_with(
    trainer, models, champion, tmp_path
):
    second = save_challenger(tmp_path / "second", champion)
    third = save_challenger(tmp_path / "third", champion, version="3")
    models("publish", "champion")
    models("fetch", champion.sha256[:8], "fetched")
    assert "is not empty" in models("fetch", champion.sha256[:8], "fetched", code=1).stderr

    judged = ("--data", "rows.csv", "--resamples", 100)
    for name, champion_is in (("second", "fetched"), ("third", "served")):
        passed = trainer("gate", name, "--champion", champion_is, *judged)
        assert "REFUSED" not in passed.stdout
    models("publish", "third", "--no-announce")
    models("publish", "second")
    gate = announced(models)["gate"]
    assert (gate["passed"], gate["forced_because"]) == (True, None)
    assert gate["champion"] == champion.sha256

    # The one that third was compared with serves no more.
    for command in (("promote", third.sha256), ("publish", "third")):
        told = models(*command, code=3).stderr
        assert f"was compared with another ({champion.sha256[:12]})" in told
        assert f"announced now ({second.sha256[:12]})" in told
    # Back to the one before, the decision in the store is good again.
    models("rollback")
    models("promote", third.sha256)
    assert announced(models)["sha256"] == third.sha256

    # A decision on what was in the folder before is none on what is in it now.
    save_challenger(tmp_path / "second", champion, version="4")
    assert "has not been compared" in models("publish", "second", code=3).stderr
    (tmp_path / "second-gate.json").write_text("{}")
    assert "is no decision of the gate" in models("publish", "second", code=1).stderr


def test_a_wrong_command_line_is_one_clear_error(trainer, tmp_path, champion):
    assert "name the examples" in trainer("gate", "champion", code=2).stderr
    assert "is no model bundle" in trainer("gate", "nothing", "--data", "rows.csv", code=1).stderr
    (tmp_path / "own.txt").write_text("corp.example\nno domain at all\n")
    told = trainer(
        *("gate", "champion", "--data", "rows.csv", "--must-not-alert", "own.txt"), code=1
    ).stderr
    assert "own.txt, line 2: 'no domain at all' is no domain, host or URL" in told
