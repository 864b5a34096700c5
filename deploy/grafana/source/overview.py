"""Overview, for a person at night: does it work, on all of it, in time, and is anything lost."""

from grafana_foundation_sdk.builders.dashboard import Dashboard
from panels import FULL, certificates, limits, lines, measured, number, row, versions
from reading import reading
from variables import dashboard

__all__ = ["overview"]

_LAG_KNOWN = "count(stream_detector_lag_seconds) >= sum(stream_detector_assigned_partitions)"
"""Of every partition that a worker has; none while Kafka does not tell where they end."""
_AGE = "stream_detector_record_age_seconds"
_LATE = (
    f'(1 - sum by (topic) (rate({_AGE}_bucket{{le="60.0"}}[2m]))'
    f" / sum by (topic) (rate({_AGE}_count[2m]))) >= 0"
)
"""Share of a topic's records that are late; not of topics of which nothing is done."""
_END = "topic_partition:stream_detector_end_offset:max"


def overview() -> Dashboard:
    """The dashboard to look at first."""
    made = dashboard(
        "stream-detector-overview",
        "stream-detector: overview",
        "Is it working, is all of it read, is it keeping up, is anything lost? Green: yes, "
        "yes, yes, no. What to do where it is not: deploy/runbook.md.",
        of="detector",
    )
    for add in (_working, reading, _keeping_up, _lost, _needs):
        made = add(made)
    return made


def _working(made: Dashboard) -> Dashboard:
    return (
        made.with_row(row("Is it working?"))
        .with_panel(
            number(
                "Workers ready",
                "Assigned, warm and committing. None: nothing is detected.",
                "sum(stream_detector_ready) or vector(0)",
                colours=limits(red=1, falling=True),
            )
        )
        .with_panel(
            number(
                "Workers that do not answer",
                "Of the selected jobs, known to Prometheus and not scraped. Of which group such a "
                "one is, nobody says.",
                'sum(1 - up{job="detector"}) or vector(0)',
                colours=limits(red=1),
            )
        )
        .with_panel(
            number(
                "Pages firing",
                "Alerts that wake a person; each has a section in deploy/runbook.md.",
                'count(ALERTS{service="stream-detector", severity="page", alertstate="firing"})'
                " or vector(0)",
                colours=limits(red=1),
            )
        )
        .with_panel(
            number(
                "Tickets firing",
                "Alerts that wait for the morning.",
                'count(ALERTS{service="stream-detector", severity="ticket", alertstate="firing"})'
                " or vector(0)",
                colours=limits(amber=1),
            )
        )
        .with_panel(
            number(
                "Records read",
                "From all input topics.",
                "sum(rate(stream_detector_records_total[$__rate_interval]))",
                unit="cps",
            )
        )
        .with_panel(
            number(
                "Starts in the last hour",
                "Of the worker that started most often; a ticket from 3 on.",
                'max(changes(process_start_time_seconds{job="detector"}[1h]))',
                colours=limits(amber=3),
            )
        )
        .with_panel(
            lines(
                "Alerts firing",
                "By name, over all that this Prometheus scrapes.",
                {
                    "{{alertname}} ({{severity}})": "count by (alertname, severity) "
                    '(ALERTS{service="stream-detector", alertstate="firing"})'
                },
                width=FULL,
                no_data="no alert fires",
            )
        )
    )


def _keeping_up(made: Dashboard) -> Dashboard:
    burn = "max by (topic) (topic:stream_detector_late_records:ratio_rate{}) / 0.01"
    return (
        made.with_row(row("Is it keeping up?"))
        .with_panel(
            measured(
                "Lag",
                "Age of the oldest uncommitted record. The objective is 60 s. Unknown "
                "while Kafka does not tell a worker where its partitions end.",
                "max(stream_detector_lag_seconds)",
                known=_LAG_KNOWN,
                unit="s",
                colours=limits(amber=30, red=60),
                width=6,
            )
        )
        .with_panel(
            measured(
                "Records behind",
                "In the input topics but not committed.",
                "sum(stream_detector_lag_records)",
                known=_LAG_KNOWN,
                width=6,
            )
        )
        .with_panel(
            measured(
                "Late now",
                "Of the records done in 2 minutes, those whose outputs were in Kafka more than "
                "60 s after them, of the worst topic. 1% is the objective; at 14.4% in an hour "
                "somebody is woken.",
                f"max({_LATE})",
                known=f"sum(rate({_AGE}_count[2m])) > 0",
                otherwise="nothing done",
                otherwise_colour="text",
                unit="percentunit",
                colours=limits(amber=0.01, red=0.144),
                width=6,
            )
        )
        .with_panel(
            number(
                "Records in work",
                "Read but not yet committed.",
                "sum(stream_detector_buffered_records)",
                width=6,
            )
        )
        .with_panel(
            lines(
                "Written and done",
                "Records a second that are written to the input topics, and committed. Where they "
                "part, lag grows.",
                {
                    "written {{topic}}": "sum by (topic) "
                    "(rate(stream_detector_end_offset[$__rate_interval]))",
                    "done {{topic}}": "sum by (topic) "
                    "(rate(stream_detector_committed_offset[$__rate_interval]))",
                },
                unit="cps",
            )
        )
        .with_panel(
            lines(
                "Lag",
                "Age of the oldest uncommitted record, in the worst partition of a topic.",
                {"{{topic}}": "max by (topic) (stream_detector_lag_seconds)"},
                unit="s",
                limit=60,
            )
        )
        .with_panel(
            lines(
                "Budget burned",
                "How many times as fast as the objective gives it (1% of the records may be late). "
                "Alerts: 14.4 over 1 h, 6 over 6 h, 1 over 3 d. Over all that this Prometheus "
                "scrapes.",
                {
                    "1 h {{topic}}": burn.format("1h"),
                    "6 h {{topic}}": burn.format("6h"),
                    "3 d {{topic}}": burn.format("3d"),
                },
                limit=14.4,
            )
        )
        .with_panel(
            lines(
                "From written to done",
                "Age of records when their outputs are in Kafka.",
                {
                    "half within": _age(0.5),
                    "99% within": _age(0.99),
                },
                unit="s",
                limit=60,
            )
        )
    )


def _age(share: float) -> str:
    return (
        f"histogram_quantile({share}, "
        "sum by (le) (rate(stream_detector_record_age_seconds_bucket[$__rate_interval])))"
    )


_SILENT = (
    f"sum by (topic) (increase({_END}[7d])) > 0"
    f" and sum by (topic) (last_over_time({_END}[5m]) - last_over_time({_END}[5m] offset 30m)) == 0"
    f" and count by (topic) (last_over_time({_END}[5m]) - last_over_time({_END}[5m] offset 30m))"
    f" == count by (topic) (last_over_time({_END}[35m]))"
)
"""As the alert InputSilent has it."""


def _lost(made: Dashboard) -> Dashboard:
    return (
        made.with_row(row("Is anything lost?"))
        .with_panel(
            number(
                "Dead letters in the last hour",
                "Records that could not be read. They are kept, with the reason, in the topic of "
                "dead letters. A few a day are usual: the share beside says whether it matters.",
                "sum(increase(stream_detector_dead_letters_total[1h]))",
                width=6,
                decimals=0,
            )
        )
        .with_panel(
            number(
                "Dead letters, worst topic",
                "Share of its records in 5 minutes; a page above 50%, a ticket above 2% of 30 "
                "minutes.",
                "max(sum by (topic) (rate(stream_detector_dead_letters_total[5m])) / "
                "sum by (topic) (rate(stream_detector_records_total[5m])) >= 0)",
                unit="percentunit",
                colours=limits(amber=0.02, red=0.5),
                width=6,
                decimals=2,
                no_data="no records",
            )
        )
        .with_panel(
            number(
                "Outputs sent again in 5 minutes",
                "Kafka refused them at first. The worker commits nothing until Kafka accepts them; "
                "a page after 10 minutes.",
                "sum(increase(stream_detector_publish_retries_total[5m]))",
                colours=limits(amber=1),
                width=6,
                decimals=0,
            )
        )
        .with_panel(
            measured(
                "Silent topics",
                "Input topics to which nothing was written for 30 minutes, and something within "
                "the week, of all that this Prometheus scrapes. Unknown while Kafka does not tell "
                "a worker where its partitions end.",
                f"(count({_SILENT}) or vector(0))",
                known=_LAG_KNOWN,
                colours=limits(amber=1),
                width=6,
            )
        )
        .with_panel(
            lines(
                "Dead letters",
                "Per minute, by topic and reason.",
                {
                    "{{topic}} {{reason}}": "60 * sum by (topic, reason) "
                    "(rate(stream_detector_dead_letters_total[$__rate_interval])) > 0"
                },
                unit="cpm",
                no_data="no dead letters",
            )
        )
        .with_panel(
            lines(
                "Errors",
                "Per minute, by class, with the retries of outputs.",
                {
                    "{{error}}": "60 * sum by (error) "
                    "(rate(stream_detector_errors_total[$__rate_interval]))",
                    "outputs sent again": "60 * "
                    "sum(rate(stream_detector_publish_retries_total[$__rate_interval]))",
                },
                unit="cpm",
                no_data="no errors",
            )
        )
    )


def _needs(made: Dashboard) -> Dashboard:
    return (
        made.with_row(row("What it takes"))
        .with_panel(
            lines(
                "CPU",
                "Cores in use, by worker.",
                {
                    "{{instance}}": "sum by (instance) "
                    '(rate(process_cpu_seconds_total{job="detector"}[$__rate_interval]))'
                },
                unit="short",
                width=8,
            )
        )
        .with_panel(
            lines(
                "Memory",
                "Resident memory by worker, and the records in work.",
                {
                    "{{instance}}": "sum by (instance) "
                    '(process_resident_memory_bytes{job="detector"})',
                    "in work {{instance}}": "sum by (instance) (stream_detector_buffered_bytes)",
                },
                unit="bytes",
                width=8,
            )
        )
        .with_panel(
            lines(
                "Open files",
                "Share of the process limit.",
                {
                    "{{instance}}": 'process_open_fds{job="detector"}'
                    ' / process_max_fds{job="detector"}'
                },
                unit="percentunit",
                width=8,
            )
        )
        .with_panel(
            lines(
                "Where time goes",
                "Seconds a second by stage; decide holds score and shadow. Near 1 in sum (parse, "
                "decide): the worker is at its end, and another one is needed.",
                {
                    "{{stage}}": "sum by (stage) "
                    "(rate(stream_detector_stage_seconds_sum[$__rate_interval]))"
                },
                unit="short",
                width=8,
            )
        )
        .with_panel(
            lines(
                "Batches",
                "Records in a batch, and how full that is: a full batch is a sign of a backlog.",
                {
                    "records": "sum(rate(stream_detector_batch_records_sum[$__rate_interval])) / "
                    "sum(rate(stream_detector_batch_records_count[$__rate_interval]))",
                    "full (1: yes)": "sum(rate(stream_detector_batch_fill_ratio_sum"
                    "[$__rate_interval])) / "
                    "sum(rate(stream_detector_batch_fill_ratio_count[$__rate_interval]))",
                },
                width=8,
            )
        )
        .with_panel(
            lines(
                "Free disk of the model store",
                "As each worker sees it; a ticket below 512 MiB, and a day before it is full.",
                {"{{instance}}": "stream_detector_model_store_free_bytes >= 0"},
                unit="bytes",
                width=8,
                limit=512 * 2**20,
                no_data="no model store, or none that is a folder",
            )
        )
        .with_panel(
            versions(
                "Version of the program",
                "By how many workers. More than one for longer than an update takes: it did not "
                "reach all of them.",
                "count by (version) (stream_detector_build_info)",
                {"version": "Version", "Value": "Workers"},
                width=8,
            )
        )
        .with_panel(certificates("detector", width=16))
    )
