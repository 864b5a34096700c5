"""Run an attack from the command line: ``make attack ARGS="--records 100000"``."""

import argparse
import logging
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from attack.kinds import KINDS, Batch, Kind, mixed_batches
from attack.result import bounds, kinds_table
from attack.session import running
from storm.progress import Progress

__all__ = ["main"]

_HELP = """\
Hostile records of 18 kinds come to one topic as fast as Kafka takes them, ordinary URLs to another
at a steady rate. A real broker, and workers with default settings and models, read both. At the
end each record is accounted for by its offset: by a verdict, by a dead letter, or because it names
no URL. A planted secret may be in no output and no log. What was measured is held to bounds.
"""
_EXAMPLES = """\
examples:
  make attack                                     20,000 records of all kinds, mixed
  make attack ARGS="--records 100000"
  make attack ARGS="--each 500"                   500 records of each kind alone, a row a kind
  make attack ARGS="--each 500 --kind quotes --kind 'long URLs'"
  make attack ARGS="--records 3000 --workers 1 --untimed"    the one that `make test` runs

It exits with 0 where all bounds hold, with 1 where one is broken, with 2 for a wrong option.
"""

_FILE_WIDTH = 120


def main() -> int:
    """Run an attack; the exit code says whether all bounds hold."""
    names = [kind.name for kind in KINDS]
    parser = argparse.ArgumentParser(
        prog="attack",
        description=_HELP,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--records", type=_count, default=20_000, help="of the mixture; default: 20000"
    )
    parser.add_argument("--each", type=_count, metavar="N", help="N of each kind instead")
    parser.add_argument(
        "--kind",
        action="append",
        choices=names,
        metavar="NAME",
        help=f"with --each, this kind alone; may be repeated; one of: {', '.join(names)}",
    )
    parser.add_argument("--workers", type=_count, default=2, help="default: 2")
    parser.add_argument(
        "--rate", type=_count, default=200, help="ordinary records a second; default: 200"
    )
    parser.add_argument("--seed", type=int, help="of the hostile records; default: a random one")
    parser.add_argument(
        "--untimed", action="store_true", help="show times and rates without holding them to bounds"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        help="where logs are kept; default: a new one in the folder for temporary files",
    )
    options = parser.parse_args()
    if options.kind and not options.each:
        parser.error("--kind needs --each N")
    folder = options.folder or Path(tempfile.mkdtemp(prefix="attack-"))
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        parser.error(f"--folder {folder} is not empty: name a new one")
    seed = random.randrange(10**6) if options.seed is None else options.seed
    # The offline reading warns of each dead letter.
    logging.getLogger("stream_detector").setLevel(logging.ERROR)
    # A file gets the whole table.
    console = Console(soft_wrap=True, width=None if sys.stdout.isatty() else _FILE_WIDTH)
    waves = []
    with Progress(console) as progress:
        progress.stage(f"seed {seed}; logs: {folder}; load average {_load()}")
        with running(folder, workers=options.workers, progress=progress) as session:
            if options.each:
                for kind in KINDS:
                    if kind.name in (options.kind or names):
                        batches = _alone(kind, options.each, seed)
                        waves.append(session.play(kind.name, batches, rate=options.rate))
            else:
                batches = mixed_batches(options.records, seed=seed)
                waves.append(session.play("mixture", batches, rate=options.rate))
            ending = session.end()
    console.print(kinds_table(waves))
    held = list(bounds(waves, ending, workers=options.workers, is_timed=not options.untimed))
    width = max(len(bound.text) for bound in held)
    console.print(f"\n        {'bound':{width}} | measured", markup=False, highlight=False)
    for text, measured, holds, examples in held:
        mark = {True: "ok", False: "BROKEN", None: ""}[holds]
        console.print(f"{mark:7} {text:{width}} | {measured}", markup=False, highlight=False)
        for example in examples:
            console.print(f"          {example}", markup=False, highlight=False)
    broken = sum(bound.holds is False for bound in held)
    console.print(f"load average {_load()}; logs: {folder}", highlight=False)
    console.print(f"FAILED: {broken} broken" if broken else "passed", highlight=False)
    return 1 if broken else 0


def _alone(kind: Kind, count: int, seed: int) -> Iterator[Batch]:
    rng = random.Random(seed)
    while count:
        batch = kind.batch(rng, count)
        count -= len(batch.records)
        yield batch


def _load() -> str:
    return ", ".join(f"{load:.2f}" for load in os.getloadavg())


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"should be a whole number above 0, not {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
