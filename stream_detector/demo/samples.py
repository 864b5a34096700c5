"""The sample logs, and rounds of them without an end."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from stream_detector.errors import SettingsError

_SUFFIXES = {".log", ".json", ".txt"}

# The clients of the samples; each round of the replay comes from another office.
_OFFICE = b"10.20."
_OFFICES = range(20, 220)


def sample_lines(folder: Path) -> list[bytes]:
    """The lines of all sample logs in ``folder``, evenly mixed, each log in its own order.

    Without Zeek's header lines, which log shippers leave out (Filebeat's
    ``exclude_lines: ['^#']``).

    Raises ``SettingsError`` if there are none.
    """
    placed: list[tuple[float, str, bytes]] = []
    for path in sorted(folder.glob("*")):
        if path.suffix in _SUFFIXES:
            lines = [line for line in path.read_bytes().splitlines() if line[:1] != b"#"]
            placed += [(n / len(lines), path.name, line) for n, line in enumerate(lines)]
    if not placed:
        raise SettingsError(f"there are no sample logs in {folder}")
    placed.sort(key=lambda entry: entry[:2])
    return [line for _, _, line in placed]


def rounds_of(lines: Sequence[bytes]) -> Iterator[tuple[int, bytes]]:
    """Index and value of each of ``lines``, over and over, each round from another office."""
    for office in itertools.cycle(_OFFICES):
        clients = b"10.%d." % office
        for number, line in enumerate(lines):
            yield number, line.replace(_OFFICE, clients)
