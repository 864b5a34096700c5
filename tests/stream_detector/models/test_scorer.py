"""The scorer with the bundles that are shipped: a text's score is its own, whatever the batch."""

import random

import numpy as np
import pytest
import tensorflow as tf

from stream_detector.errors import DeviceError, ScoringError
from stream_detector.models.scorer import GROUP_ROWS
from stream_detector.models.serving import load_scorer
from stream_detector.settings.fields import DATA_FOLDER, Settings

BUNDLES = DATA_FOLDER / "models"


@pytest.fixture(scope="module")
def scorer():
    scorer = load_scorer(Settings(device="cpu"))
    scorer.warm_up()
    return scorer


def texts_of_all_lengths(count):
    rng = random.Random(11)
    letters = "abcdefghijklmnopqrstuvwxyz0123456789-./?=&%"
    return ["".join(rng.choices(letters, k=rng.randint(1, 260))) for _ in range(count)]


def test_a_score_is_the_same_alone_shuffled_and_in_a_large_batch(scorer):
    texts = texts_of_all_lengths(3000)
    scores = scorer.score("url", texts)
    order = list(range(len(texts)))
    random.Random(2).shuffle(order)
    shuffled = scorer.score("url", [texts[place] for place in order])
    np.testing.assert_allclose(shuffled, scores[order], atol=1e-5)
    for place in range(0, 3000, 300):
        assert abs(scorer.score("url", [texts[place]])[0] - scores[place]) < 1e-5


@pytest.mark.parametrize("rows", [0, 1, 31, 32, 33, 257, 1025])
def test_any_number_of_texts_gives_as_many_probabilities(scorer, rows):
    scores = scorer.score("host", [f"host{number}.example" for number in range(rows)])
    assert scores.shape == (rows,)
    assert scores.dtype == np.float32
    assert np.all((scores >= 0) & (scores <= 1))


def test_a_text_of_64_kib_is_scored(scorer):
    (score,) = scorer.score("url", ["example.com/" + "a" * 65_000])
    assert 0 <= score <= 1


def test_after_the_warm_up_nothing_is_traced_or_compiled_again(scorer):
    networks = scorer._networks
    before = {kind: n.run.experimental_get_tracing_count() for kind, n in networks.items()}
    assert all(count >= len(GROUP_ROWS) for count in before.values())
    for rows in (1, 40, 700, 2500):
        for kind in networks:
            scorer.score(kind, texts_of_all_lengths(rows))
    assert before == {k: n.run.experimental_get_tracing_count() for k, n in networks.items()}


def test_the_shipped_models_put_what_anyone_would_in_the_order_anyone_would(scorer):
    good = ["en.wikipedia.org/wiki/Malware", "bbc.co.uk/news", "docs.python.org/3/library/re.html"]
    bad = [
        "paypal-secure-login.account-verify.xyz/signin.php",
        "185.23.4.9/bins/mirai.arm7",
        "secure-appleid.com.verify-account.info/login",
    ]
    assert scorer.score("url", good).max() < 0.3 < 0.9 < scorer.score("url", bad).min()
    good = ["wikipedia.org", "cdn.jsdelivr.net", "kubernetes.io"]
    bad = ["xkqjzvwptq.top", "paypal-account-verify.com"]
    assert scorer.score("host", good).max() < 0.3 < 0.9 < scorer.score("host", bad).min()


def test_the_shipped_bundles_stay_small():
    files = [path for kind in ("url", "host") for path in (BUNDLES / kind).iterdir()]
    assert sum(path.stat().st_size for path in files) < 5_000_000


def test_a_fault_of_the_network_is_distinguished_from_one_of_the_device(scorer, monkeypatch):
    def raising(error):
        def run(*_):
            raise error

        return run

    network = scorer._networks["url"]
    monkeypatch.setattr(network, "run", raising(ValueError("odd text")))
    with pytest.raises(ScoringError, match="odd text"):
        scorer.score("url", ["a"])
    monkeypatch.setattr(network, "run", raising(tf.errors.ResourceExhaustedError(None, None, "")))
    with pytest.raises(DeviceError, match="is there memory left"):
        scorer.score("url", ["a"])
