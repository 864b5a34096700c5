"""Overview, for a person at night: is it working, is it keeping up, is anything lost."""

from grafana_foundation_sdk.builders.dashboard import Dashboard
from panels import FULL, dashboard, limits, lines, measured, mishaps, number, row

__all__ = ["overview"]

_LAG_KNOWN = "count(stream_detector_lag_seconds) >= sum(stream_detector_assigned_partitions)"
"""Of every partition that a worker has; none while Kafka does not tell where they end."""
_END = "topic_partition:stream_detector_end_offset:max"


def overview() -> Dashboard:
    """The dashboard to look at first."""
    made = dashboard(
        "stream-detector-overview",
        "stream-detector: overview",
        "Is it working, is it keeping up, is anything lost? Green in the first row of each: yes, "
        "yes, no. What to do where it is not: deploy/runbook.md.",
    )
    for add in (_working, _keeping_up, _lost, _needs):
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
                "Known to Prometheus, and not scraped.",
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
                "Of all workers; more than one each was not asked for by an update.",
                'sum(changes(process_start_time_seconds{job="detector"}[1h]))',
                colours=limits(amber=3),
            )
        )
        .with_panel(
            lines(
                "Alerts firing",
                "By name. Nothing here is good.",
                {
                    "{{alertname}} ({{severity}})": "count by (alertname, severity) "
                    '(ALERTS{service="stream-detector", alertstate="firing"})'
                },
                width=FULL,
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
                "Age of the oldest record that is not committed. The objective is 60 s. Unknown "
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
                "Written to the input topics and not committed.",
                "sum(stream_detector_lag_records)",
                known=_LAG_KNOWN,
                width=6,
            )
        )
        .with_panel(
            number(
                "Late in the last hour",
                "Records whose outputs were in Kafka more than 60 s after them: 1% is the "
                "objective, at 14.4% somebody is woken.",
                "max(topic:stream_detector_late_records:ratio_rate1h)",
                unit="percentunit",
                colours=limits(amber=0.01, red=0.144),
                width=6,
                decimals=2,
            )
        )
        .with_panel(
            number(
                "Records in work",
                "Read and not yet committed.",
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
                "Age of the oldest record that is not committed, the worst partition of a topic.",
                {"{{topic}}": "max by (topic) (stream_detector_lag_seconds)"},
                unit="s",
                limit=60,
            )
        )
        .with_panel(
            lines(
                "Budget burned",
                "How many times as fast as the objective gives it (1% of the records may be late). "
                "Alerts: 14.4 over 1 h, 6 over 6 h, 1 over 3 d.",
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
            mishaps(
                "Dead letters in the last hour",
                "Records that could not be read. They are kept, with the reason, in the topic of "
                "dead letters.",
                "sum(increase(stream_detector_dead_letters_total[1h]))",
            )
        )
        .with_panel(
            number(
                "Dead letters, worst topic",
                "Share of its records in 5 minutes; a page above 50%, a ticket above 2% of 30 "
                "minutes.",
                "max(topic:stream_detector_dead_letters:ratio_rate5m)",
                unit="percentunit",
                colours=limits(amber=0.02, red=0.5),
                width=6,
                decimals=2,
            )
        )
        .with_panel(
            mishaps(
                "Outputs sent again in the last hour",
                "Kafka did not take them at once. Nothing is committed until it does.",
                "sum(increase(stream_detector_publish_retries_total[1h]))",
            )
        )
        .with_panel(
            measured(
                "Silent topics",
                "Input topics to which nothing was written for 30 minutes, and something within "
                "the week. Unknown while Kafka does not tell a worker where its partitions end.",
                f"(count({_SILENT}) or vector(0))",
                known=_LAG_KNOWN,
                colours=limits(amber=1),
                width=6,
            )
        )
        .with_panel(
            lines(
                "Dead letters",
                "A minute, by topic and reason.",
                {
                    "{{topic}} {{reason}}": "60 * sum by (topic, reason) "
                    "(rate(stream_detector_dead_letters_total[$__rate_interval])) > 0"
                },
                unit="cpm",
            )
        )
        .with_panel(
            lines(
                "Errors",
                "A minute, by class, with the retries of outputs.",
                {
                    "{{error}}": "60 * sum by (error) "
                    "(rate(stream_detector_errors_total[$__rate_interval]))",
                    "outputs sent again": "60 * "
                    "sum(rate(stream_detector_publish_retries_total[$__rate_interval]))",
                },
                unit="cpm",
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
                "Resident, by worker; and the records that are in work.",
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
                "Share of what the process may open.",
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
                "Partitions",
                "Of each worker, and rebalances of the group in an hour.",
                {
                    "{{instance}}": "sum by (instance) (stream_detector_assigned_partitions)",
                    "rebalances": "sum(increase(stream_detector_rebalances_total[1h]))",
                },
                width=8,
            )
        )
        .with_panel(
            lines(
                "Certificates",
                "Time until those in use expire, of workers and trainers, the first of each kind; "
                "a ticket below 14 days, a page below 0.",
                {
                    "{{certificate}} {{job}}": "min by (certificate, job) "
                    "(stream_detector_certificate_expiry_timestamp_seconds) - time()"
                },
                unit="s",
                width=FULL,
                signed=True,
            )
        )
    )
