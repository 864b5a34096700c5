"""Links, names of files and targets of make in the Markdown files exist."""

import re
from pathlib import Path

import pytest

from support.documented import sections_of
from support.processes import ROOT

TEXTS = sorted(
    path
    for path in (
        *ROOT.glob("*.md"),
        *ROOT.glob("deploy/**/*.md"),
        *ROOT.glob("trainer/*.md"),
        *ROOT.glob("data/**/*.md"),
    )
    if "models" not in path.parts
)
README_LINES_MAX = 160


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_have_a_target(path: Path) -> None:
    text = path.read_text()
    inline = re.findall(r"\]\(([^)\s]+)\)", text)
    for target in [*inline, *re.findall(r"^\[\w+\]: (\S+)$", text, re.M)]:
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        named = path.parent / file if file else path
        assert named.exists(), target
        if anchor:
            assert anchor in _anchors(named.read_text()), target


def _anchors(markdown: str) -> set[str]:
    """The anchors that GitHub derives from headings."""
    headings = re.findall(r"^#+ (.+)$", markdown, re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= README_LINES_MAX


def test_contributing_names_existing_files() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    named = re.findall(r"`((?:stream_detector|trainer|tests|deploy|data)/[\w./-]*)`", text)

    # The diagram of a record's way names modules relative to ``stream_detector``.
    _, _, way = text.partition("## The way of a record")
    way, _, _ = way.partition("\n## ")
    named += [f"stream_detector/{name}" for name in re.findall(r"[\w/]+(?:\.py|/$)", way, re.M)]

    assert len(named) > 50
    # NAME is a placeholder.
    assert [name for name in named if "NAME" not in name and not (ROOT / name).exists()] == []


@pytest.mark.parametrize("package", ["stream_detector", "trainer"])
def test_contributing_has_each_room(package: str) -> None:
    rooms = {path.parent.name for path in (ROOT / package).glob("[a-z]*/__init__.py")}
    _, _, below = (ROOT / "CONTRIBUTING.md").read_text().partition("## Rooms and arrows")
    text, _, _ = below.partition("\n## ")

    assert {room for room in rooms if f"`{room}`" not in text} == set()


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_targets_of_make_are_in_the_makefile(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    text = path.read_text()
    commands = re.findall(r"`make ([a-z-]+)", text)
    commands += re.findall(r"^ {4}make ([a-z-]+)", text, re.M)

    assert {*commands} <= targets


def test_headings_are_unique_within_a_file() -> None:
    for path in TEXTS:
        headings = re.findall(r"^#+ (.+)$", path.read_text(), re.M)
        assert len(headings) == len(set(headings)), path
    assert sections_of("README.md")
