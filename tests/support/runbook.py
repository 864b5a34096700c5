"""deploy/runbook.md as a reader types it: commands, the lines they should print, its variables.

In an indented block a line that begins with ``$`` is a command; the lines below it are expected of
it, in which ``...`` stands for anything. ``(nothing: ...)`` says that it prints nothing. The block
that assigns variables has no ``$``.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from support.documented import by_heading, indented_blocks
from support.processes import ROOT

__all__ = ["COMMANDS", "MENTIONED", "RUNBOOK", "VARIABLES", "Command", "missing_line"]

RUNBOOK = (ROOT / "deploy" / "runbook.md").read_text()
_NOTHING = "(nothing"
_PROGRAM = re.compile(r"(stream-(detector|trainer)|kafka-[\w-]+\.sh|docker|kubectl|openssl|curl) ")


class Command(NamedTuple):
    """A command, with what it should print."""

    section: str
    line: str
    expected: Sequence[str]


def _commands() -> Iterator[Command]:
    for section, lines in by_heading(RUNBOOK.splitlines()):
        for block in indented_blocks(lines):
            if not block[0].startswith("$ "):
                continue
            text = re.sub(r"\\\n\s*", "", "\n".join(block))
            for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
                line, *expected = part.strip().splitlines()
                while line.count("'") % 2:  # What is quoted goes on in the next line.
                    line = f"{line} {expected.pop(0).strip()}"
                yield Command(section, line, [each.strip() for each in expected if each.strip()])


def _variables() -> Sequence[str]:
    [block] = [
        block
        for _, lines in by_heading(RUNBOOK.splitlines())
        for block in indented_blocks(lines)
        if re.match(r"\w+=", block[0])
    ]
    return [line.partition(" #")[0].rstrip() for line in block]


COMMANDS = list(_commands())
VARIABLES = _variables()
"""The assignments at the top, as they stand there."""
MENTIONED = [
    " ".join(text.split())
    for text in re.findall(r"`([^`]+)`", re.sub(r"^    .*$", "", RUNBOOK, flags=re.M))
    if _PROGRAM.match(" ".join(text.split()))
]
"""Commands that stand in a sentence or in a table."""


def missing_line(command: Command, output: str) -> str:
    """The first expected line that ``output`` lacks; empty if it has them all, in their order."""
    lines = [" ".join(line.split()) for line in output.splitlines() if line.strip()]
    for expected in command.expected:
        if expected.startswith(_NOTHING):
            return expected if lines else ""
        parts = re.split(r"\s*\.\.\.\s*", " ".join(expected.split()))
        pattern = re.compile(".*".join(map(re.escape, parts)))
        while lines and not pattern.fullmatch(lines[0]):
            lines.pop(0)
        if not lines:
            return expected
        lines.pop(0)
    return ""
