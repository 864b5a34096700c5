import os
from pathlib import Path

import pytest

from stream_detector.system.atomic_files import atomic_file, write_atomically


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    for content in (b"first", b"second"):
        write_atomically(file, content)
        assert file.read_bytes() == content
    assert names(tmp_path) == ["state.json"]


def test_an_error_keeps_the_old_content_and_removes_the_draft(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    file.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), atomic_file(file) as draft:
        draft.write(b"half")
        raise KeyboardInterrupt
    assert file.read_bytes() == b"old"
    assert names(tmp_path) == ["state.json"]


def test_the_name_appears_only_when_the_content_is_complete(tmp_path: Path) -> None:
    with atomic_file(tmp_path / "labels.parquet") as draft:
        draft.write(b"half")
        (name,) = names(tmp_path)
        assert name.startswith(".labels.parquet-")
        assert name.endswith(".draft")
    assert names(tmp_path) == ["labels.parquet"]


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_the_mode_does_not_depend_on_the_umask(tmp_path: Path, mode: int) -> None:
    before = os.umask(0o077)
    try:
        write_atomically(tmp_path / "file", b"", mode=mode)
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == mode


def test_a_folder_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "missing" / "file", b"")
