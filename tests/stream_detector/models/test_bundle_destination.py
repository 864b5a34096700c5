"""Where a bundle may be saved: nothing is replaced but a bundle or an empty folder."""

from pathlib import Path

import pytest

from stream_detector.errors import BundleError
from stream_detector.models.bundle import check_destination, load_bundle
from support.bundles import save_small_bundle


def test_a_folder_of_something_else_is_left_as_it_is(tmp_path):
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "chapter.tex").write_text("years of work")
    with pytest.raises(BundleError, match=r"thesis holds 'chapter\.tex'.* would be lost"):
        save_small_bundle(folder)
    assert (folder / "chapter.tex").read_text() == "years of work"
    assert [path.name for path in tmp_path.iterdir()] == ["thesis"]


def test_a_bundle_with_notes_in_its_folder_is_left_as_it_is(tmp_path):
    before = save_small_bundle(tmp_path / "url")
    (tmp_path / "url" / "notes.txt").write_text("why")
    with pytest.raises(BundleError, match=r"holds 'notes\.txt'"):
        save_small_bundle(tmp_path / "url", seed=1)
    assert load_bundle(tmp_path / "url").sha256 == before.sha256


def test_a_file_is_no_folder_for_a_bundle(tmp_path):
    (tmp_path / "file").write_text("kept")
    for path in (tmp_path / "file", tmp_path / "file" / "url"):
        with pytest.raises(BundleError, match="cannot be a bundle's folder: Not a directory"):
            save_small_bundle(path)
    assert (tmp_path / "file").read_text() == "kept"


def test_a_folder_that_can_not_be_written_is_reported_before_the_training():
    with pytest.raises(BundleError, match=r"^/proc cannot be written to: "):
        check_destination(Path("/proc/models/url"))  # Not even by root.


def test_an_empty_folder_takes_a_bundle(tmp_path):
    (tmp_path / "url").mkdir()
    check_destination(tmp_path / "url")
    saved = save_small_bundle(tmp_path / "url")
    assert load_bundle(tmp_path / "url").sha256 == saved.sha256


def test_a_damaged_bundle_may_be_replaced(tmp_path):
    save_small_bundle(tmp_path / "url")
    (tmp_path / "url" / "weights.safetensors").unlink()
    saved = save_small_bundle(tmp_path / "url")
    assert load_bundle(tmp_path / "url").sha256 == saved.sha256


def test_of_a_link_the_bundle_behind_it_is_replaced(tmp_path):
    save_small_bundle(tmp_path / "disk" / "url")
    (tmp_path / "url").symlink_to(tmp_path / "disk" / "url")
    saved = save_small_bundle(tmp_path / "url", seed=1)
    assert (tmp_path / "url").is_symlink()
    assert load_bundle(tmp_path / "disk" / "url").sha256 == saved.sha256
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "disk",
        "manifest.json",
        "url",
        "url",
        "weights.safetensors",
    ]


def test_folders_above_are_made_and_the_current_one_has_a_name(tmp_path, monkeypatch):
    assert save_small_bundle(tmp_path / "a" / "b" / "url").sha256
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    saved = save_small_bundle(Path())
    assert load_bundle(tmp_path / "here").sha256 == saved.sha256


def test_a_bundle_is_replaced_and_nothing_is_left_next_to_it(tmp_path):
    first = save_small_bundle(tmp_path / "url")
    second = save_small_bundle(tmp_path / "url", seed=1)
    assert first.sha256 != second.sha256 == load_bundle(tmp_path / "url").sha256
    assert [path.name for path in tmp_path.iterdir()] == ["url"]
