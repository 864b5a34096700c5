"""Options of the commands that read labels."""

from pathlib import Path

import click

FOLDER = Path("retraining")
"""Where challengers, checkpoints and locks are, by default."""

labels_option = click.option(
    "--store",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("label-store"),
    show_default=True,
    help="Folder of the labels.",
)
trust_option = click.option(
    "--trust",
    metavar="A,B",
    default="",
    help="Sources of analysts, and feeds, by trust, the most trusted first: goes before the time "
    "of labels.",
)


def trusted(trust: str) -> tuple[str, ...]:
    """Names of sources in the order of trust, from the option."""
    return tuple(name.strip() for name in trust.split(",") if name.strip())
