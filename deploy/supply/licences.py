"""Check the licences of all dependencies, from their installed metadata, against an allow list.

``make licences``, or ``python deploy/supply/licences.py`` in an environment with the dependencies:
prints name, version, licence and the package that needs it. Exit code 1 if a licence is not in
licences.toml, a package is not installed, or its version is not the pinned one.
"""

import argparse
import re
import sys
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

_TOP = Path(__file__).resolve().parents[2]


class Dependency(NamedTuple):
    """A package that the project needs, directly or through another."""

    name: str
    version: str
    licence: str
    """An SPDX expression, or the package's own words; empty if it names none."""
    needed_by: str
    fault: str
    """Why it is refused; empty if it is allowed."""


def main() -> int:
    """Print the table; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--allow", type=Path, default=_TOP / "deploy" / "licences.toml", help="the allow list"
    )
    allow = tomllib.loads(parser.parse_args().allow.read_text(encoding="utf-8"))
    pins = _pins()
    dependencies = [_described(*each, pins, allow) for each in sorted(_needed().items())]
    widths = [max(len(each[column]) for each in dependencies) for column in range(3)]
    for each in dependencies:
        cells = (cell.ljust(width) for cell, width in zip(each, widths, strict=False))
        sys.stdout.write(f"{'  '.join(cells)}  {each.needed_by}\n")
    faulty = [each for each in dependencies if each.fault]
    for each in faulty:
        sys.stderr.write(f"{each.name} {each.version}: {each.fault}\n")
    return 1 if faulty else 0


def _needed() -> dict[str, str]:
    """Names of all packages that pyproject.toml and its extras need here, and who needs each."""
    project = tomllib.loads((_TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = {"stream-detector": project["dependencies"]}
    for extra, more in project["optional-dependencies"].items():
        lines[f"stream-detector[{extra}]"] = more
    wanted = [(Requirement(line), "", by) for by, those in lines.items() for line in those]
    needed_by: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    while wanted:
        requirement, of_extra, by = wanted.pop(0)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": of_extra}):
            continue
        name = canonicalize_name(requirement.name)
        needed_by.setdefault(name, by)
        for extra in {"", *requirement.extras}:
            if (name, extra) not in seen:
                seen.add((name, extra))
                with suppress(PackageNotFoundError):  # The table names it as not installed.
                    further = distribution(name).requires or ()
                    wanted += [(Requirement(line), extra, name) for line in further]
    return needed_by


def _pins() -> dict[str, str]:
    """Pinned versions by name, from all files of deploy/requirements."""
    pinned = re.compile(r"^([\w.-]+)==(\S+)", re.MULTILINE)
    files = (_TOP / "deploy" / "requirements").glob("*.txt")
    return {
        canonicalize_name(name): version
        for file in files
        for name, version in pinned.findall(file.read_text(encoding="utf-8"))
    }


def _described(
    name: str, needed_by: str, pins: Mapping[str, str], allow: Mapping[str, Any]
) -> Dependency:
    if name not in pins:
        fault = "is not pinned: make pins adds it to deploy/requirements"
        return Dependency(name, "", "", needed_by, fault)
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return Dependency(name, pins[name], "", needed_by, "is not installed: make sets it up")
    known = allow["packages"].get(name)
    licence = known["licence"] if known else _licence(found, allow["names"])
    fault = ""
    # As PEP 440 writes it: some packages say v1.0.
    version = str(Version(found.version))
    if version != pins[name]:
        fault = f"deploy/requirements has {pins[name]}: make sets it up"
    elif not _is_allowed(licence, {*allow["allowed"], *allow["unusual"]}):
        fault = f"licence {licence or 'unknown'!r} is not in deploy/licences.toml: may it be used?"
    return Dependency(name, version, licence, needed_by, fault)


def _licence(found: Distribution, names: Mapping[str, str]) -> str:
    """The SPDX expression of the metadata, else the classifiers, else the free text."""
    metadata = found.metadata
    if expression := metadata.get("License-Expression"):
        return expression
    classified = [
        line.rpartition(" :: ")[2]
        for line in metadata.get_all("Classifier") or ()
        if line.startswith("License ::") and not line.endswith("DFSG approved")
    ]
    said = classified or (metadata.get("License") or "").strip().splitlines()[:1]
    return " AND ".join(names.get(name, name) for name in said)


def _is_allowed(licence: str, allowed: set[str]) -> bool:
    """Whether the ``allowed`` licences fulfil an SPDX expression; AND binds before OR.

    A licence WITH an exception is one name.
    """

    def fulfilled(plain: str) -> bool:
        alternatives = (each.split(" AND ") for each in plain.split(" OR "))
        return any(all(part.strip() in allowed for part in each) for each in alternatives)

    # The innermost parentheses first; each gives way to a name that has their result.
    while inner := re.search(r"\(([^()]*)\)", licence):
        result = next(iter(allowed)) if fulfilled(inner[1]) else "refused"
        licence = licence.replace(inner[0], result)
    return fulfilled(licence)


if __name__ == "__main__":
    sys.exit(main())
