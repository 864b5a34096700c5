"""The environment in which examples run, and the broker that they share."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stream_detector.models.signing import new_key
from support.example_files import write_files
from support.example_shell import Shell
from support.example_world import USER, World
from support.secured_broker import SecuredBroker


@pytest.fixture(scope="session")
def example_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that examples read; each example gets a copy."""
    folder = tmp_path_factory.mktemp("examples")
    write_files(folder)
    return folder


PROGRAMS = ("jq", "openssl")
"""Programs that examples use and that a system may lack."""

RunLines = Callable[..., None]


@pytest.fixture
def run_lines(
    secured_kafka: SecuredBroker, example_files: Path, tmp_path: Path
) -> Iterator[RunLines]:
    """``run_lines(blocks, state=...)`` runs blocks of lines, each in its own terminal."""
    shells: list[Shell] = []

    def run_lines(blocks: list[list[str]], *, state: str) -> None:
        text = "\n".join(line for block in blocks for line in block)
        for program in PROGRAMS:
            if program in text and shutil.which(program) is None:
                pytest.skip(f"{program} is not installed, which an example uses")
        prefix = f"{tmp_path.name}."
        world = World(secured_kafka, tmp_path / "home", example_files, prefix=prefix, state=state)
        if USER in text:
            world.let_in()
        for key in ("models.key", "kim.key"):
            if key in text and "new-key" not in text:
                new_key(world.folder / key)
        for block in blocks:
            shell = Shell(world)
            shells.append(shell)
            for line in block:
                shell.run(line)
            shell.stop()

    yield run_lines
    for shell in shells:
        shell.close()
