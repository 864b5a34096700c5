"""Write the files of deploy/requirements: every package at one version, with its hashes.

Run ``make pins`` after a change of pyproject.toml; it keeps versions that still fit.
``make pins ARGS=--upgrade`` takes the newest versions, ``ARGS='--upgrade-package numpy'`` one.
The files hold the hashes of all wheels and source archives of a version, so that one file serves
every platform and Python 3.11 to 3.13. uv asks the package index of the user's configuration.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path

_TOP = Path(__file__).resolve().parents[2]
_FOLDER = _TOP / "deploy" / "requirements"
_TOOLS = ["cyclonedx-bom", "pip-audit", "uv"]
"""The tools of `make sbom`, `make audit` and `make pins`, in their own environment."""
_EDITABLE = ["editables"]
"""hatchling needs it to build an editable package."""
_HEAD = """\
# Made by `make pins` from pyproject.toml: {what}.
# Install with pip install --require-hashes, which refuses every file that is not listed here.
"""
_CONTENTS = {
    "common": "what runtime.txt, image.txt and image-gpu.txt share",
    "runtime": "what stream-detector and stream-trainer run on",
    "image": "the same for the container image, with TensorFlow for CPUs only",
    "image-gpu": "the same for the container image on NVIDIA GPUs",
    "demo": "the demo extra",
    "test": "the test extra",
    "build": "what builds the package itself",
    "tools": f"the tools of the Makefile ({', '.join(_TOOLS)})",
}
_INCLUDED = {
    "runtime": "common",
    "image": "common",
    "image-gpu": "common",
    "demo": "runtime",
    "test": "demo",
}
"""The file that each file includes, so that few files repeat a package."""


def main(arguments: list[str]) -> None:
    """Resolve all sets and write their files; ``arguments`` go to uv.

    Raises:
        subprocess.CalledProcessError: uv found no versions that fit, and printed why.
    """
    wanted = _wanted()
    with tempfile.TemporaryDirectory() as folder:
        # One resolution of everything first: a package has the same version in every file.
        # It starts from the files as they are, so that uv keeps versions that still fit.
        everything = Path(folder) / "everything.txt"
        texts = (file.read_text(encoding="utf-8") for file in sorted(_FOLDER.glob("*.txt")))
        everything.write_text(re.sub(r"^-r .*\n", "", "".join(texts), flags=re.MULTILINE))
        lines = [line for each in wanted.values() for line in each]
        _compile(lines, everything, *arguments)
        pins = {
            name: _compile(each, Path(folder) / name, "--constraint", str(everything))
            for name, each in wanted.items()
        }
    images = [pins[name] for name in ("runtime", "image", "image-gpu")]
    pins["common"] = {
        name: lines
        for name, lines in images[0].items()
        if all(each.get(name) == lines for each in images)
    }
    _FOLDER.mkdir(exist_ok=True)
    for name, what in _CONTENTS.items():
        _write(name, what, pins)


def _wanted() -> dict[str, list[str]]:
    """The requirements of each set, from pyproject.toml."""
    content = tomllib.loads((_TOP / "pyproject.toml").read_text(encoding="utf-8"))
    runtime = content["project"]["dependencies"]
    extras = content["project"]["optional-dependencies"]

    def with_tensorflow(spelt: str) -> list[str]:
        return [re.sub("^tensorflow", spelt, line) for line in runtime]

    return {
        "runtime": runtime,
        "image": with_tensorflow("tensorflow-cpu"),
        "image-gpu": with_tensorflow("tensorflow[and-cuda]"),
        "demo": [*runtime, *extras["demo"]],
        "test": [*runtime, *extras["demo"], *extras["test"]],
        "build": [*content["build-system"]["requires"], *_EDITABLE],
        "tools": _TOOLS,
    }


def _compile(lines: list[str], output: Path, *options: str) -> dict[str, str]:
    """Resolve ``lines``, keeping versions of ``output`` that fit; each package's lines by name."""
    command = [
        *("uv", "pip", "compile", "-", "--quiet", "--universal", "--python-version", "3.11"),
        # One version of a package for all versions of Python.
        *("--fork-strategy", "fewest", "--generate-hashes", "--no-header", "--no-annotate"),
        *("--output-file", str(output), *options),
    ]
    subprocess.run(command, input="\n".join(lines).encode(), stdout=subprocess.DEVNULL, check=True)  # noqa: S603
    pins: dict[str, str] = {}
    name = ""
    for line in output.read_text(encoding="utf-8").splitlines(keepends=True):
        if not line.startswith(" "):
            name = line.partition("==")[0]
            pins[name] = ""
        pins[name] += line
    return pins


def _write(name: str, what: str, pins: Mapping[str, Mapping[str, str]]) -> None:
    text = _HEAD.format(what=what)
    included = _INCLUDED.get(name)
    there: set[str] = set()
    if included is not None:
        text += f"-r {included}.txt\n"
    while included is not None:
        there |= pins[included].keys()
        included = _INCLUDED.get(included)
    text += "".join(lines for package, lines in pins[name].items() if package not in there)
    (_FOLDER / f"{name}.txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
