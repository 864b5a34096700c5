"""The trainer: labels in, models out."""

from grafana_foundation_sdk.builders.dashboard import Dashboard
from panels import FULL, certificates, limits, lines, number, row, versions
from variables import dashboard

__all__ = ["training"]

_NONE = "no --url-data and no --host-data: nothing is retrained"


def training() -> Dashboard:
    """What `stream-trainer watch` does."""
    made = dashboard(
        "stream-detector-trainer",
        "stream-detector: trainer",
        "`stream-trainer watch`: are labels collected, is anything retrained, and does it pass?",
        of="trainer",
    )
    for add in (_collecting, _retraining, _needs):
        made = add(made)
    return made


def _collecting(made: Dashboard) -> Dashboard:
    return (
        made.with_row(row("Are labels collected?"))
        .with_panel(
            number(
                "Collecting",
                "1 while labels are being collected.",
                "min(stream_trainer_ready) or vector(0)",
                colours=limits(red=1, falling=True),
                width=6,
            )
        )
        .with_panel(
            number(
                "Labels",
                "In the store, of the kinds that are retrained.",
                "sum(stream_trainer_labels)",
                width=6,
                no_data="nothing to retrain",
            )
        )
        .with_panel(
            number(
                "Labels that could not be used, in a day",
                "The topic of labels' dead letters has them, with the reason.",
                "sum(increase(stream_trainer_label_dead_letters_total[1d]))",
                width=6,
                decimals=0,
            )
        )
        .with_panel(
            number(
                "Starts in the last hour",
                "Of the watch that started most often; a ticket from 3 on.",
                'max(changes(process_start_time_seconds{job="trainer"}[1h]))',
                colours=limits(amber=3),
                width=6,
            )
        )
        .with_panel(
            number(
                "Free disk of the label store",
                "A ticket below 512 MiB, and a day before it is full.",
                "min(stream_trainer_label_store_free_bytes)",
                unit="bytes",
                colours=limits(amber=2 * 2**30, red=512 * 2**20, falling=True),
                width=6,
            )
        )
        .with_panel(
            number(
                "Interruptions in an hour",
                "Restarts of the collection, as when Kafka is away.",
                "sum(increase(stream_trainer_collector_errors_total[1h]))",
                colours=limits(amber=3),
                width=6,
                decimals=0,
            )
        )
        .with_panel(
            versions(
                "Version of the program",
                "By the number of watches.",
                "count by (version) (stream_trainer_build_info)",
                {"version": "Version", "Value": "Watches"},
                height=4,
            )
        )
        .with_panel(
            lines(
                "Labels",
                "In the store, by kind.",
                {"{{kind}}": "max by (kind) (stream_trainer_labels)"},
                no_data=_NONE,
            )
        )
        .with_panel(
            lines(
                "New labels",
                "Since the last retraining; --new-labels of them begin the next.",
                {"{{kind}}": "max by (kind) (stream_trainer_new_labels)"},
                no_data=_NONE,
            )
        )
    )


def _retraining(made: Dashboard) -> Dashboard:
    return (
        made.with_row(row("Is anything retrained, and does it pass?"))
        .with_panel(
            lines(
                "Retraining now",
                "1 while a model is being retrained.",
                {"{{kind}}": "max by (kind) (stream_trainer_retraining)"},
                no_data=_NONE,
                highest=1,
                width=8,
            )
        )
        .with_panel(
            lines(
                "Retrainings in a week",
                "By outcome: published, passed (and not to be published), refused by the gate, "
                "unchanged, failed.",
                {
                    "{{kind}} {{outcome}}": "sum by (kind, outcome) "
                    "(increase(stream_trainer_retrainings_total[7d]))"
                },
                no_data=_NONE,
                width=8,
            )
        )
        .with_panel(
            lines(
                "Since the last",
                "Time since a retraining ended with this outcome.",
                {
                    "{{kind}} {{outcome}}": "time() - max by (kind, outcome) "
                    "(stream_trainer_last_retraining_timestamp_seconds)"
                },
                no_data="no retraining has ended",
                unit="s",
                width=8,
            )
        )
        .with_panel(
            lines(
                "How long it took",
                "The last retraining.",
                {"{{kind}}": "max by (kind) (stream_trainer_retraining_seconds)"},
                no_data="no retraining has ended",
                unit="s",
            )
        )
        .with_panel(
            lines(
                "The gate's checks of the last challenger",
                "1: passed. What failed and by how much is in the watch's log, and in "
                "*-gate.json in its folder.",
                {"{{kind}} {{check}}": "min by (kind, check) (stream_trainer_gate_check_passed)"},
                no_data="no challenger has been judged",
                highest=1,
            )
        )
    )


def _needs(made: Dashboard) -> Dashboard:
    return (
        made.with_row(row("What it takes"))
        .with_panel(
            lines(
                "CPU",
                "Cores in use by the watch itself; a retraining is a process of its own.",
                {
                    "{{instance}}": "sum by (instance) "
                    '(rate(process_cpu_seconds_total{job="trainer"}[$__rate_interval]))'
                },
            )
        )
        .with_panel(
            lines(
                "Memory",
                "Resident, of the watch itself.",
                {"{{instance}}": 'process_resident_memory_bytes{job="trainer"}'},
                unit="bytes",
            )
        )
        .with_panel(certificates("trainer", width=FULL))
    )
