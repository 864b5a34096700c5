"""Run the fuzzer from the command line: ``make fuzz ARGS="--minutes 30"``."""

import argparse
import random
import sys
import time
from collections import deque
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fuzz.one_target import PLANTED
from fuzz.runs import MEMORY_MB_MAX, SECONDS_MAX, Run
from fuzz.targets import TARGETS

__all__ = ["main"]

_HELP = f"""\
Feed changed and random bytes to what reads the texts of others: log formats, the canonical form,
masking, announcements and manifests, labels, lists, tables of examples, record batches of Kafka.
Nothing may raise but the documented error, take longer than {SECONDS_MAX} seconds or more than
{MEMORY_MB_MAX} MB, give more than its limits allow, or let a password through.
"""
_EXAMPLES = """\
targets:
{targets}

examples:
  make fuzz                                              a minute a target
  make fuzz ARGS="--minutes 30"                          before a release
  make fuzz ARGS="--target sources --target masking"     these two
  make fuzz ARGS="--seed 7"                              draw the changes of seed 7 again

Inputs that reached new code stay in .cache/fuzz/corpus and are the start of the next run.
It exits with 0 where nothing was found, with 1 where something was, with 2 for a wrong option.
"""
_LINE_SECONDS = 5.0
_LOOK_SECONDS = 0.2


def main() -> int:
    """Fuzz the targets; the exit code says whether anything was found."""
    options = _options()
    options.folder.mkdir(parents=True, exist_ok=True)
    console = Console(soft_wrap=True, highlight=False)
    seed = random.randrange(1, 10**6) if options.seed is None else options.seed
    seconds = max(1, round(options.minutes * 60))
    names = list(dict.fromkeys(options.target)) or list(TARGETS)
    console.print(
        f"{len(names)} targets, {seconds} s each, {options.jobs} at a time, seed {seed}; "
        f"logs in {options.folder}"
    )
    waiting, running, ended = deque(names), list[Run](), list[Run]()
    next_line = time.monotonic() + _LINE_SECONDS
    with ExitStack() as stack:
        while waiting or running:
            while waiting and len(running) < options.jobs:
                run = Run(waiting.popleft(), seconds=seconds, seed=seed, folder=options.folder)
                running.append(stack.enter_context(run))
            time.sleep(_LOOK_SECONDS)
            ended += [run for run in running if not run.is_running]
            running = [run for run in running if run.is_running]
            if time.monotonic() >= next_line:
                next_line = time.monotonic() + _LINE_SECONDS
                console.print("  |  ".join(map(_line, running)), markup=False)
        console.print(_table(ended))
        for run in ended:
            _tell_findings(run, console)
    return int(any(run.has_failed for run in ended))


def _options() -> argparse.Namespace:
    targets = "\n".join(
        f"  {name:<10} {(target.check.__doc__ or '').strip()}" for name, target in TARGETS.items()
    )
    parser = argparse.ArgumentParser(
        prog="fuzz",
        description=_HELP,
        epilog=_EXAMPLES.format(targets=targets),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--minutes", type=_positive, default=1.0, help="how long for each target; default: 1"
    )
    parser.add_argument(
        "--target",
        action="append",
        default=[],
        choices=[*TARGETS, PLANTED],
        metavar="NAME",
        help="fuzz this target; may be given several times; default: all",
    )
    parser.add_argument(
        "--jobs",
        type=int,
        choices=range(1, 65),
        metavar="N",
        default=2,
        help="at a time; default: 2",
    )
    parser.add_argument("--seed", type=int, help="of the changes; default: a random one")
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path(".cache/fuzz"),
        help="where logs, findings and grown corpora go; default: .cache/fuzz",
    )
    return parser.parse_args()


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError("give a number above 0")
    return number


def _line(run: Run) -> str:
    state = run.state()
    return f"{run.target}: {state.executions:,} inputs, {state.coverage:,} edges"


def _table(runs: list[Run]) -> Table:
    table = Table("target", box=None)
    for name in ("inputs", "edges", "corpus", "findings"):
        table.add_column(name, justify="right")
    for run in runs:
        state = run.state()
        table.add_row(
            run.target,
            f"{state.executions:,}",
            f"{state.coverage:,}",
            f"{state.corpus:,}",
            str(len(run.findings())) if run.findings() or not run.has_failed else "failed",
        )
    return table


def _tell_findings(run: Run, console: Console) -> None:
    if not run.has_failed:
        return
    console.print(f"\n{run.target}:", markup=False)
    for line in run.why():
        console.print(f"  {line}", markup=False)
    for path in run.findings():
        console.print(f"  input: {path}", markup=False)
        console.print(
            f"  again: PYTHONPATH=.:tests {sys.executable} -m fuzz.one_target {run.target} {path}",
            markup=False,
        )
    if not run.findings():
        console.print(f"  no input was kept; the log is {run.log}", markup=False)


if __name__ == "__main__":
    sys.exit(main())
