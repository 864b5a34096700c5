"""``stream-trainer generate-names`` and ``generate-private``: examples that no feed holds."""

import csv
from typing import IO, TYPE_CHECKING

import click

if TYPE_CHECKING:
    from stream_detector.events import Kind

__all__ = ["generate_names_command", "generate_private_command"]


@click.command("generate-names")
@click.option("--count", type=click.IntRange(1, 10_000_000), default=40_000, show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
@click.option(
    "--output",
    type=click.File("w", encoding="utf-8", lazy=True),
    default="-",
    help="CSV file.  [default: standard output]",
)
def generate_names_command(count: int, seed: int, output: IO[str]) -> None:
    """Write host names as domain-generation algorithms make them, for training.

    Classes of algorithms that feeds lack: letters at random, hashes, linear congruential
    generators, words of a list, permutations... All are for the training part.

    \b
    Example:
      stream-trainer generate-names --count 40000 --output generated.csv
      stream-trainer train --kind host --data hosts.csv --malicious generated.csv --output bundle
    """
    from trainer.generators import generate_names  # noqa: PLC0415

    output.write("host,source,kind,part\n")
    for name in generate_names(count, seed=seed):
        output.write(f"{name.host},generated_{name.algorithm},dga,train\n")


@click.command("generate-private")
@click.option("--count", type=click.IntRange(1, 10_000_000), default=10_000, show_default=True)
@click.option("--kind", type=click.Choice(["url", "host"]), default="url", show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True)
@click.option(
    "--output",
    type=click.File("w", encoding="utf-8", lazy=True),
    default="-",
    help="CSV file.  [default: standard output]",
)
def generate_private_command(count: int, kind: "Kind", seed: int, output: IO[str]) -> None:
    """Write benign URLs or host names of private networks as proxies log them, for training.

    Private, loopback, link-local and carriers' addresses (IPv4 and IPv6), single labels, names
    under .local, .lan, .internal, .corp, .home.arpa and .intranet; with the ports and paths of
    wikis, dashboards, printers, routers, update servers... All are for the training part.

    \b
    Example:
      stream-trainer generate-private --count 10000 --output private.csv
      stream-trainer train --kind url --data urls.csv --data private.csv --output bundle
    """
    from trainer.private_networks import generate_private  # noqa: PLC0415

    # Paths may hold commas.
    rows = csv.writer(output, lineterminator="\n")
    rows.writerow([kind, "label", "source", "kind", "part"])
    for text in generate_private(count, kind=kind, seed=seed):
        rows.writerow([text, 0, "generated_private", "ben", "train"])
