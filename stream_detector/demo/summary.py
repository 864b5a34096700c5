"""The demo's text at its end."""

import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.text import Text

from stream_detector.demo.ledger import Ledger, SeenVerdict
from stream_detector.settings.fields import Settings

_EXAMPLES = 8
_OUTPUTS = ("verdicts", "alerts", "dead letters")


def print_summary(console: Console, ledger: Ledger, *, seconds: float, log: Path) -> None:
    """Records, verdicts, alerts, dead letters, rate, latency, and where to look next.

    Called when every record is accounted for; the first line says so.
    """
    line = partial(_line, console)
    answered = ledger.sent_count - ledger.silent - ledger.dead_letters.total()
    line()
    line(f"All {ledger.sent_count:,} records are accounted for:")
    line(f"  {answered:>8,} have their verdicts")
    line(f"  {ledger.silent:>8,} name no URL by their nature (answers, flows, reverse look-ups)")
    reasons = ", ".join(f"{count:,} {name}" for name, count in ledger.dead_letters.most_common())
    dead_letters = f"{ledger.dead_letters.total():>8,} are dead letters"
    line(f"  {dead_letters} ({reasons})" if reasons else f"  {dead_letters}")
    line(
        f"Verdicts: {ledger.verdicts.total():,}, of these {ledger.verdicts['malicious']:,} "
        f"malicious, {ledger.verdicts['suspicious']:,} suspicious, "
        f"{ledger.verdicts['benign']:,} benign"
    )
    line(f"Alerts:   {len(ledger.alerts):,}, one for each client and domain in an hour")
    if ledger.repeated:
        line(f"Repeated: {ledger.repeated:,} outputs came more than once, with the same ids")
    line(f"Rate:     {ledger.sent_count / seconds:,.0f} records/s, as fast as they were replayed")
    line(
        f"Latency:  half within {ledger.latency(0.5) * 1000:,.0f} ms, 99% within "
        f"{ledger.latency(0.99) * 1000:,.0f} ms, from written to Kafka until the verdict was read"
    )
    examples = _examples(ledger)
    if examples:
        line()
        line("Some of what raised an alert (score, client, URL or host):")
        for entry in examples:
            score = "  list" if entry.score is None else f"{entry.score:.4f}"
            line(f"  {score}  {entry.client or '':<15}  {entry.canonical[:90]}")
    line()
    line("Where to look next:")
    command = _command()
    line(f"  {command} demo --keep           leaves it all running for a look around")
    line(f"  {command} score www.python.org  scores what you name")
    line(f"  {command} --help                lists the other commands")
    line("  README.md says how to run it on your own Kafka")
    line(f"  {log} is the worker's log")


def print_addresses(console: Console, settings: Settings) -> None:
    """Where everything is, for as long as it runs."""
    line = partial(_line, console)
    server = settings.bootstrap_servers[0]
    address = f"http://{settings.http_host}:{settings.http_port}"
    line()
    line("It all keeps running. Ctrl-C ends it.")
    line(f"  Kafka          {server}")
    line(f"  read from      {', '.join(settings.input_topic_names)}")
    for name, topic in zip(_OUTPUTS, settings.output_topic_names, strict=True):
        line(f"  {name:<15}{topic}")
    line(f"  metrics        {address}/metrics")
    line(f"  health         {address}/healthz, {address}/readyz")
    line("For example, in two other terminals:")
    line(f"  kcat -C -b {server} -t {settings.output_topic_names[0]} -o end")
    line(f"  echo http://example.com/ | kcat -P -b {server} -t {settings.input_topic_names[0]}")


def _line(console: Console, text: str = "") -> None:
    console.print(Text(text), soft_wrap=True)


def _command() -> str:
    """What to type for this command, from the current folder."""
    program = Path(sys.argv[0])
    if program.name != "stream-detector":
        return f"{Path(sys.executable).name} -m stream_detector"
    with suppress(ValueError):
        return str(program.absolute().relative_to(Path.cwd()))
    return program.name


def _examples(ledger: Ledger) -> list[SeenVerdict]:
    """Some of the alerts, from the highest score to the lowest, half URLs and half hosts."""
    alerts = {entry.canonical: entry for entry in ledger.highlights if entry.id in ledger.alerts}
    ranked = sorted(alerts.values(), key=lambda entry: entry.score or 0.0, reverse=True)
    examples: list[SeenVerdict] = []
    for kind in ("url", "host"):
        of_kind = [entry for entry in ranked if entry.kind == kind]
        step = max(1, len(of_kind) // (_EXAMPLES // 2))
        examples += of_kind[::step][: _EXAMPLES // 2]
    return examples
