"""``stream-detector demo``: sample logs through Kafka and the detector, all on this machine."""

import click
from rich.console import Console

from stream_detector.commands.options import pace_options
from stream_detector.demo.embedded_broker import require_librdkafka
from stream_detector.demo.session import DemoOptions, run_demo

_RECORDS = 20_000
_RATE = 1250.0
"""Records a second: slow enough to watch, fast enough to end soon."""


@click.command()
@pace_options(records=_RECORDS, rate=_RATE, what="replay")
@click.option("--keep", is_flag=True, help="Leave it all running until Ctrl-C.")
def demo(records: int, rate: float, keep: bool) -> None:
    """Show the detector at work: sample logs in, verdicts and alerts out.

    Starts a Kafka broker inside this process and a worker as `stream-detector run` does, and
    replays the sample logs. Needs no Kafka, Java or Docker, takes less than a minute and ends by
    itself. It contacts no address in the samples.

    \b
    stream-detector demo
    """
    require_librdkafka()
    run_demo(DemoOptions(records=records, rate=rate, keep=keep), Console(highlight=False))
