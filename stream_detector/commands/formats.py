"""``stream-detector formats``: which log formats are read."""

import click

from stream_detector.sources.base import Source
from stream_detector.sources.json_product_table import PRODUCTS
from stream_detector.sources.registry import SOURCES
from stream_detector.terminal.table import table_lines


@click.command()
def formats() -> None:
    """List the log formats that the worker, score, scan and inspect read.

    Each topic's format is found record by record, or named by input_formats. A line is read inside
    JSON envelopes (message, log, event.original, ...) and behind syslog and container headers too,
    up to three deep.

    \b
    stream-detector formats
    stream-detector inspect access.log       # which of them a file has, and what is read
    """
    rows = [("format", "reads")]
    rows += [(name, _summary(source)) for name, source in SOURCES.items()]
    for line in table_lines(rows, wraps=True):
        click.echo(line)
    products = ", ".join(dict.fromkeys(product.name for product in PRODUCTS))
    click.echo(f"\nObjects of these products are read by json without a setting: {products}.")
    click.echo("Any other JSON object: by url, host and other usual names, or by json_fields.")


def _summary(source: Source) -> str:
    text = (type(source).__doc__ or "").partition("\n\n")[0]
    return " ".join(text.split()).replace("``", "").rstrip(".")
