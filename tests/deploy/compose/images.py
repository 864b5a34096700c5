"""Builds images on this machine instead of pulling them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from commands import Commands
from machine import install

PROJECT = "stream-detector-compose-test"
BASE = f"{PROJECT}/base"

_SUITE = "bookworm"
_PACKAGES = "python3,python3-venv,ca-certificates"
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_PIP_SETTINGS = {"index-url", "extra-index-url", "trusted-host", "timeout"}


def make_base(commands: Commands, work: Path) -> None:
    """Debian with Python, by debootstrap: stands in for the official Python image.

    This machine's CA certificates and its pip settings go in, so that pip finds packages inside a
    build as it does outside. The image is not for use elsewhere.
    """
    install(commands, debootstrap="debootstrap")
    root = work / "root"
    commands.output("debootstrap", "--variant=minbase", f"--include={_PACKAGES}", _SUITE, root)
    for package in root.glob("var/cache/apt/archives/*.deb"):
        package.unlink()
    certificates = Path(os.environ.get("PIP_CERT") or _CERTIFICATES)
    shutil.copyfile(certificates, root / _CERTIFICATES.relative_to("/"))
    (root / "etc" / "pip.conf").write_text(_pip_settings(commands), encoding="utf-8")
    with subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE) as archive:
        assert archive.stdout is not None
        commands.output("docker", "import", "-", BASE, stdin=archive.stdout.fileno())
    shutil.rmtree(root)


def build_images(commands: Commands, folder: Path) -> None:
    """Prometheus, Kafka, and the image of detector and trainer; ``folder`` is the checkout."""
    here = folder / "tests" / "deploy" / "compose"
    _build(commands, "prometheus", here / "prometheus")
    # The jars are outside the build context, so this builds another context.
    jars = folder / ".cache" / "kafka"
    words: list[str | Path] = [
        "tar",
        "--dereference",
        "-c",
        "-C",
        here / "kafka",
        "Dockerfile",
        "run",
    ]
    words += ["-C", jars, "libs"]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as context:
        assert context.stdout is not None
        _build(commands, "kafka", "-", stdin=context.stdout.fileno())
    dockerfile = folder / "deploy" / "detector" / "Dockerfile"
    # A name for the first stage, so that it can be deleted afterwards.
    _build(commands, "build", "--target", "build", "--file", dockerfile, folder)
    _build(commands, "detector", "--file", dockerfile, folder)


def delete_images(commands: Commands) -> None:
    """Delete all images built here."""
    names = [f"{PROJECT}/{name}" for name in ("detector", "build", "kafka", "prometheus", "base")]
    commands.succeeds("docker", "image", "rm", "--force", *names)


def sizes(commands: Commands) -> str:
    """``base 220MB, detector 1.9GB, ...``."""
    shown = commands.output("docker", "images", "--format", "{{.Repository}} {{.Size}}")
    lines = [line.removeprefix(f"{PROJECT}/") for line in shown.splitlines() if PROJECT in line]
    return ", ".join(sorted(lines))


def _build(
    commands: Commands, name: str, *words: str | Path, stdin: int = subprocess.DEVNULL
) -> None:
    argument = f"BASE={BASE}"
    tag = f"{PROJECT}/{name}"
    commands.output("docker", "build", "--tag", tag, "--build-arg", argument, *words, stdin=stdin)


def _pip_settings(commands: Commands) -> str:
    """This machine's, wherever they are set, as a file."""
    listed = commands.output(sys.executable, "-m", "pip", "config", "list")
    found = re.findall(r"^(?::env:|global)\.([a-z-]+)='(.*)'$", listed, re.MULTILINE)
    settings = {name: value for name, value in found if name in _PIP_SETTINGS}
    settings["cert"] = str(_CERTIFICATES)
    return "\n".join(["[global]", *(f"{name} = {value}" for name, value in settings.items()), ""])
