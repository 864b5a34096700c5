"""A skipped test proves nothing: in CI it fails, elsewhere it is shown."""

import os
import shutil
import subprocess
import sys

import pytest

from support.processes import ROOT

TESTS = """
import pytest

def test_skipped():
    pytest.skip("no reason")

@pytest.mark.xfail(strict=True)
def test_expected_to_fail():
    assert False
"""


@pytest.mark.parametrize(("ci", "summary"), [("true", "1 failed"), ("", "1 skipped")])
def test_a_skip_fails_in_ci_alone(tmp_path, ci, summary):
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_it.py").write_text(TESTS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "CI": ci, "PYTHONPATH": str(ROOT / "tests") + os.pathsep + str(ROOT)},
    )
    last = done.stdout.splitlines()[-1]
    assert last.startswith(f"{summary}, 1 xfailed"), done.stdout
