"""The trainer: labels in, models out."""

from grafana_foundation_sdk.builders.dashboard import Dashboard
from panels import dashboard, limits, lines, mishaps, number, row

__all__ = ["training"]


def training() -> Dashboard:
    """What `stream-trainer watch` does."""
    made = dashboard(
        "stream-detector-trainer",
        "stream-detector: trainer",
        "`stream-trainer watch`: are labels collected, is anything retrained, and does it pass?",
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
            )
        )
        .with_panel(
            mishaps(
                "Labels that could not be used, in a day",
                "They are in the topic of labels' dead letters, with the reason.",
                "sum(increase(stream_trainer_label_dead_letters_total[1d]))",
            )
        )
        .with_panel(
            mishaps(
                "Interruptions in a day",
                "Times that collecting broke off and began again.",
                "sum(increase(stream_trainer_collector_errors_total[1d]))",
            )
        )
        .with_panel(
            lines(
                "Labels",
                "In the store, by kind.",
                {"{{kind}}": "max by (kind) (stream_trainer_labels)"},
            )
        )
        .with_panel(
            lines(
                "New labels",
                "Since the last retraining; --new-labels of them begin the next.",
                {"{{kind}}": "max by (kind) (stream_trainer_new_labels)"},
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
                width=8,
            )
        )
        .with_panel(
            lines(
                "Since the last",
                "Time since a retraining ended so.",
                {
                    "{{kind}} {{outcome}}": "time() - max by (kind, outcome) "
                    "(stream_trainer_last_retraining_timestamp_seconds)"
                },
                unit="s",
                width=8,
            )
        )
        .with_panel(
            lines(
                "How long it took",
                "The last retraining.",
                {"{{kind}}": "max by (kind) (stream_trainer_retraining_seconds)"},
                unit="s",
            )
        )
        .with_panel(
            lines(
                "The gate's checks of the last challenger",
                "1: passed. What failed and by how much is in the watch's log, and in "
                "*-gate.json in its folder.",
                {"{{kind}} {{check}}": "min by (kind, check) (stream_trainer_gate_check_passed)"},
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
    )
