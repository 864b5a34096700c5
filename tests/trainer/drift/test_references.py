"""Which bundle a window of verdicts is held against."""

from stream_detector.models.store import ModelStore
from stream_detector.settings.fields import Settings
from support.bundles import save_small_bundle
from support.compared import RECENT, UNKNOWN, of_statistics, only_model
from support.drifting import ordinary
from trainer.drift.references import References


def test_the_reference_comes_from_the_store_by_sha256(bundle, tmp_path):
    folder, saved = bundle
    settings = Settings(model_store=str(tmp_path))
    records = list(ordinary(50, saved.ref, hours=RECENT))
    missing = only_model(records, references=References([], settings))
    assert missing.reference_rows is None
    assert missing.remarks[0].startswith("No reference: ")

    ModelStore(settings.model_store).put(folder, "url", saved.sha256)
    assert only_model(records, references=References([], settings)).reference_rows == 3000


def test_a_given_bundle_that_did_not_score_is_used_with_a_remark(bundle):
    folder, _ = bundle
    model = only_model(
        ordinary(50, UNKNOWN, hours=RECENT), references=References([folder], Settings())
    )
    assert model.reference_rows == 3000
    assert "small-url 1, not of the model that scored" in model.remarks[0]


def test_a_bundle_without_a_reference_gives_a_remark(tmp_path):
    saved = save_small_bundle(tmp_path / "url")
    model = only_model(
        ordinary(50, saved.ref, hours=RECENT),
        references=References([tmp_path / "url"], Settings()),
    )
    assert "has no reference" in model.remarks[0]
    assert of_statistics(model)["score"].psi_reference is None
