"""Check the licences of all dependencies, from their installed metadata, against an allow list.

``make licences``, or ``python deploy/supply/licences.py`` in an environment with the dependencies:
prints name, version and licence of each package that deploy/requirements pins for this platform.
Exit code 1 if licences.toml does not allow a licence, a package is not installed, or its version is
not the pinned one.
"""

import argparse
import re
import sys
import tomllib
from collections.abc import Mapping
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

_TOP = Path(__file__).resolve().parents[2]
_FILES = ("common", "runtime", "demo", "test")


def main() -> int:
    """Print the table; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--allow", type=Path, default=_TOP / "deploy" / "licences.toml", help="the allow list"
    )
    allow = tomllib.loads(parser.parse_args().allow.read_text(encoding="utf-8"))
    faults = []
    for name, pinned in sorted(_pins().items()):
        try:
            found = distribution(name)
        except PackageNotFoundError:
            faults.append(f"{name} {pinned}: is not installed: make sets it up")
            continue
        known = allow["packages"].get(name)
        licence = known["licence"] if known else _licence(found, allow["names"])
        # As PEP 440 writes it: some packages say v1.0.
        version = str(Version(found.version))
        sys.stdout.write(f"{name:<32}  {version:<14}  {licence}\n")
        if version != pinned:
            faults.append(f"{name} {version}: deploy/requirements has {pinned}: make sets it up")
        elif not _is_allowed(licence, {*allow["allowed"], *allow["unusual"]}):
            what = f"licence {licence or 'unknown'!r} is not in deploy/licences.toml"
            faults.append(f"{name} {version}: {what}: may it be used?")
    sys.stderr.writelines(f"{fault}\n" for fault in faults)
    return 1 if faults else 0


def _pins() -> dict[str, str]:
    """The pinned versions of all packages that the project and its extras need on this platform."""
    pins = {}
    for file in _FILES:
        text = (_TOP / "deploy" / "requirements" / f"{file}.txt").read_text(encoding="utf-8")
        for line in re.findall(r"^\w.*==.*(?= \\$)", text, re.MULTILINE):
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate():
                [version] = requirement.specifier
                pins[canonicalize_name(requirement.name)] = version.version
    return pins


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
