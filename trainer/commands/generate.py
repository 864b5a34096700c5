"""``stream-trainer generate-...``: examples that no public feed has."""

import csv
import sys
from collections.abc import Iterable, Iterator
from typing import IO, TYPE_CHECKING, TypeVar

import click

from stream_detector.terminal.progress import Progress
from trainer.commands.example_options import seed_option, together
from trainer.shown_progress import ShownProgress

if TYPE_CHECKING:
    from stream_detector.events import Kind

_Row = TypeVar("_Row")

_ROWS_AT_ONCE = 1000
"""Rows between two updates of the progress display: some milliseconds."""


_output_option = click.option(
    "--output",
    type=click.File("w", encoding="utf-8", lazy=True),
    default="-",
    help="CSV file.  [default: standard output]",
)
_benign_options = together(
    click.option("--count", type=click.IntRange(1, 10_000_000), default=10_000, show_default=True),
    click.option("--kind", type=click.Choice(["url", "host"]), default="url", show_default=True),
    seed_option,
    _output_option,
)


@click.command("generate-names", short_help="Write names like those that malware generates.")
@click.option("--count", type=click.IntRange(1, 10_000_000), default=40_000, show_default=True)
@seed_option
@_output_option
def generate_names_command(count: int, seed: int, output: IO[str]) -> None:
    """Write host names like those of domain-generation algorithms, for training.

    They cover classes of algorithms that feeds lack: random letters, hashes, linear congruential
    generators, word lists, permutations... All rows are for the training part.

    \b
    stream-trainer generate-names --count 40000 --output generated.csv
    stream-trainer train --kind host --data hosts.csv --extra generated.csv --output bundle
    """
    from trainer.generated.domain_names import generate_names  # noqa: PLC0415

    output.write("host,label,source,kind,part\n")
    for name in _counted(generate_names(count, seed=seed), count, output):
        output.write(f"{name.host},1,generated_{name.algorithm},dga,train\n")


@click.command("generate-private", short_help="Write URLs or names of private networks.")
@_benign_options
def generate_private_command(count: int, kind: "Kind", seed: int, output: IO[str]) -> None:
    """Write benign URLs or host names of private networks, as proxies log them, for training.

    Private, loopback, link-local and carriers' addresses (IPv4 and IPv6), single labels, names
    under .local, .lan, .internal, .corp, .home.arpa and .intranet; with the ports and paths of
    wikis, dashboards, printers, routers, update servers...

    \b
    stream-trainer generate-private --count 10000 --output private.csv
    stream-trainer generate-private --kind host --count 500 | head
    """
    from trainer.generated.private_networks import generate_private  # noqa: PLC0415

    texts = _counted(generate_private(count, kind=kind, seed=seed), count, output)
    _write_benign(output, kind, "private", texts)


@click.command("generate-ordinary", short_help="Write URLs that every network requests.")
@_benign_options
def generate_ordinary_command(count: int, kind: "Kind", seed: int, output: IO[str]) -> None:
    """Write benign URLs or host names of services that every network talks to, for training.

    Updates, revocation lists, connectivity checks, sign-in, packages, CDNs, trackers, tokens: they
    are most of a proxy's log, and rare in a corpus of pages.

    \b
    stream-trainer generate-ordinary --count 10000 --output ordinary.csv
    stream-trainer train --kind url --data urls.csv --extra ordinary.csv --output bundle
    """
    from trainer.generated.ordinary import generate_ordinary  # noqa: PLC0415

    texts = _counted(generate_ordinary(count, kind=kind, seed=seed), count, output)
    _write_benign(output, kind, "ordinary", texts)


def _counted(rows: Iterable[_Row], count: int, output: IO[str]) -> Iterator[_Row]:
    """Show progress while ``rows`` are written, unless they appear on the same terminal."""
    is_seen = output.name == sys.stdout.name and sys.stdout.isatty()
    progress = Progress() if is_seen else ShownProgress()
    with progress.stage("writing rows", count) as stage:
        for number, row in enumerate(rows, start=1):
            yield row
            if number % _ROWS_AT_ONCE == 0:
                stage.update(number)


def _write_benign(output: IO[str], kind: "Kind", name: str, texts: Iterable[str]) -> None:
    rows = csv.writer(output, lineterminator="\n")  # Paths may hold commas.
    rows.writerow([kind, "label", "source", "kind", "part"])
    rows.writerows([text, 0, f"generated_{name}", "ben", "train"] for text in texts)
