"""``stream-trainer generate-...``: examples that no public feed has."""

import csv
import sys
from collections.abc import Iterable, Iterator
from typing import IO

import click

from stream_detector.events import Kind
from stream_detector.terminal.progress import Progress
from trainer.commands import options
from trainer.console import ShownProgress
from trainer.generated.domain_names import generate_names
from trainer.generated.ordinary import generate_ordinary
from trainer.generated.private_networks import generate_private

_ROWS_AT_ONCE = 1000
"""Rows between two updates of the progress display: some milliseconds."""

_output_option = click.option(
    "--output",
    type=click.File("w", encoding="utf-8", lazy=True),
    default="-",
    show_default="standard output",
    help="CSV file.",
)


def _count_option(default: int) -> options.Decorator:
    return click.option("--count", type=click.IntRange(1, 10_000_000), default=default)


_benign_options = options.together(
    _count_option(10_000),
    click.option("--kind", type=options.KIND, default="url"),
    options.seed,
    _output_option,
)


@click.command("generate-names")
@_count_option(40_000)
@options.seed
@_output_option
def names(count: int, seed: int, output: IO[str]) -> None:
    """Write host names like those of domain-generation algorithms, for training.

    They cover classes of algorithms that feeds lack: random letters, hashes, linear congruential
    generators, word lists, permutations... All rows are for the training part.

    \b
    stream-trainer generate-names --count 40000 --output generated.csv
    stream-trainer train --kind host --data hosts.csv --extra generated.csv --output bundle
    """
    generated = generate_names(count, seed=seed)
    rows = ((name.host, 1, f"generated_{name.algorithm}", "dga") for name in generated)
    _write(output, "host", rows, count)


@click.command("generate-private")
@_benign_options
def private(count: int, kind: Kind, seed: int, output: IO[str]) -> None:
    """Write benign URLs or host names of private networks, as proxies log them, for training.

    Private, loopback, link-local and carriers' addresses (IPv4 and IPv6), single labels, names
    under .local, .lan, .internal, .corp, .home.arpa and .intranet; with the ports and paths of
    wikis, dashboards, printers, routers, update servers...

    \b
    stream-trainer generate-private --count 10000 --output private.csv
    stream-trainer generate-private --kind host --count 500 | head
    """
    texts = generate_private(count, kind=kind, seed=seed)
    _write(output, kind, ((text, 0, "generated_private", "ben") for text in texts), count)


@click.command("generate-ordinary")
@_benign_options
def ordinary(count: int, kind: Kind, seed: int, output: IO[str]) -> None:
    """Write benign URLs or host names of services that every network talks to, for training.

    Updates, revocation lists, connectivity checks, sign-in, packages, CDNs, trackers, tokens: they
    are most of a proxy's log, and rare in a corpus of pages.

    \b
    stream-trainer generate-ordinary --count 10000 --output ordinary.csv
    stream-trainer train --kind url --data urls.csv --extra ordinary.csv --output bundle
    """
    texts = generate_ordinary(count, kind=kind, seed=seed)
    _write(output, kind, ((text, 0, "generated_ordinary", "ben") for text in texts), count)


def _write(
    output: IO[str], kind: Kind, rows: Iterable[tuple[str, int, str, str]], count: int
) -> None:
    """Write ``rows``, all of the training part, as CSV: paths may hold commas."""
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow([kind, "label", "source", "kind", "part"])
    writer.writerows((*row, "train") for row in _counted(rows, count, output))


def _counted(
    rows: Iterable[tuple[str, int, str, str]], count: int, output: IO[str]
) -> Iterator[tuple[str, int, str, str]]:
    """Show progress while ``rows`` are written, unless they appear on the same terminal."""
    is_seen = output.name == sys.stdout.name and sys.stdout.isatty()
    progress = Progress() if is_seen else ShownProgress()
    with progress.stage("writing rows", count) as stage:
        for number, row in enumerate(rows, start=1):
            yield row
            if number % _ROWS_AT_ONCE == 0:
                stage.update(number)
