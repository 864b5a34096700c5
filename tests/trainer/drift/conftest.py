"""A bundle that knows what its traffic looks like."""

import msgspec
import pytest

from stream_detector.models.bundle import save_bundle
from stream_detector.models.reference import reference_of
from support.bundles import ARCHITECTURE, small_manifest
from support.compared import RECENT, UNKNOWN
from support.drifting import ordinary
from trainer.drift.verdicts import Verdicts


def scores_and_texts(count):
    """As ``ordinary`` has them, so that a reference of them is that network's own."""
    verdicts = Verdicts()
    verdicts.add(value for _, value in ordinary(count, UNKNOWN, hours=RECENT, seed=7))
    (rows,) = verdicts.models().values()
    values = [msgspec.json.decode(v) for _, v in ordinary(count, UNKNOWN, hours=RECENT, seed=7)]
    return rows["score"], [value["canonical"] for value in values]


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    """A bundle whose reference is of ordinary texts."""
    folder = tmp_path_factory.mktemp("bundle") / "url"
    scores, texts = scores_and_texts(3000)
    manifest = msgspec.structs.replace(
        small_manifest("url"), reference=reference_of("url", texts, scores)
    )
    return folder, save_bundle(folder, manifest, ARCHITECTURE.initial_weights(0))
