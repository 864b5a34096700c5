"""Dependencies are pinned and of licences that were looked at; the tools for it are pinned too."""

import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from support.processes import ROOT

DEPLOY = ROOT / "deploy"
ALLOW = DEPLOY / "licences.toml"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ASKED_FOR = [
    Requirement(line)
    for lines in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for line in lines
]


def pins(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in (x.split("==") for x in lines)}


def licences(*arguments: str) -> subprocess.CompletedProcess[str]:
    script = DEPLOY / "supply" / "licences.py"
    return subprocess.run(
        [sys.executable, str(script), *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("requirement", ASKED_FOR, ids=str)
def test_what_is_asked_for_is_pinned_within_its_range(requirement: Requirement) -> None:
    version = pins(DEPLOY / "constraints.txt")[canonicalize_name(requirement.name)]
    assert requirement.specifier.contains(version)


def test_every_dependency_is_pinned_and_has_a_licence_that_is_allowed() -> None:
    done = licences()
    assert (done.stderr, done.returncode) == ("", 0)
    rows = [line.split() for line in done.stdout.splitlines()]
    shown = {name: version for name, version, *_ in rows}
    pinned = pins(DEPLOY / "constraints.txt")
    assert {canonicalize_name(requirement.name) for requirement in ASKED_FOR} <= set(shown)
    # What others need is found as well: keras is TensorFlow's, and namex keras'.
    assert {"keras", "namex"} <= set(shown)
    assert shown.items() <= pinned.items()


@pytest.mark.parametrize(
    ("licence", "is_allowed"),
    [
        ("MIT", True),
        ("MIT AND Apache-2.0", True),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only OR MIT AND Apache-2.0", True),
        ("(GPL-3.0-only OR MIT) AND (Apache-2.0)", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0 OR MIT", True),
        ("", False),
        ("GPL-3.0-only", False),
        ("GPL-3.0-only AND MIT", False),
        ("GPL-3.0-only AND (MIT OR Apache-2.0)", False),
        ("(MIT OR GPL-3.0-only) AND GPL-3.0-only", False),
        ("MIT WITH Classpath-exception-2.0", False),
        ("(MIT", False),
        ("MIT)", False),
        ("MIT AND", False),
    ],
)
def test_expressions_of_licences_are_read_as_spdx_has_them(licence: str, is_allowed: bool) -> None:
    module = runpy.run_path(str(DEPLOY / "supply" / "licences.py"))
    assert module["_is_allowed"](licence, {"MIT", "Apache-2.0"}) is is_allowed


def test_a_licence_that_is_not_on_the_list_is_told_with_its_package(tmp_path: Path) -> None:
    shorter = tmp_path / "licences.toml"
    lines = ALLOW.read_text().splitlines()
    shorter.write_text("\n".join(line for line in lines if not line.startswith('"MPL-2.0"')))
    done = licences("--allow", str(shorter))
    assert done.returncode == 1
    assert "hypothesis" in done.stderr
    assert "'MPL-2.0' is not in deploy/licences.toml" in done.stderr


def test_nothing_is_allowed_that_nobody_has_or_without_a_reason() -> None:
    allow = tomllib.loads(ALLOW.read_text())
    table = licences().stdout
    for licence, reason in allow["unusual"].items():
        assert licence in table
        assert len(reason) > 20
    for name, package in allow["packages"].items():
        assert name in table
        assert package["reason"]


def test_the_tools_are_pinned_with_all_they_need() -> None:
    tools = pins(DEPLOY / "supply" / "requirements.txt")
    assert {"cyclonedx-bom", "pip-audit"} <= set(tools)
    # What the project has too is of the same version: it is looked at once.
    pinned = pins(DEPLOY / "constraints.txt")
    assert {name: tools[name] for name in tools.keys() & pinned.keys()} == {
        name: pinned[name] for name in tools.keys() & pinned.keys()
    }
