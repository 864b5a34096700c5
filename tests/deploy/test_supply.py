"""Dependencies are pinned and of licences that were looked at; the tools for it are pinned too."""

import hashlib
import os
import re
import runpy
import subprocess
import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from support.processes import ROOT

DEPLOY = ROOT / "deploy"
ALLOW = DEPLOY / "licences.toml"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
RUNTIME, EXTRAS = PROJECT["dependencies"], PROJECT["optional-dependencies"]
WANTED = {
    name: [Requirement(line) for line in lines]
    for name, lines in {
        "runtime": RUNTIME,
        "demo": [*RUNTIME, *EXTRAS["demo"]],
        "test": [*RUNTIME, *EXTRAS["demo"], *EXTRAS["test"]],
        "build": PYPROJECT["build-system"]["requires"],
    }.items()
}
ASKED_FOR = WANTED["test"]
FILES = sorted((DEPLOY / "requirements").glob("*.txt"))
PINNED = re.compile(r"^([\w.-]+)==(\S+)", re.MULTILINE)


def pins(name: str) -> dict[str, str]:
    """Versions by name, of a file of deploy/requirements and those that it includes."""
    text = (DEPLOY / "requirements" / f"{name}.txt").read_text()
    found = {canonicalize_name(name): version for name, version in PINNED.findall(text)}
    for included in re.findall(r"^-r (\w+)\.txt$", text, re.MULTILINE):
        found |= pins(included)
    return found


def licences(*arguments: str) -> subprocess.CompletedProcess[str]:
    script = DEPLOY / "supply" / "licences.py"
    return subprocess.run(
        [sys.executable, str(script), *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", ["runtime", "demo", "test", "build"])
def test_every_requirement_is_pinned_within_its_range(name: str) -> None:
    pinned = pins(name)
    assert WANTED[name]
    for requirement in WANTED[name]:
        version = pinned[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), requirement


def needed_by(requirements: list[Requirement], there: set[str]) -> set[str]:
    """The names of ``requirements`` and of all that they need, by the metadata of what is here."""
    for requirement in requirements:
        name = canonicalize_name(requirement.name)
        if name not in there and (requirement.marker is None or requirement.marker.evaluate()):
            there.add(name)
            further = [Requirement(line) for line in distribution(name).requires or ()]
            extras = ["", *requirement.extras]
            needed = [
                Requirement(str(each).partition(";")[0])
                for each in further
                if each.marker is None or any(each.marker.evaluate({"extra": x}) for x in extras)
            ]
            needed_by(needed, there)
    return there


@pytest.mark.parametrize("name", ["runtime", "demo"])
def test_each_file_has_all_its_packages_and_no_others(name: str) -> None:
    needed = needed_by(WANTED[name], set())
    pinned = pins(name).keys()
    assert needed <= pinned
    assert {"keras", "namex"} <= needed
    assert not {"pytest", "ruff", "hatchling"} & pinned
    assert ("confluent-kafka" in pinned) is (name == "demo")


@pytest.mark.parametrize("name", ["image", "image-gpu"])
def test_the_images_differ_from_the_runtime_only_in_tensorflow(name: str) -> None:
    runtime = pins("runtime")
    tensorflow = {key for key in pins(name) if key.startswith(("tensorflow", "nvidia-"))}
    assert {key: pins(name)[key] for key in pins(name).keys() - tensorflow} == {
        key: version for key, version in runtime.items() if key != "tensorflow"
    }
    assert (
        pins(name)["tensorflow-cpu" if name == "image" else "tensorflow"] == runtime["tensorflow"]
    )


def test_every_package_has_its_hashes_and_no_file_names_a_registry() -> None:
    for file in FILES:
        text = file.read_text()
        for package in re.split(r"^(?=\w)", text, flags=re.MULTILINE)[1:]:
            assert re.search(r"--hash=sha256:[0-9a-f]{64}$", package, re.MULTILINE), package
        assert "://" not in text


def test_nothing_is_installed_without_hashes_but_the_project_itself() -> None:
    for name in ("Makefile", "deploy/detector/Dockerfile", "README.md"):
        text = (ROOT / name).read_text().replace("\\\n", " ")
        commands = re.findall(r".*(?:\bpip\b.* install\b|\$\(PIP_INSTALL\) ).*", text)
        # Not those that a comment quotes.
        commands = [each for each in commands if "`" not in each and ":=" not in each]
        assert commands
        for command in commands:
            assert "--require-hashes" in command or "--no-deps" in command, command


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package index of one small package, as a folder."""
    source = tmp_path_factory.mktemp("small")
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
        '[project]\nname = "small-package"\nversion = "1.0"\n'
    )
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"),
            *("--no-build-isolation", "--wheel-dir", str(source / "wheels"), str(source)),
        ],
        check=True,
    )
    return source / "wheels"


@pytest.mark.slow
def test_make_installs_a_package_by_its_hash_and_refuses_another_file(
    wheels: Path, tmp_path: Path
) -> None:
    [wheel] = wheels.iterdir()
    right = hashlib.sha256(wheel.read_bytes()).hexdigest()
    environment = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
    environment |= {"PIP_NO_CACHE_DIR": "1", "PIP_CONFIG_FILE": os.devnull}
    venv = tmp_path / "venv"

    def make(digest: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "build.txt").write_text("")
        (tmp_path / "demo.txt").write_text(f"small-package==1.0 --hash=sha256:{digest}\n")
        return subprocess.run(
            [
                *("make", "--directory", str(ROOT), f"PYTHON={sys.executable}"),
                *(f"VENV={venv}", f"REQUIREMENTS={tmp_path}", f"{venv}/.demo"),
            ],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def installed() -> bool:
        return any(venv.glob("lib/*/site-packages/small_package-1.0.dist-info"))

    refused = make("0" * 64)
    assert refused.returncode != 0
    assert "DO NOT MATCH THE HASHES" in refused.stderr
    assert not installed()
    # The project itself then lacks what builds it.
    assert "hatchling" in make(right).stderr
    assert installed()


def test_every_dependency_is_pinned_with_an_allowed_licence() -> None:
    done = licences()
    assert (done.stderr, done.returncode) == ("", 0)
    rows = [line.split() for line in done.stdout.splitlines()]
    shown = {name: version for name, version, *_ in rows}
    pinned = pins("test")
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
def test_licence_expressions_follow_spdx(licence: str, is_allowed: bool) -> None:
    module = runpy.run_path(str(DEPLOY / "supply" / "licences.py"))
    assert module["_is_allowed"](licence, {"MIT", "Apache-2.0"}) is is_allowed


def test_a_licence_that_is_not_allowed_is_named_with_its_package(tmp_path: Path) -> None:
    shorter = tmp_path / "licences.toml"
    lines = ALLOW.read_text().splitlines()
    shorter.write_text("\n".join(line for line in lines if not line.startswith('"MPL-2.0"')))
    done = licences("--allow", str(shorter))
    assert done.returncode == 1
    assert "hypothesis" in done.stderr
    assert "'MPL-2.0' is not in deploy/licences.toml" in done.stderr


def test_the_allow_list_has_reasons_and_nothing_unused() -> None:
    allow = tomllib.loads(ALLOW.read_text())
    table = licences().stdout
    for licence, reason in allow["unusual"].items():
        assert licence in table
        assert len(reason) > 20
    for name, package in allow["packages"].items():
        assert name in table
        assert package["reason"]


def test_the_tools_and_their_dependencies_are_pinned() -> None:
    tools = pins("tools")
    assert {"cyclonedx-bom", "pip-audit", "uv"} <= set(tools)
    # What the project has too is of the same version: it is looked at once.
    pinned = pins("test")
    assert {name: tools[name] for name in tools.keys() & pinned.keys()} == {
        name: pinned[name] for name in tools.keys() & pinned.keys()
    }


DIGEST = f"sha256:{'5' * 64}"


@pytest.mark.parametrize("answer", [DIGEST, "no such host"])
def test_all_digests_are_written_or_none(answer: str, tmp_path: Path) -> None:
    """No registry can be asked here: a program called docker gives its answer."""
    names = ("docker-compose.yml", "deploy/detector/Dockerfile")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text())
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    # The last image is the one that its registry does not answer for.
    docker.write_text(
        '#!/bin/sh\ncase "$*" in "buildx imagetools inspect "*grafana*) '
        f'echo "{answer}";; *) echo "{DIGEST}";; esac\n'
    )
    docker.chmod(0o755)

    done = subprocess.run(
        [sys.executable, str(DEPLOY / "supply" / "digests.py"), "--top", str(tmp_path)],
        env={**os.environ, "PATH": f"{docker.parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )

    texts = [(tmp_path / name).read_text() for name in names]
    if answer == DIGEST:
        assert (done.returncode, done.stderr) == (0, "")
        assert [text.count(f"@{DIGEST}") for text in texts] == [3, 1]
        assert f"ARG BASE=python:3.11.14-slim-bookworm@{DIGEST}\n" in texts[1]
        assert "image: stream-detector:local\n" in texts[0]
    else:
        assert done.returncode == 1
        assert done.stderr.startswith("grafana/grafana:")
        assert "no such host" in done.stderr
        assert texts == [(ROOT / name).read_text() for name in names]
