"""``stream-trainer generate-...``: examples that no feed holds."""

import csv
from collections.abc import Callable, Iterable
from typing import IO, TYPE_CHECKING

import click

if TYPE_CHECKING:
    from stream_detector.events import Kind

__all__ = ["generate_names_command", "generate_ordinary_command", "generate_private_command"]


@click.command("generate-names", short_help="Write names as malware generates them.")
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
    stream-trainer generate-names --count 40000 --output generated.csv
    stream-trainer train --kind host --data hosts.csv --extra generated.csv --output bundle
    """
    from trainer.generators import generate_names  # noqa: PLC0415

    output.write("host,label,source,kind,part\n")
    for name in generate_names(count, seed=seed):
        output.write(f"{name.host},1,generated_{name.algorithm},dga,train\n")


def _benign_options(command: Callable[..., None]) -> Callable[..., None]:
    """What the commands that write benign rows have in common."""
    for option in reversed(
        (
            click.option(
                "--count", type=click.IntRange(1, 10_000_000), default=10_000, show_default=True
            ),
            click.option(
                "--kind", type=click.Choice(["url", "host"]), default="url", show_default=True
            ),
            click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True),
            click.option(
                "--output",
                type=click.File("w", encoding="utf-8", lazy=True),
                default="-",
                help="CSV file.  [default: standard output]",
            ),
        )
    ):
        command = option(command)
    return command


@click.command("generate-private", short_help="Write URLs or names of private networks.")
@_benign_options
def generate_private_command(count: int, kind: "Kind", seed: int, output: IO[str]) -> None:
    """Write benign URLs or host names of private networks as proxies log them, for training.

    Private, loopback, link-local and carriers' addresses (IPv4 and IPv6), single labels, names
    under .local, .lan, .internal, .corp, .home.arpa and .intranet; with the ports and paths of
    wikis, dashboards, printers, routers, update servers...

    \b
    stream-trainer generate-private --count 10000 --output private.csv
    stream-trainer train --kind url --data urls.csv --extra private.csv --output bundle
    """
    from trainer.private_networks import generate_private  # noqa: PLC0415

    _write_benign(output, kind, "private", generate_private(count, kind=kind, seed=seed))


@click.command("generate-ordinary", short_help="Write URLs that every network asks for.")
@_benign_options
def generate_ordinary_command(count: int, kind: "Kind", seed: int, output: IO[str]) -> None:
    """Write benign URLs or host names of services that every network talks to, for training.

    Updates, revocation lists, connectivity checks, sign-in, packages, CDNs, trackers, tokens: most
    of a proxy's log, and little of a corpus of pages.

    \b
    stream-trainer generate-ordinary --count 10000 --output ordinary.csv
    stream-trainer train --kind url --data urls.csv --extra ordinary.csv --output bundle
    """
    from trainer.ordinary import generate_ordinary  # noqa: PLC0415

    _write_benign(output, kind, "ordinary", generate_ordinary(count, kind=kind, seed=seed))


def _write_benign(output: IO[str], kind: "Kind", name: str, texts: Iterable[str]) -> None:
    rows = csv.writer(output, lineterminator="\n")  # Paths may hold commas.
    rows.writerow([kind, "label", "source", "kind", "part"])
    rows.writerows([text, 0, f"generated_{name}", "ben", "train"] for text in texts)
