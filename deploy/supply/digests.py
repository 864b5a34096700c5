"""Pin third-party images by digest, in the Dockerfile and in docker-compose.yml.

``make digests`` needs access to the images' registry, and Docker with its plug-in buildx. It asks
for the digest of each tag and writes ``name:tag@sha256:...`` in place; run it again after a tag
changes. It writes nothing unless every registry answers.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

_TOP = Path(__file__).resolve().parents[2]
_REFERENCES = {
    Path("deploy/detector/Dockerfile"): re.compile(r"^(ARG BASE=)(\S+)$", re.MULTILINE),
    # Without the image that this project builds.
    Path("docker-compose.yml"): re.compile(r"^( +image: )((?!stream-detector:)\S+)$", re.MULTILINE),
}
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def main() -> None:
    """Write the digests, or exit with the reason."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--top", type=Path, default=_TOP, help="the checkout  [default: this one]")
    top: Path = parser.parse_args().top
    texts = {top / name: (top / name).read_text(encoding="utf-8") for name in _REFERENCES}
    pinned = {
        file: pattern.sub(lambda found: found[1] + _with_digest(found[2]), text)
        for (file, text), pattern in zip(texts.items(), _REFERENCES.values(), strict=True)
    }
    for file, text in pinned.items():
        file.write_text(text, encoding="utf-8")


def _with_digest(image: str) -> str:
    """``image`` with its tag's present digest."""
    name = image.partition("@")[0]
    command = ["docker", "buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}"]
    try:
        done = subprocess.run([*command, name], capture_output=True, text=True, check=False)  # noqa: S603
    except FileNotFoundError:
        sys.exit("docker is not in PATH: install Docker with its plug-in buildx")
    digest = done.stdout.strip()
    if done.returncode != 0 or not _DIGEST.fullmatch(digest):
        why = " ".join((done.stderr or done.stdout).split())
        sys.exit(f"{name}: its registry gave no digest, nothing is changed: {why}")
    sys.stdout.write(f"{name}@{digest}\n")
    return f"{name}@{digest}"


if __name__ == "__main__":
    main()
