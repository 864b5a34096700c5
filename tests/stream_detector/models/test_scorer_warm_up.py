"""What a scorer does first and last: compile all there is to compile, and tell faults apart.

Small bundles and a scorer of each test's own, which no other test has warmed.
"""

import numpy as np
import pytest
import tensorflow as tf

from stream_detector.errors import BundleError, DeviceError
from stream_detector.models.architectures.compiled import _compiled
from stream_detector.models.scorer import GROUP_ROWS, Network
from stream_detector.models.serving import load_scorer
from stream_detector.settings.fields import Settings
from support.bundles import ARCHITECTURE, save_small_bundle


@pytest.fixture
def scorer(tmp_path):
    _compiled.cache_clear()
    for kind in ("url", "host"):
        save_small_bundle(tmp_path / kind, kind)
    return load_scorer(
        Settings(url_bundle=tmp_path / "url", host_bundle=tmp_path / "host", device="cpu")
    )


def traced(scorer):
    return {
        kind: network.run.experimental_get_tracing_count()
        for kind, network in scorer._networks.items()
    }


def test_warming_up_compiles_every_shape_that_scoring_uses(scorer):
    assert traced(scorer) == {"url": 0, "host": 0}
    scorer.warm_up()
    assert traced(scorer) == {"url": len(GROUP_ROWS), "host": len(GROUP_ROWS)}
    for rows in (1, 31, 33, 300, 1025):
        for length in (1, ARCHITECTURE.length_max, 500):
            for kind in ("url", "host"):
                assert scorer.score(kind, ["x" * length] * rows).shape == (rows,)
    assert traced(scorer) == {"url": len(GROUP_ROWS), "host": len(GROUP_ROWS)}


def test_another_model_of_the_same_network_needs_no_compiling_and_keeps_its_own_weights(
    scorer, tmp_path
):
    scorer.warm_up()
    other = Network(save_small_bundle(tmp_path / "other", seed=1), scorer.device)
    before = scorer.score("url", ["a.example"])
    assert other.score(["a.example"]) != before
    assert np.array_equal(scorer.score("url", ["a.example"]), before)
    assert other.run.experimental_get_tracing_count() == len(GROUP_ROWS)


def test_what_it_serves_is_what_the_bundles_say(scorer):
    assert scorer.device == "/CPU:0"
    assert {kind: model.ref.name for kind, model in scorer.models.items()} == {
        "url": "small-url",
        "host": "small-host",
    }
    assert all(model.thresholds.malicious == 0.9 for model in scorer.models.values())


def test_bundles_in_each_others_place_are_refused(tmp_path):
    for kind in ("url", "host"):
        save_small_bundle(tmp_path / kind, kind)
    swapped = Settings(url_bundle=tmp_path / "host", host_bundle=tmp_path / "url", device="cpu")
    with pytest.raises(BundleError, match=r"for kind host, not for url.*; correct url_bundle"):
        load_scorer(swapped)


@pytest.mark.parametrize(
    "fault",
    [
        tf.errors.ResourceExhaustedError(None, None, "out of memory"),
        tf.errors.InternalError(None, None, "launch failed"),
        tf.errors.UnavailableError(None, None, "device lost"),
        MemoryError(),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_no_text_is_blamed_for_memory_or_device(scorer, monkeypatch, fault):
    def run(*_):
        raise fault

    # Such faults come from hardware that a test has not.
    monkeypatch.setattr(scorer._networks["url"], "run", run)
    with pytest.raises(DeviceError, match=f"failed on /CPU:0 with {type(fault).__name__}"):
        scorer.score("url", ["example.com"])
    assert np.isfinite(scorer.score("host", ["example.com"])).all()
