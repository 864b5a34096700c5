import pytest

from stream_detector.demo.samples import sample_lines
from stream_detector.errors import SettingsError


def test_lines_of_all_logs_are_mixed_evenly_and_keep_their_order(tmp_path):
    (tmp_path / "a.log").write_bytes(b"#fields\na1\na2\na3\na4\n#close\n")
    (tmp_path / "b.json").write_bytes(b"b1\nb2\n")
    (tmp_path / "README.md").write_bytes(b"not a log\n")
    assert sample_lines(tmp_path) == [b"a1", b"b1", b"a2", b"a3", b"b2", b"a4"]


def test_a_folder_without_samples_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="no sample logs"):
        sample_lines(tmp_path)
