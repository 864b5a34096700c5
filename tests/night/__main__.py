"""Play a night from the command line: ``make night ARGS="--only garbage"``."""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console

from night.failures import FAILURES, WORLDS
from night.play import Failure, Outcome, play
from night.report import faults, not_played, table
from night.shipped import FACTOR, RULES, inhibitions, write_shortened
from night.world import Parts, World
from support.prometheus import shipped_rules

__all__ = ["main"]

_INTERRUPTED = 130

_HELP = f"""\
Failures of a night are caused for real: on real Kafkas, with real workers and a real trainer, in
front of a real Prometheus that has the shipped rules. Their windows (`for`, ranges, offsets) are
divided by {FACTOR}, and calm days before are written into Prometheus' data. Of each failure the
alerts that it has to bring are awaited, then their end after its end; any other alert is false,
but for those that the shipped Alertmanager example mutes. Calm stretches may bring no alert.
"""
_EXAMPLES = """\
examples:
  make night                                      all of it, in under 30 minutes
  make night ARGS="--only garbage"
  make night ARGS="--only kafka-stopped --only ordinary"
  make night ARGS="--rules /srv/my-rules"         your rules instead of those that are shipped

It exits with 0 where each failure is told and nothing else is, with 1 where not, with 2 for a wrong
option.
"""


def main() -> int:
    """Play the failures; the exit code says whether each was told, and nothing else."""
    names = [failure.name for failure in FAILURES]
    parser = argparse.ArgumentParser(
        prog="night",
        description=_HELP,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=names,
        metavar="NAME",
        help=f"this failure alone; may be repeated; one of: {', '.join(names)}",
    )
    parser.add_argument(
        "--rules", type=Path, default=RULES, help="folder of rules (*.yml); default: the shipped"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        help="where logs are kept; default: a new one in the folder for temporary files",
    )
    options = parser.parse_args()
    if not any(options.rules.glob("*.yml")):
        parser.error(f"--rules {options.rules}: no file *.yml is there")
    folder = (options.folder or Path(tempfile.mkdtemp(prefix="night-"))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        parser.error(f"--folder {folder} is not empty: name a new one")
    console = Console(soft_wrap=True)

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False)

    started = time.monotonic()
    say(f"logs: {folder}; windows divided by {FACTOR}; load average {_load()}")
    write_shortened(options.rules, folder / "rules")
    chosen = [failure for failure in FAILURES if failure.name in (options.only or names)]
    worlds = [parts for parts in WORLDS if any(each.world == parts.name for each in chosen)]
    with ThreadPoolExecutor(len(worlds)) as pool:
        runs = [
            pool.submit(
                _run, parts, [each for each in chosen if each.world == parts.name], folder, say
            )
            for parts in worlds
        ]
        try:
            outcomes = [outcome for run in runs for outcome in run.result()]
        except KeyboardInterrupt:
            say(f"interrupted; logs: {folder}")
            sys.stdout.flush()
            # Whatever was started ends with the thread that started it.
            os._exit(_INTERRUPTED)
    say("")
    lines = list(table(outcomes))
    if not options.only:
        left = ", ".join(not_played(FAILURES, shipped_rules()))
        lines += ["", f"Not played, as they need days or follow from these: {left}."]
    (folder / "table.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for line in lines:
        say(line)
    found = [line for outcome in outcomes for line in faults(outcome)]
    say("")
    for line in found:
        say(line)
    say(f"{time.monotonic() - started:.0f} s, load average {_load()}; logs: {folder}")
    say(f"FAILED: {len(found)} found" if found else "passed")
    return 1 if found else 0


def _run(
    parts: Parts, failures: Sequence[Failure], folder: Path, say: Callable[[str], None]
) -> list[Outcome]:
    """Play ``failures`` one after the other; one that can't be played does not stop the others."""
    muting = list(inhibitions())
    outcomes: list[Outcome] = []
    try:
        with World(parts, folder / parts.name, folder / "rules", say) as world:
            for failure in failures:
                try:
                    if not failure.starts_by_itself:
                        world.start()
                    outcomes.append(play(failure, world, muting))
                except Exception as error:
                    outcomes.append(Outcome(failure, error=_one_line(error)))
                for line in faults(outcomes[-1]):
                    world.say(line)
    except Exception as error:
        outcomes += [
            Outcome(failure, error=_one_line(error)) for failure in failures[len(outcomes) :]
        ]
    return outcomes


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:500]


def _load() -> str:
    return ", ".join(f"{load:.2f}" for load in os.getloadavg())


if __name__ == "__main__":
    sys.exit(main())
