"""``stream-trainer models`` as a user runs it, on a real Kafka and a store in a folder."""

import json
import shutil
import subprocess

import pytest

from support.bundles import save_small_bundle

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


@pytest.fixture
def run(trainer):
    def run(*arguments: object, code: int = 0, **changes: str) -> subprocess.CompletedProcess:
        done = trainer("models", *arguments, code=code, **changes)
        assert not code or done.stderr.count("\n") == 1
        return done

    return run


def announced(run) -> list[str]:
    lines = run("list", "--json").stdout.splitlines()
    return [model["sha256"] for model in map(json.loads, lines) if model["announced"]]


@pytest.mark.timeout(600)
def test_publish_promote_and_roll_back(run, tmp_path):
    first = save_small_bundle(tmp_path / "first", seed=0).sha256
    second = save_small_bundle(tmp_path / "second", seed=1).sha256
    run("new-key", "models.key")

    assert run("publish", "first").stdout == f"{first}\n"
    done = run("publish", "second", "--no-announce", "--signing-key", "models.key")
    assert done.stdout == f"{second}\n"
    assert announced(run) == [first]

    unjudged = run("promote", second[:8], code=1).stderr
    assert f"has not been compared with the url model announced now ({first[:12]})" in unjudged
    assert announced(run) == [first]
    run("promote", second[:8], "--force", "nothing to lose")
    assert announced(run) == [second]
    table = run("list").stdout
    assert f"* url   {second[:12]}" in table
    assert f"  url   {first[:12]}" in table
    assert table.count("signed") == 1
    shown = json.loads(run("show", second).stdout)
    assert (shown["announced"], shown["signed"]) == (True, True)
    assert shown["gate"]["forced_because"] == "nothing to lose"
    assert shown["thresholds"] == {"suspicious": 0.6, "malicious": 0.9}

    assert "is announced already" in run("promote", second).stderr
    run("rollback")
    assert announced(run) == [first]
    assert "announced before this one" in run("rollback", code=1).stderr


@pytest.mark.timeout(600)
def test_what_is_wrong_is_told_in_one_line(run, tmp_path):
    save_small_bundle(tmp_path / "bundle")
    assert "--model-store" in run("list", code=2, STREAM_DETECTOR_MODEL_STORE="").stderr
    assert "there is no model store at" in run("list", code=1).stderr
    assert "is no model bundle" in run("publish", "nothing", code=1).stderr
    missing = run("publish", "bundle", code=1, STREAM_DETECTOR_MODELS_TOPIC="nosuch")
    assert "topic nosuch is missing" in missing.stderr
    assert not (tmp_path / "store").exists()


@pytest.mark.timeout(600)
def test_a_shadow_is_announced_beside_what_serves_and_ended(run, tmp_path):
    first = save_small_bundle(tmp_path / "first", seed=0).sha256
    second = save_small_bundle(tmp_path / "second", seed=1).sha256
    run("publish", "first")

    assert "give VERSION or BUNDLE, and --share" in run("shadow", "second", code=2).stderr
    assert "its own shadow" in run("shadow", first[:8], "--share", "1", code=1).stderr
    assert "nothing is to end" in run("shadow", "--end", code=1).stderr

    assert run("shadow", "second", "--share", "0.25").stdout == f"{second}\n"
    assert announced(run) == [first]
    listed = map(json.loads, run("list", "--json").stdout.splitlines())
    assert {model["sha256"]: model["shadow_share"] for model in listed} == {
        first: None,
        second: 0.25,
    }

    assert "ended: the shadow url model small-url 1" in run("shadow", "--end").stderr
    assert "shadow" not in run("list").stdout
    run("promote", second, "--force", "nothing to lose")
    assert announced(run) == [second]


@pytest.mark.timeout(600)
def test_what_is_announced_and_not_in_the_store_has_a_row(run, tmp_path):
    first = save_small_bundle(tmp_path / "first", seed=0).sha256
    second = save_small_bundle(tmp_path / "second", seed=1).sha256
    third = save_small_bundle(tmp_path / "third", seed=2).sha256
    run("publish", "first")
    run("shadow", "second", "--share", "0.25")
    run("publish", "third", "--no-announce")
    for sha256 in (first, second):
        shutil.rmtree(tmp_path / "store" / "url" / sha256)

    stored, served, shadow = run("list").stdout.splitlines()
    assert stored.startswith(f"  url   {third[:12]}  1 ")
    assert served.startswith(f"* url   {first[:12]}  1 ")
    assert served.endswith("  announced, not in the store")
    assert shadow.startswith(f"  url   {second[:12]}  1 ")
    assert shadow.endswith("  shadow, share 0.25  announced, not in the store")

    listed = list(map(json.loads, run("list", "--json").stdout.splitlines()))
    assert [
        (model["sha256"], model["stored"], model["announced"], model["shadow_share"])
        for model in listed
    ] == [(third, True, False, None), (first, False, True, None), (second, False, False, 0.25)]
    assert listed[1]["created_at"] is None
