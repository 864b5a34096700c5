"""The records of a storm: log lines of every format, several in a record, and poison."""

import random
import sys
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from types import ModuleType

from support.accounting import mixed_records, poison_records
from support.processes import ROOT

__all__ = ["mixture"]

_ENDLESS = 10**9
_LINES = 500
"""Lines that a format's generator makes before it starts over, with its header if it has one."""

_POISON_SHARE = 0.01
_SEVERAL_LINES_SHARE = 0.06
_FAULTY_LINE_SHARE = 0.01
"""Records whose good lines become verdicts, and whose faulty line makes them a dead letter too."""
_NUMBERED_SHARE = 0.5
"""Records on names that no other record has; the others repeat what real logs repeat."""
_HUGE_SHARE = 1 / 30_000
_HUGE_BYTES = 1_048_400
"""As large as the input topic takes: with its headers, a dead letter is too large for its topic."""


def mixture(seed: int) -> Iterator[bytes | None]:
    """Values of records without end; the same ``seed`` gives the same values."""
    rng = random.Random(seed)
    lines = _log_lines(seed)
    numbered = (sent.value for sent in mixed_records(_ENDLESS, seed=seed))
    poison = (sent.value for sent in poison_records(_ENDLESS))
    while True:
        if rng.random() < _HUGE_SHARE:
            yield b"h" * _HUGE_BYTES
            continue
        if rng.random() < _POISON_SHARE:
            yield next(poison)
            continue
        if rng.random() < _NUMBERED_SHARE:
            yield next(numbered)
            continue
        log = rng.choice(lines)
        count = rng.randint(2, 20) if rng.random() < _SEVERAL_LINES_SHARE else 1
        record = [next(log) for _ in range(count)]
        if rng.random() < _FAULTY_LINE_SHARE:
            record.insert(rng.randint(0, count), b"what is this line")
        yield b"\n".join(record)


def _log_lines(seed: int) -> list[Iterator[bytes]]:
    """Endless lines of each format of the samples."""
    generator = _samples().Generator(seed)
    return [
        _again_and_again(write)
        for write in (
            generator.zeek_http,
            generator.zeek_dns,
            generator.squid,
            generator.dnsmasq,
            generator.suricata,
            generator.plain,
        )
    ]


def _again_and_again(write: Callable[[int], Iterator[str]]) -> Iterator[bytes]:
    while True:
        for line in write(_LINES):
            yield line.encode()


def _samples() -> ModuleType:
    """``data/samples/generate.py``, which is in no package."""
    name = "sample_logs"
    spec = spec_from_file_location(name, ROOT / "data" / "samples" / "generate.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules[name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
