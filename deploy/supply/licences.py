"""Check the licences of all dependencies, from their installed metadata, against an allow list.

``make licences``, or ``python deploy/supply/licences.py`` in an environment with the dependencies:
prints name, version, licence and the package that needs it. Exit code 1 if a licence is not in
licences.toml, a package is not installed, or its version is not the pinned one.
"""

import argparse
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
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
    options = parser.parse_args()
    allow = tomllib.loads(options.allow.read_text(encoding="utf-8"))
    dependencies = sorted(_dependencies(allow))
    widths = [max(len(each[column]) for each in dependencies) for column in range(3)]
    for each in dependencies:
        cells = (cell.ljust(width) for cell, width in zip(each, widths, strict=False))
        sys.stdout.write(f"{'  '.join(cells)}  {each.needed_by}\n")
    faulty = [each for each in dependencies if each.fault]
    for each in faulty:
        sys.stderr.write(f"{each.name} {each.version}: {each.fault}\n")
    return 1 if faulty else 0


def _dependencies(allow: Mapping[str, Any]) -> Iterator[Dependency]:
    """The packages of pyproject.toml and its extras on this platform, and all that they need."""
    project = tomllib.loads((_TOP / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = _pins()
    wanted = [(Requirement(line), "stream-detector") for line in project["dependencies"]] + [
        (Requirement(line), f"stream-detector[{extra}]")
        for extra, lines in project["optional-dependencies"].items()
        for line in lines
    ]
    seen: set[tuple[str, str]] = set()
    shown: set[str] = set()
    while wanted:
        requirement, needed_by = wanted.pop(0)
        name = canonicalize_name(requirement.name)
        extras = ["", *sorted(requirement.extras)]
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            found = distribution(requirement.name)
        except PackageNotFoundError:
            found = None
        if name not in shown:
            shown.add(name)
            yield _described(name, found, needed_by, pins, allow)
        for extra in extras:
            if found is None or (name, extra) in seen:
                continue
            seen.add((name, extra))
            for line in found.requires or ():
                further = Requirement(line)
                if further.marker is None or further.marker.evaluate({"extra": extra}):
                    further.marker = None
                    wanted.append((further, name))


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
    name: str,
    found: Distribution | None,
    needed_by: str,
    pins: Mapping[str, str],
    allow: Mapping[str, Any],
) -> Dependency:
    if name not in pins:
        fault = "is not pinned: make pins adds it to deploy/requirements"
        return Dependency(name, found.version if found else "", "", needed_by, fault)
    if found is None:
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
    parts = [each.strip() for each in re.split(r"([()]|\b(?:AND|OR)\b)", licence) if each.strip()]

    def any_of() -> bool:
        fulfilled = all_of()
        while parts[:1] == ["OR"]:
            parts.pop(0)
            fulfilled |= all_of()
        return fulfilled

    def all_of() -> bool:
        fulfilled = one()
        while parts[:1] == ["AND"]:
            parts.pop(0)
            fulfilled &= one()
        return fulfilled

    def one() -> bool:
        part = parts.pop(0) if parts else ""
        if part != "(":
            return part in allowed
        fulfilled = any_of()
        closed = parts[:1] == [")"]
        del parts[:1]
        return fulfilled and closed

    return any_of() and not parts


if __name__ == "__main__":
    sys.exit(main())
