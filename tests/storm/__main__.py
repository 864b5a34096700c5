"""Run a storm from the command line: ``make storm ARGS="--minutes 15"``."""

import argparse
import logging
import random
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from storm.session import Plan, run

__all__ = ["main"]

_HELP = """\
Three real brokers (replication 3, min.insync.replicas 2), all named as bootstrap addresses, and
workers as users run them, on log lines of every format with poison among them. Workers are ended
by SIGKILL and SIGTERM, stand still by SIGSTOP, join and leave; brokers are killed and restarted
one at a time. At the end every offset of the input is accounted for: by verdicts of the ids that
it owes, by a dead letter, or because it names no URL; what was written twice has to say the same.
"""
_EXAMPLES = """\
examples:
  make storm                                      five minutes
  make storm ARGS="--minutes 15"                  the one whose result the README has
  make storm ARGS="--minutes 2 --workers 2 --rate 500"
  make storm ARGS="--seed 7"                      draw the records and actions of seed 7 again

Ctrl-C ends the storm early; what was sent until then is still accounted for.
It exits with 0 where nothing was found, with 1 where something was, with 2 for a wrong option.
"""


def main() -> int:
    """Run a storm; the exit code says whether it found anything."""
    parser = argparse.ArgumentParser(
        prog="storm",
        description=_HELP,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--minutes", type=_positive, default=5.0, help="how long to act on it; default: 5"
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=3,
        choices=range(1, 9),
        metavar="1..8",
        help="most workers at a time; one less runs after one has left; default: 3",
    )
    parser.add_argument(
        "--rate", type=_positive, default=1000.0, help="records a second; default: 1000"
    )
    parser.add_argument("--seed", type=int, help="of records and actions; default: a random one")
    parser.add_argument(
        "--folder",
        type=Path,
        help="where logs are kept; default: a new one in the folder for temporary files",
    )
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="storm-"))
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        parser.error(f"--folder {folder} is not empty: name a new one")
    plan = Plan(
        folder=folder,
        minutes=options.minutes,
        workers=options.workers,
        rate=options.rate,
        seed=random.randrange(10**6) if options.seed is None else options.seed,
    )
    # The offline reading warns of each dead letter.
    logging.getLogger("stream_detector").setLevel(logging.ERROR)
    console = Console()
    result = run(plan, console)
    lines = list(result.lines())
    (folder / "summary.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for line in lines:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    return 0 if result.has_passed else 1


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"should be a number above 0, not {text!r}")
    return value


if __name__ == "__main__":
    sys.exit(main())
