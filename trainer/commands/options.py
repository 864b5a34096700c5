"""Options that several commands of ``stream-trainer`` share.

Some reach the command as one value: ``data`` as ``examples``, ``gate_rules`` as
``rules``, ``kafka`` as ``settings``, ``model_store`` as ``settings`` and ``store``.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from stream_detector.commands.options import REACHING_KAFKA, with_settings
from stream_detector.errors import SettingsError
from stream_detector.models.store import ModelStore
from stream_detector.name_rules import name_fault
from stream_detector.settings.fields import Settings
from trainer.examples.labelled import Examples
from trainer.families import FAMILY_NAMES
from trainer.gate.options import GateOptions

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]

PATH = click.Path(path_type=Path)
FILE = click.Path(path_type=Path, dir_okay=False)
FOLDER = click.Path(path_type=Path, file_okay=False)
KIND = click.Choice(["url", "host"])

RETRAINING_FOLDER = Path("retraining")
"""Where challengers, checkpoints and locks are, by default."""

_DEFAULT_RULES = GateOptions()


def together(*options: Decorator) -> Decorator:
    """Several options as one decorator; ``--help`` lists them in this order."""

    def decorated(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorated


def _as_one(name: str, make: Callable[..., object], *options: Decorator) -> Decorator:
    """``options``, whose values ``make`` turns into the command's argument ``name``."""
    own = [each.name for each in together(*options)(lambda: None).__click_params__]  # type: ignore[attr-defined] # as click keeps them

    def decorated(command: Command) -> Command:
        @functools.wraps(command)
        def called(**given: Any) -> Any:
            value = make(**{each: given.pop(each) for each in own})
            return command(**given, **{name: value})

        return together(*options)(called)

    return decorated


def _examples(
    *,
    data: tuple[Path, ...],
    benign: tuple[Path, ...],
    malicious: tuple[Path, ...],
    columns: str | None,
    malicious_labels: tuple[str, ...],
    benign_labels: tuple[str, ...],
    split: Any,
    held_out: tuple[str, ...],
    **others: Any,
) -> Examples:
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
    if both := of_malicious & of_benign:
        raise click.UsageError(f"label {sorted(both)[0]} cannot be both malicious and benign")
    return Examples(
        *(data, benign, malicious),
        columns=tuple(columns.split(",")) if columns else (),
        malicious_labels=of_malicious,
        benign_labels=of_benign,
        split=split,
        held_out=held_out,
        **others,
    )


def _files(option: str, text: str, kind: click.Path = PATH) -> Decorator:
    return click.option(option, metavar="FILE", type=kind, multiple=True, help=text)


data = _as_one(
    "examples",
    _examples,
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
        "File as for --data whose rows only the training part gets, such as generated ones; rows "
        "of their registered domains are left out of the validation and the test part.",
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
"""Where examples come from; the command gets ``examples``."""

gate_rules = _as_one(
    "rules",
    GateOptions,
    _files(
        "--must-not-alert",
        "Domains, hosts or URLs, one a line, that must never be malicious, such as your own; added "
        "to the shipped list of well-known sites.",
        FILE,
    ),
    _files(
        "--must-alert",
        "Domains, hosts or URLs that must stay malicious; added to the shipped list.",
        FILE,
    ),
    click.option(
        "--margin",
        type=click.FloatRange(0, 1),
        default=_DEFAULT_RULES.margin,
        help="True-positive rate that the challenger may lose: how far the lower end of the "
        "interval of the difference may lie below 0.",
    ),
    click.option(
        "--confidence",
        type=click.FloatRange(0.5, 0.999),
        default=_DEFAULT_RULES.confidence,
        help="Of the intervals.",
    ),
    click.option(
        "--resamples",
        type=click.IntRange(100, 100_000),
        default=_DEFAULT_RULES.resamples,
        help="Of the paired bootstrap.",
    ),
    click.option(
        "--calibration-margin",
        type=click.FloatRange(0, 1),
        default=_DEFAULT_RULES.calibration_margin,
        help="Expected calibration error that the challenger may have above the champion's.",
    ),
)
"""The rules of the gate that a user may set; the command gets ``rules``."""

kind = click.option("--kind", type=KIND, required=True, help="What to score.")
seed = click.option("--seed", type=click.IntRange(0, 2**31 - 1), default=0)
sources = click.option(
    "--sources", type=PATH, help="CSV with columns source and licence, for the manifest."
)


def family(text: str, **options: Any) -> Decorator:
    """The model families of a command that takes several, as ``family_names``."""
    families = click.Choice(FAMILY_NAMES)
    return click.option(
        "--family", "family_names", type=families, multiple=True, help=text, **options
    )


def epochs(default: int) -> Decorator:
    """For how long a command trains the families that have epochs."""
    return click.option(
        "--epochs",
        type=click.IntRange(1),
        default=default,
        help="Largest number of epochs of a network; the language model never has more than 3.",
    )


def part(text: str) -> Decorator:
    """The part of the examples that a command measures on."""
    return click.option(
        "--part", type=click.Choice(["train", "val", "test"]), default="test", help=text
    )


def report(default: str | None = None, *, also: str = "") -> Decorator:
    """The folder of a report, which may hold something else too."""
    holds = f" (Markdown, HTML, JSON) {also}" if also else ": Markdown, HTML, JSON and plots"
    return click.option(
        "--report", type=FOLDER, default=default, help=f"Folder for the report{holds}."
    )


label_store = click.option(
    "--store", type=FOLDER, default="label-store", help="Folder of the labels."
)


def _names(_: click.Context, __: click.Parameter, given: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in given.split(",") if name.strip())


trust = click.option(
    "--trust",
    metavar="A,B",
    default="",
    show_default=False,
    callback=_names,
    help="Sources of analysts, and feeds, the most trusted first: trust decides before the time "
    "of labels.",
)


def kafka(*names: str) -> Decorator:
    """How to reach Kafka, and the settings ``names``; the command gets ``settings``."""
    return with_settings(REACHING_KAFKA.union(names))


def model_store(*names: str) -> Decorator:
    """``kafka`` of announcements; the command gets ``settings`` and the model ``store``."""

    def decorated(command: Command) -> Command:
        @functools.wraps(command)
        def called(settings: Settings, **given: Any) -> Any:
            if not settings.model_store:
                raise SettingsError(
                    "no model store is set: give --model-store, or STREAM_DETECTOR_MODEL_STORE, a "
                    "folder or URL that trainer and workers both reach"
                )
            return command(settings=settings, store=ModelStore(settings.model_store), **given)

        return kafka("topic_prefix", "models_topic", "model_store", *names)(called)

    return decorated


signing_key = click.option(
    "--signing-key",
    metavar="FILE",
    type=FILE,
    help="Ed25519 private key (PEM) to sign bundle and announcement with; workers that have its "
    "public key in model_public_key accept no others. `stream-trainer models new-key` makes one.",
)


def _reason(_: click.Context, __: click.Parameter, reason: str | None) -> str | None:
    if reason is None:
        return None
    reason = " ".join(reason.split())
    if not reason:
        raise click.BadParameter("give a reason: it is recorded for those who ask later")
    if fault := name_fault(reason):
        raise click.BadParameter(f"the reason {fault}: say it in short")
    return reason


force = click.option(
    "--force",
    "because",
    metavar="REASON",
    callback=_reason,
    help="Announce it although the gate refused it or did not judge it; the reason is recorded "
    "next to the bundle, in the store and in the announcement.",
)
"""The reason to announce a bundle that the gate did not pass, as ``because``."""

workers = together(
    click.option(
        "--worker",
        "workers",
        multiple=True,
        metavar="URL",
        help="Worker to ask which models it serves, by its --http-host and --http-port, such as "
        "http://detector-1:9464. May be given several times.",
    ),
    click.option(
        "--prometheus",
        multiple=True,
        metavar="URL",
        help="Prometheus that scrapes the workers, to ask for all of them at once, such as "
        "http://prometheus:9090.",
    ),
)
"""Addresses to ask which models serve, as ``workers`` and ``prometheus``."""
