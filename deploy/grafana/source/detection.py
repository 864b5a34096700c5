"""Detection, for whoever reads the alerts: verdicts, scores, formats, lists."""

from grafana_foundation_sdk.builders.dashboard import Dashboard
from panels import FULL, lines, note, number, row
from variables import dashboard

__all__ = ["detection"]

_DOMAINS = """\
Not from a metric: every domain would be a series of its own, for ever. The alerts have it, as
`url.registered_domain`, and so has their key, `client|registered domain`. Where alerts are kept:

| where alerts go | top 10 of the last day |
|---|---|
| Elasticsearch, OpenSearch | a terms aggregation on `url.registered_domain`, or in ES\\|QL: \
`FROM url-alerts \\| WHERE @timestamp > NOW() - 1 day \\| STATS alerts = COUNT(*) BY \
url.registered_domain \\| SORT alerts DESC \\| LIMIT 10` |
| Loki | `topk(10, sum by (domain) (count_over_time({topic="url-alerts"} \\| json \
domain="url.registered_domain" [1d])))` |
| nowhere but in Kafka | `kafka-console-consumer.sh --bootstrap-server kafka-1:9092 --topic \
url-alerts --from-beginning --timeout-ms 10000 \\| jq -r .url.registered_domain \\| sort \
\\| uniq -c \\| sort -rn \\| head` |

The first two need a shipper from the topic to there (Kafka Connect, Vector, Logstash, Promtail) and
a data source in Grafana; none comes with this dashboard. An alert stands for one client and domain
in an hour: `stream_detector.folded` is what the one before held back."""


_DAY_BEFORE = "avg_over_time(stream_detector_alerts:rate15m[1d] offset 15m)"
"""As the alert AlertFlood has it."""


def detection() -> Dashboard:
    """What was found."""
    made = dashboard(
        "stream-detector-detection",
        "stream-detector: detection",
        "Findings, by model or list, and by traffic.",
        of="detector",
    )
    for add in (_verdicts, _alerts, _scores, _traffic):
        made = add(made)
    return made


def _verdicts(made: Dashboard) -> Dashboard:
    share = (
        'sum(rate(stream_detector_verdicts_total{{verdict="{}"}}[1h]))'
        " / sum(rate(stream_detector_verdicts_total[1h])) >= 0"
    )
    return (
        made.with_row(row("Verdicts"))
        .with_panel(
            number(
                "Verdicts",
                "URLs and host names with a verdict.",
                "sum(rate(stream_detector_verdicts_total[$__rate_interval]))",
                unit="cps",
                width=6,
            )
        )
        .with_panel(
            number(
                "Malicious",
                "Share of the verdicts of an hour. On clean traffic it is near the rate of "
                "false positives that the threshold was set for, 0.1%.",
                share.format("malicious"),
                unit="percentunit",
                width=6,
                decimals=3,
                no_data="no verdicts",
            )
        )
        .with_panel(
            number(
                "Suspicious",
                "Share of the verdicts of an hour; the threshold was set for 1%.",
                share.format("suspicious"),
                unit="percentunit",
                width=6,
                decimals=3,
                no_data="no verdicts",
            )
        )
        .with_panel(
            number(
                "Alerts in the last hour",
                "One for each client and registered domain in an hour.",
                "sum(increase(stream_detector_alerts_total[1h]))",
                width=6,
                decimals=0,
            )
        )
        .with_panel(
            lines(
                "Verdicts",
                "Per second, by verdict.",
                {
                    "{{verdict}}": "sum by (verdict) "
                    "(rate(stream_detector_verdicts_total[$__rate_interval]))"
                },
                unit="cps",
            )
        )
        .with_panel(
            lines(
                "Not benign",
                "Share of the verdicts, by kind.",
                {
                    "{{verdict}} {{kind}}": "sum by (kind, verdict) "
                    '(rate(stream_detector_verdicts_total{verdict!="benign"}[$__rate_interval]))'
                    " / on (kind) group_left sum by (kind) "
                    "(rate(stream_detector_verdicts_total[$__rate_interval]))"
                },
                unit="percentunit",
            )
        )
    )


def _alerts(made: Dashboard) -> Dashboard:
    return (
        made.with_row(row("Alerts"))
        .with_panel(
            lines(
                "Alerts",
                "Per minute, by kind, and the malicious verdicts that an alert window held back.",
                {
                    "{{kind}}": "60 * sum by (kind) "
                    "(rate(stream_detector_alerts_total[$__rate_interval]))",
                    "held back {{kind}}": "60 * sum by (kind) "
                    "(rate(stream_detector_alerts_folded_total[$__rate_interval]))",
                },
                unit="cpm",
            )
        )
        .with_panel(
            lines(
                "Alerts against the day before",
                "A minute over 15 minutes. A page above 10 times the mean of the day before these, "
                "and above 20 a minute, while they go on; not on the first day. Over all that this "
                "Prometheus scrapes.",
                {
                    "now": "60 * stream_detector_alerts:rate15m",
                    "the day before": f"60 * {_DAY_BEFORE}",
                    "a page above": f"60 * clamp_min(10 * {_DAY_BEFORE}, 20 / 60)",
                },
                unit="cpm",
            )
        )
        .with_panel(
            note("Top registered domains by alert", _DOMAINS.splitlines(), width=FULL, height=9)
        )
    )


def _scores(made: Dashboard) -> Dashboard:
    above = (
        '1 - sum by (kind) (rate(stream_detector_score_bucket{{le="{}"}}[$__rate_interval]))'
        " / sum by (kind) (rate(stream_detector_score_count[$__rate_interval]))"
    )
    return (
        made.with_row(row("Scores and who decides"))
        .with_panel(
            lines(
                "Scores above",
                "Share of the texts that the model scored; remembered texts do not count again.",
                {f"{bound} {{{{kind}}}}": above.format(bound) for bound in ("0.1", "0.5", "0.9")},
                unit="percentunit",
                width=8,
            )
        )
        .with_panel(
            lines(
                "Decided by",
                "Verdicts per second by who decided: the model, the allow list or the deny list.",
                {
                    "{{reason}}": "sum by (reason) "
                    "(rate(stream_detector_verdicts_total[$__rate_interval]))"
                },
                unit="cps",
                width=8,
            )
        )
        .with_panel(
            lines(
                "Remembered",
                "Share of the lookups that need no scoring, because the worker remembers the text.",
                {
                    "hits": 'sum(rate(stream_detector_cache_lookups_total{result="hit"}'
                    "[$__rate_interval])) / "
                    "sum(rate(stream_detector_cache_lookups_total[$__rate_interval]))"
                },
                unit="percentunit",
                width=8,
                highest=1,
            )
        )
    )


def _traffic(made: Dashboard) -> Dashboard:
    return (
        made.with_row(row("What comes in"))
        .with_panel(
            lines(
                "Formats",
                "URLs and host names per second, by format and kind.",
                {
                    "{{format}} {{kind}}": "sum by (format, kind) "
                    "(rate(stream_detector_events_total[$__rate_interval]))"
                },
                unit="cps",
                width=8,
            )
        )
        .with_panel(
            lines(
                "Passed over",
                "Lines per second that name no URL (answers, flows), by format.",
                {
                    "{{format}}": "sum by (format) "
                    "(rate(stream_detector_ignored_lines_total[$__rate_interval]))"
                },
                unit="cps",
                width=8,
                no_data="no such lines",
            )
        )
        .with_panel(
            lines(
                "Dead letters",
                "Share of a topic's records that the worker could not parse, over 30 minutes.",
                {
                    "{{topic}}": "sum by (topic) (rate(stream_detector_dead_letters_total[30m])) / "
                    "sum by (topic) (rate(stream_detector_records_total[30m]))"
                },
                unit="percentunit",
                width=8,
                limit=0.02,
            )
        )
    )
