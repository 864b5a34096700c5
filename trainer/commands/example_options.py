"""Options that several commands of ``stream-trainer`` share: examples, and the gate's rules."""

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from trainer.families import FAMILY_NAMES
from trainer.gate.options import GateOptions

if TYPE_CHECKING:
    from trainer.examples.datasets import Examples

__all__ = [
    "data_of",
    "data_options",
    "epochs_option",
    "examples_of",
    "family_option",
    "gate_options",
    "part_option",
    "rules_of",
    "seed_option",
    "together",
]

Command = TypeVar("Command", bound=Callable[..., object])
Decorator = Callable[[Command], Command]


def together(*options: Decorator[Any]) -> Decorator[Any]:
    """Several options as one decorator; ``--help`` lists them in this order."""

    def decorated(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorated


def _files(option: str, text: str, **settings: Any) -> Decorator[Any]:
    path = click.Path(path_type=Path, **settings)
    return click.option(option, metavar="FILE", type=path, multiple=True, help=text)


data_options = together(
    _files(
        "--data",
        "File with labels: .csv, .tsv, .jsonl, .parquet (all but Parquet also .gz), with columns "
        "url or host, label and optionally source, kind, part, time. May be given several times.",
    ),
    _files(
        "--benign",
        "File whose rows are all benign: of the formats above, or a plain list of lines.",
    ),
    _files("--malicious", "File whose rows are all malicious, in the same formats."),
    _files(
        "--extra",
        "File as for --data whose rows are for training alone, such as generated ones; rows of "
        "their registered domains are left out of the validation and the test part.",
    ),
    click.option(
        "--columns",
        help="Names of the columns of a CSV or TSV file without a header: url,label.",
    ),
    click.option(
        "--malicious-label",
        "malicious_labels",
        multiple=True,
        help="The label of malicious rows, if it is not 1 (some data sets have 0 for phishing).  "
        "[default: 1]",
    ),
    click.option(
        "--benign-label",
        "benign_labels",
        multiple=True,
        help="The label of benign rows.  [default: 0, or 1 where 0 is malicious]",
    ),
    click.option("--skip-bad-rows", is_flag=True, help="Count and skip rows that cannot be used."),
    click.option(
        "--split",
        type=click.Choice(["column", "domain", "random", "source", "time"]),
        default="column",
        show_default=True,
        help="What decides the part of a row (training, validation, test): the column 'part' (the "
        "domain where it is empty), the registered domain, chance, --hold-out, or the column "
        "'time'.",
    ),
    click.option(
        "--hold-out",
        "held_out",
        multiple=True,
        help="With --split source: a source that is the test part; may be given several times.",
    ),
)
"""Say where examples come from; for ``examples_of``."""

_DEFAULTS = GateOptions()

gate_options = together(
    _files(
        "--must-not-alert",
        "Domains, hosts or URLs, one a line, that must never be malicious, such as your own; added "
        "to the shipped list of well-known sites.",
        dir_okay=False,
    ),
    _files(
        "--must-alert",
        "Domains, hosts or URLs that must stay malicious; added to the shipped list.",
        dir_okay=False,
    ),
    click.option(
        "--margin",
        type=click.FloatRange(0, 1),
        default=_DEFAULTS.margin,
        show_default=True,
        help="True-positive rate that the challenger may lose: how far the lower end of the "
        "interval of the difference may lie below 0.",
    ),
    click.option(
        "--confidence",
        type=click.FloatRange(0.5, 0.999),
        default=_DEFAULTS.confidence,
        show_default=True,
        help="Of the intervals.",
    ),
    click.option(
        "--resamples",
        type=click.IntRange(100, 100_000),
        default=_DEFAULTS.resamples,
        show_default=True,
        help="Of the paired bootstrap.",
    ),
    click.option(
        "--calibration-margin",
        type=click.FloatRange(0, 1),
        default=_DEFAULTS.calibration_margin,
        show_default=True,
        help="Expected calibration error that the challenger may have above the champion's.",
    ),
)
"""What a user may set of the gate; for ``rules_of``."""

seed_option = click.option(
    "--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True
)


def family_option(text: str, *, default: Sequence[str] = ()) -> Decorator[Any]:
    """The model families of a command that takes several, as ``family_names``."""
    return click.option(
        "--family",
        "family_names",
        type=click.Choice(FAMILY_NAMES),
        multiple=True,
        default=default,
        show_default=bool(default),
        help=text,
    )


def epochs_option(default: int) -> Decorator[Any]:
    """For how long a command trains the families that have epochs."""
    return click.option(
        "--epochs",
        type=click.IntRange(1),
        default=default,
        show_default=True,
        help="Largest number of epochs of a network; the language model never has more than 3.",
    )


def part_option(text: str) -> Decorator[Any]:
    """The part of the examples that a command measures on; ``text`` is its help."""
    return click.option(
        "--part",
        type=click.Choice(["train", "val", "test"]),
        default="test",
        show_default=True,
        help=text,
    )


def rules_of(**options: Any) -> tuple[GateOptions, dict[str, Any]]:
    """Split ``options`` into the rules of the gate and all others."""
    rules = GateOptions(**{name: options.pop(name) for name in GateOptions._fields})
    return rules, options


def data_of(**options: Any) -> "tuple[Examples, dict[str, Any]]":
    """Split ``options`` into the examples of ``data_options`` and all others.

    Raises:
        click.UsageError: as ``examples_of``.
    """
    names = inspect.signature(examples_of).parameters
    return examples_of(**{name: options.pop(name) for name in names}), options


def examples_of(
    *,
    data: tuple[Path, ...],
    benign: tuple[Path, ...],
    malicious: tuple[Path, ...],
    extra: tuple[Path, ...],
    columns: str | None,
    malicious_labels: tuple[str, ...],
    benign_labels: tuple[str, ...],
    skip_bad_rows: bool,
    split: str,
    held_out: tuple[str, ...],
) -> "Examples":
    """Check the options of ``data_options``.

    Raises:
        click.UsageError: they contradict each other, or name no file.
    """
    from trainer.examples.datasets import Examples  # noqa: PLC0415 - imports much

    if not data and not benign and not malicious:
        raise click.UsageError("name the examples: --data FILE, or --benign FILE --malicious FILE")
    if (split == "source") != bool(held_out):
        raise click.UsageError("--split source and --hold-out go together")
    of_malicious = frozenset(malicious_labels or ("1",))
    if benign_labels:
        of_benign = frozenset(benign_labels)
    elif of_malicious <= {"0", "1"}:
        of_benign = frozenset({"0", "1"}) - of_malicious
    else:
        raise click.UsageError(
            f"with --malicious-label {sorted(of_malicious)[0]}, also give --benign-label"
        )
    both = of_malicious & of_benign
    if both:
        raise click.UsageError(f"label {sorted(both)[0]} cannot be both malicious and benign")
    return Examples(
        files=data,
        benign=benign,
        malicious=malicious,
        extra=extra,
        columns=tuple(columns.split(",")) if columns else (),
        malicious_labels=of_malicious,
        benign_labels=of_benign,
        skip_bad_rows=skip_bad_rows,
        split=split,  # type: ignore[arg-type] # click checked it
        held_out=held_out,
    )
