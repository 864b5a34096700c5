"""10,000 damaged bundles: each is refused by a typed error, or loads and scores.

Never another exception, a wait, memory taken by what the bundle says of itself, or a file opened
that is not the bundle's. A case that fails is made again by its name and number alone.
"""

import gc
import hashlib
import random
import shutil
import sys
from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
import pytest
import tensorflow as tf

from stream_detector.errors import BundleError, RetryableError
from stream_detector.models.bundle import load_bundle, save_bundle
from stream_detector.models.encoding import encode, shorten
from stream_detector.models.files import MANIFEST_NAME, SIGNATURE_NAME, WEIGHTS_NAME
from stream_detector.models.manifest import kind_of_bundle
from stream_detector.models.reference import (
    coarsened,
    population_stability_index,
    reference_of,
)
from stream_detector.models.signing import check_signature, new_key, read_public_key, sign
from stream_detector.models.store import ModelStore
from support.bundles import ARCHITECTURE, save_small_bundle, small_manifest
from support.damaged_bundles import DAMAGE, REFUSED_ALWAYS, Files, Place

CASES = 10_000
CASES_OF_THE_STORE = 600
MEGABYTES_MAX = 64
"""Far above what a small bundle and a manifest of 1 MB take, far below what they can claim."""
MESSAGE_CHARACTERS_MAX = 600
TEXTS = ("evil.cc/?x", "a", "bank.test")
"""Short: the network takes a step a character, for each bundle that loads."""

REFUSALS = (
    "is not there", "is a link", "is not a file", "is larger than", "is not a manifest",
    "was trained on canonical form", "thresholds must rise", "unknown architecture",
    "between 1 and 65,536", "wrong parameters", "must list weights.safetensors and nothing else",
    "does not match the sha256", "is not a safetensors file", "names or shapes",
    "is not all finite", "the reference is malformed", "for kind host, not for url",
)  # fmt: skip
"""Every refusal of the loader: that each is seen says that the cases reach as deep as it does."""


class Opened:
    """The paths that this process opens while ``watching``; the hook itself can't be removed."""

    def __init__(self) -> None:
        self.watching = False
        self.paths: set[str] = set()
        sys.addaudithook(self._see)

    def _see(self, event: str, arguments: tuple[object, ...]) -> None:
        # A descriptor that is given a file object was opened by its path before.
        if self.watching and event == "open" and not isinstance(arguments[0], int):
            self.paths.add(str(arguments[0]))


@pytest.fixture(scope="module")
def opened():
    return Opened()


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """The files of a bundle for URLs, and those of others to swap with."""
    folder = tmp_path_factory.mktemp("originals")
    for name, kind, seed in (("own", "url", 0), ("next", "url", 1), ("host", "host", 2)):
        reference = reference_of(kind, TEXTS, [0.01, 0.1, 0.9])
        manifest = msgspec.structs.replace(small_manifest(kind), reference=reference)
        save_bundle(folder / name, manifest, ARCHITECTURE.initial_weights(seed))
    return [Files.of(folder / name) for name in ("own", "next", "host")]


@pytest.fixture
def outside(tmp_path, originals):
    """A whole bundle that a link could lead to, and a secret."""
    folder = tmp_path / "outside"
    Place(folder, originals[0], (), folder)
    (tmp_path / "secret").write_text("secret")
    return folder


@tf.function(
    input_signature=[
        {
            name: tf.TensorSpec(shape, tf.float32)
            for name, shape in ARCHITECTURE.weight_shapes.items()
        },
        tf.TensorSpec((None, None), tf.uint8),
        tf.TensorSpec((None, None), tf.uint8),
        tf.TensorSpec((None,), tf.int32),
    ]
)
def logits(weights, forward, backward, lengths):
    """The network of the small bundles, traced once for all of them."""
    texts = (forward, backward, lengths)
    return ARCHITECTURE.logits(weights, texts, steps=tf.reduce_max(lengths))


def scores_of(bundle):
    """What the bundle makes of ``TEXTS``, by the network that its manifest describes."""
    assert bundle.architecture.weight_shapes == ARCHITECTURE.weight_shapes
    length_max = bundle.architecture.length_max
    texts = [shorten(text, length_max) for text in TEXTS]
    batch = encode(texts, steps=length_max, columns=len(texts))
    return bundle.manifest.calibration.apply(logits(bundle.weights, *batch).numpy())


def peak_megabytes(*, anew=False):
    """The process' largest memory since the last call with ``anew``, as Linux counts it."""
    if anew:
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def descriptors_open():
    return len(list(Path("/proc/self/fd").iterdir()))


def outcome_of(load, *arguments):
    """What ``load`` returns, or the typed refusal; any other exception goes through."""
    try:
        return load(*arguments), ""
    except (BundleError, RetryableError) as error:
        message = str(error)
        assert len(message) <= MESSAGE_CHARACTERS_MAX
        assert message.isprintable()
        return None, message


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return save_small_bundle(tmp_path_factory.mktemp("whole") / "url")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_damaged_bundle_is_refused_or_scores(tmp_path, originals, outside, opened, whole):
    own, *others = originals
    folder = tmp_path / "bundle"
    scores_of(whole)
    refused, loaded, seen = Counter(), Counter(), Counter()
    before, descriptors = peak_megabytes(anew=True), descriptors_open()
    names = list(DAMAGE)
    for number in range(CASES):
        name = names[number % len(names)]
        case = f"{name}-{number}"
        place = Place(folder, own, tuple(others), outside)
        DAMAGE[name](random.Random(case), place)
        opened.paths.clear()
        opened.watching = True
        try:
            bundle, refusal = outcome_of(lambda: load_bundle(folder, kind="url"))
            kind, unknown = outcome_of(kind_of_bundle, folder)
        except Exception as error:
            raise AssertionError(f"{case}: {type(error).__name__}: {error}") from error
        finally:
            opened.watching = False
        assert opened.paths <= {str(folder / MANIFEST_NAME), str(folder / WEIGHTS_NAME)}, case
        assert kind or unknown, case
        if bundle is None:
            refused[name] += 1
            seen.update(words for words in REFUSALS if words in refusal)
            assert any(words in refusal for words in REFUSALS), (case, refusal)
        else:
            loaded[name] += 1
            assert kind == "url", case
            assert_sound(case, bundle, whole)
        shutil.rmtree(folder)
    assert peak_megabytes() - before < MEGABYTES_MAX
    assert descriptors_open() == descriptors
    assert not REFUSED_ALWAYS & loaded.keys()
    assert set(seen) == set(REFUSALS)
    assert sum(refused.values()) + sum(loaded.values()) == CASES
    assert {path.name for path in tmp_path.iterdir()} <= {"outside", "secret", "elsewhere"}
    assert Files.of(outside) == own


def assert_sound(case, bundle, whole):
    """A bundle that loaded goes on through what a worker does with it."""
    msgspec.json.encode((bundle.ref, bundle.thresholds, bundle.manifest))
    if bundle.manifest.reference is not None:
        for histogram in bundle.manifest.reference.histograms.values():
            expected = coarsened(histogram).counts
            assert population_stability_index(expected, expected) == 0, case
    scores = scores_of(bundle)
    if np.isnan(scores).any():
        # Finite weights can add up to no number; the worker scores a known text before it serves.
        highest = max(abs(weights).max() for weights in bundle.weights.values())
        assert highest > 1e18, case
    else:
        assert ((scores >= 0) & (scores <= 1)).all(), case
    if all(np.array_equal(bundle.weights[name], whole.weights[name]) for name in whole.weights):
        assert np.isfinite(scores).all(), case


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_a_store_holds_is_refused_or_fetched_whole(tmp_path, originals, outside, caplog):
    own, *others = originals
    caplog.set_level("ERROR")  # Each damaged version is a warning.
    new_key(tmp_path / "key")
    signature, key = sign(own.manifest, tmp_path / "key"), read_public_key(tmp_path / "key.pub")
    store = ModelStore(str(tmp_path / "store"))
    sha256 = hashlib.sha256(own.manifest).hexdigest()
    folder = tmp_path / "store" / "url" / sha256
    folder.parent.mkdir(parents=True)
    target = tmp_path / "target"
    trusted = 0
    for number in range(CASES_OF_THE_STORE):
        name = list(DAMAGE)[number % len(DAMAGE)]
        case = f"store-{name}-{number}"
        rng = random.Random(case)
        place = Place(folder, own, tuple(others), outside)
        (folder / SIGNATURE_NAME).write_bytes(signature)
        DAMAGE[name](rng, place)
        if rng.random() < 0.1:
            (folder / SIGNATURE_NAME).write_bytes(rng.randbytes(rng.choice([0, 63, 64, 65, 5000])))
        target.mkdir()
        try:
            _, refusal = outcome_of(store.fetch, "url", sha256, target)
            outcome_of(store.versions)
            if not refusal:
                bundle, _ = outcome_of(load_bundle, target)
                _, untrusted = outcome_of(
                    check_signature,
                    (target / MANIFEST_NAME).read_bytes(),
                    (target / SIGNATURE_NAME).read_bytes(),
                    key,
                )
                # Of what was damaged only a link to the same bytes is still what was signed.
                trusted += bundle is not None and not untrusted
                assert bundle is None or bundle.sha256 == sha256, case
        except Exception as error:
            raise AssertionError(f"{case}: {type(error).__name__}: {error}") from error
        assert {path.name for path in target.iterdir()} <= {
            MANIFEST_NAME,
            WEIGHTS_NAME,
            SIGNATURE_NAME,
        }, case
        for path in (folder, target):
            shutil.rmtree(path)
    assert 0 < trusted < CASES_OF_THE_STORE / len(DAMAGE)
    assert Files.of(outside) == own
