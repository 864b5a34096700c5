"""``stream-trainer models`` as a user runs it, on a real Kafka and a store in a folder.

Workers are set to the bundle ``first``.
"""

import json
import shutil
import subprocess
from datetime import UTC, datetime

import pytest

from stream_detector.models.bundle import load_bundle
from stream_detector.models.signing import new_key
from support.bundles import save_small_bundle

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


@pytest.fixture
def run(trainer, tmp_path):
    bundle = {"STREAM_DETECTOR_URL_BUNDLE": str(tmp_path / "first")}

    def run(*arguments: object, code: int = 0, **changes: str) -> subprocess.CompletedProcess:
        done = trainer("models", *arguments, code=code, **bundle, **changes)
        assert not code or done.stderr.count("\n") == 1
        return done

    return run


def listed(run) -> list[dict]:
    return [json.loads(line) for line in run("list", "--json").stdout.splitlines()]


def announced(run) -> list[str]:
    return [model["sha256"] for model in listed(run) if model["announced"]]


def described(run, sha256: str) -> list[dict]:
    return [model for model in listed(run) if model["sha256"] == sha256]


@pytest.mark.timeout(600)
def test_publish_promote_and_roll_back(run, tmp_path):
    first = save_small_bundle(tmp_path / "first", seed=0).sha256
    second = save_small_bundle(tmp_path / "second", seed=1).sha256
    run("new-key", "models.key")

    unjudged = run("publish", "second", code=3).stderr
    assert "has not been compared with the url model that serves while none is" in unjudged
    assert f"announced ({first[:12]}): judge it by `stream-trainer gate" in unjudged
    assert not (tmp_path / "store").exists()

    assert run("publish", "first").stdout == f"{first}\n"
    done = run("publish", "second", "--no-announce", "--signing-key", "models.key")
    assert done.stdout == f"{second}\n"
    assert announced(run) == [first]

    unjudged = run("promote", second[:8], code=3).stderr
    assert f"has not been compared with the url model announced now ({first[:12]})" in unjudged
    assert announced(run) == [first]
    run("promote", second[:8], "--force", "nothing to lose")
    assert announced(run) == [second]
    table = run("list")
    header, *rows = table.stdout.splitlines()
    row_of_first, row_of_second = sorted(rows, key=lambda row: second[:12] in row)
    columns = ["kind", "sha256", "version", "name", "trained", "announced"]
    assert header.split() == columns
    assert row_of_first.split()[:2] == ["url", first[:12]]
    assert row_of_first[header.index("announced") :].strip() == "rollback goes back to it"
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    assert row_of_second[header.index("announced") :].startswith(today)
    assert row_of_second.endswith("  signed; forced: nothing to lose")
    assert "--worker http://HOST:9464, or --prometheus" in table.stderr
    shown = json.loads(run("show", second).stdout)
    assert (shown["announced"], shown["signed"]) == (True, True)
    assert shown["gate"]["forced_because"] == "nothing to lose"
    assert shown["thresholds"] == {"suspicious": 0.6, "malicious": 0.9}

    run("rollback")
    assert announced(run) == [first]
    assert "announced before this one" in run("rollback", code=1).stderr
    assert "rolled back; forced: nothing to lose" in run("list").stdout


@pytest.mark.timeout(600)
def test_of_two_kinds_the_one_announced_last_is_rolled_back_unless_one_is_named(run, tmp_path):
    host_bundle = {"STREAM_DETECTOR_HOST_BUNDLE": str(tmp_path / "first-host")}
    shas = {
        name: save_small_bundle(tmp_path / name, kind, seed=seed).sha256
        for name, kind, seed in (
            ("first", "url", 0),
            ("second", "url", 1),
            ("first-host", "host", 0),
            ("second-host", "host", 1),
        )
    }
    run("publish", "second-host", "--force", "a drill", **host_bundle)
    run("publish", "second", "--force", "a drill", **host_bundle)
    assert set(announced(run)) == {shas["second-host"], shas["second"]}

    told = run("rollback").stderr
    assert "announced: url model small-url 1" in told
    assert "; the host model, announced earlier (" in told
    assert "stays: `--kind host` rolls that one back" in told
    assert set(announced(run)) == {shas["second-host"], shas["first"]}

    # The rollback was the last announcement: a second one goes back the same way, or says why not.
    assert "no url model was announced before this one" in run("rollback", code=1).stderr
    told = run("rollback", "--kind", "host").stderr
    assert "announced: host model small-host 1" in told
    assert "announced earlier" not in told
    assert set(announced(run)) == {shas["first-host"], shas["first"]}


@pytest.mark.timeout(600)
def test_what_serves_already_is_announced_again_and_keeps_its_record_but_for_a_new_reason(
    run, tmp_path
):
    save_small_bundle(tmp_path / "first", seed=0)
    second = save_small_bundle(tmp_path / "second", seed=1).sha256
    run("publish", "second", "--force", "nothing to lose")
    (before,) = described(run, second)

    assert "announced: url model" in run("promote", second).stderr
    run("publish", "second", "--force", "another reason")
    (after,) = described(run, second)
    assert after["announced_at"] > before["announced_at"]
    assert after["gate"] == before["gate"] | {"forced_because": "another reason"}

    # The first one takes the place of what served unannounced, which a rollback brings back.
    run("rollback")
    assert announced(run) == [load_bundle(tmp_path / "first").sha256]


@pytest.mark.timeout(600)
def test_a_bundle_that_is_damaged_in_the_store_is_repaired_by_publishing_it_again(run, tmp_path):
    save_small_bundle(tmp_path / "first", seed=0)
    second = save_small_bundle(tmp_path / "second", seed=1).sha256
    run("publish", "second", "--no-announce")
    weights = tmp_path / "store" / "url" / second / "weights.safetensors"
    damaged = bytearray(weights.read_bytes())
    damaged[-1] ^= 1
    weights.write_bytes(damaged)

    told = run("promote", second[:8], "--force", "a drill", code=1).stderr
    assert "does not match the sha256 in the manifest" in told
    assert "publish the bundle again" in told
    told = run("publish", "second", "--force", "a drill").stderr
    assert "was damaged in the store, and is replaced" in told
    assert announced(run) == [second]
    assert weights.read_bytes() == (tmp_path / "second" / "weights.safetensors").read_bytes()


@pytest.mark.timeout(600)
def test_an_error_is_one_line(run, tmp_path):
    save_small_bundle(tmp_path / "bundle")
    assert "--model-store" in run("list", code=2, STREAM_DETECTOR_MODEL_STORE="").stderr
    assert "there is no model store at" in run("list", code=1).stderr
    assert "is no model bundle" in run("publish", "nothing", code=1).stderr
    missing = run("publish", "bundle", code=1, STREAM_DETECTOR_MODELS_TOPIC="nosuch")
    assert "topic nosuch is missing" in missing.stderr
    assert not (tmp_path / "store").exists()


@pytest.mark.timeout(600)
def test_a_shadow_is_announced_and_ended_while_another_model_serves(run, tmp_path):
    first = save_small_bundle(tmp_path / "first", seed=0).sha256
    second = save_small_bundle(tmp_path / "second", seed=1).sha256
    run("publish", "first")

    assert "give VERSION or BUNDLE, and --share" in run("shadow", "second", code=2).stderr
    assert "its own shadow" in run("shadow", first[:8], "--share", "1", code=1).stderr
    assert "nothing is to end" in run("shadow", "--end", code=1).stderr

    assert run("shadow", "second", "--share", "0.25").stdout == f"{second}\n"
    assert announced(run) == [first]
    assert {model["sha256"]: model["shadow_share"] for model in listed(run)} == {
        first: None,
        second: 0.25,
    }

    assert "ended: the shadow url model small-url 1" in run("shadow", "--end").stderr
    assert "shadow" not in run("list").stdout
    run("promote", second, "--force", "nothing to lose")
    assert announced(run) == [second]


@pytest.mark.timeout(600)
def test_an_announced_version_that_the_store_lacks_has_a_row(run, tmp_path):
    first = save_small_bundle(tmp_path / "first", seed=0).sha256
    second = save_small_bundle(tmp_path / "second", seed=1).sha256
    third = save_small_bundle(tmp_path / "third", seed=2).sha256
    run("publish", "first")
    run("shadow", "second", "--share", "0.25")
    run("publish", "third", "--no-announce")
    for sha256 in (first, second):
        shutil.rmtree(tmp_path / "store" / "url" / sha256)

    _, stored, served, shadow = run("list").stdout.splitlines()
    assert stored.startswith(f"url   {third[:12]}  1 ")
    assert served.startswith(f"url   {first[:12]}  1 ")
    assert served.endswith("  not in the store")
    assert shadow.startswith(f"url   {second[:12]}  1 ")
    assert shadow.endswith("  not in the store; shadow, share 0.25")

    found = listed(run)
    assert [
        (model["sha256"], model["stored"], model["announced"], model["shadow_share"])
        for model in found
    ] == [(third, True, False, None), (first, False, True, None), (second, False, False, 0.25)]
    assert found[1]["created_at"] is None


@pytest.mark.timeout(600)
def test_where_workers_have_a_public_key_all_that_is_announced_is_signed(run, tmp_path):
    first = save_small_bundle(tmp_path / "first", seed=0).sha256
    second = save_small_bundle(tmp_path / "second", seed=1).sha256
    for name in ("models.key", "other.key"):
        new_key(tmp_path / name)
    run("publish", "second", "--force", "before there was a key")

    def signed(*arguments: object, **options: object) -> subprocess.CompletedProcess:
        public_key = str(tmp_path / "models.key.pub")
        return run(*arguments, STREAM_DETECTOR_MODEL_PUBLIC_KEY=public_key, **options)

    def seen_by(run) -> dict:
        return {
            model["sha256"]: (model["signed"], model["announced"], model["shadow_share"])
            for model in listed(run)
        }

    key = ("--signing-key", "models.key")
    unsigned = signed("rollback", code=2).stderr
    assert "so workers take only signed models: give --signing-key" in unsigned
    wrong = signed("promote", second, "--signing-key", "other.key", code=2).stderr
    assert "other.key is not the private half of model_public_key" in wrong

    # What is announced unsigned still counts to one who begins to sign; bundles are signed too.
    signed("promote", second, *key)
    signed("shadow", first, "--share", "0.5", *key)
    # Unsigned, these move workers without a public key alone.
    run("rollback")
    run("shadow", "--end")
    assert seen_by(run) == {first: (True, True, None), second: (True, False, None)}
    assert seen_by(signed) == {first: (True, False, 0.5), second: (True, True, None)}

    signed("shadow", "--end", *key)
    signed("rollback", *key)
    assert seen_by(signed) == {first: (True, True, None), second: (True, False, None)}
