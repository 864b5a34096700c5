"""Whether all that is written is read: partitions, the consumer group, what was passed over."""

from grafana_foundation_sdk.builders.dashboard import Dashboard
from panels import limits, lines, number, row

__all__ = ["reading"]


def reading(made: Dashboard) -> Dashboard:
    """Add the row. All workers of a group export the same figures of the group."""
    there, owned = (
        _of_group(f"stream_detector_{name}_partitions", "topic") for name in ("topic", "owned")
    )
    return (
        made.with_row(row("Is all of it read?"))
        .with_panel(
            number(
                "Partitions that nobody reads",
                "Partitions of the input topics less those that detectors of the group own. A page "
                "after 3 minutes: a rebalance takes up to one.",
                f"sum({there}) - sum({owned})",
                colours=limits(red=1),
                width=6,
            )
        )
        .with_panel(
            number(
                "Strangers in the group",
                "Group members that are not detectors: nothing scores the records that they read.",
                f"sum({_of_group('stream_detector_foreign_members')})",
                colours=limits(red=1),
                width=6,
            )
        )
        .with_panel(
            number(
                "Input topics missing",
                "Set, but missing in Kafka.",
                f"sum({_of_group('stream_detector_input_topic_missing', 'topic')})",
                colours=limits(red=1),
                width=6,
            )
        )
        .with_panel(
            number(
                "Passed over in 6 hours",
                "Records whose offsets somebody else committed: they were not scored. "
                "`stream-detector replay --from` scores them.",
                "sum(increase(stream_detector_passed_over_records_total[6h]))",
                colours=limits(red=1),
                width=6,
                decimals=0,
            )
        )
        .with_panel(
            lines(
                "Partitions of the topics",
                "Existing, and owned by detectors, by topic.",
                {"there {{topic}}": f"sum by (topic) ({there})"}
                | {"owned {{topic}}": f"sum by (topic) ({owned})"},
            )
        )
        .with_panel(
            lines(
                "Partitions of the workers",
                "Of each worker, and rebalances of the group in an hour. Each member counts a "
                "rebalance: it is told once.",
                {
                    "{{instance}}": "sum by (instance) (stream_detector_assigned_partitions)",
                    "rebalances": "max(increase(stream_detector_rebalances_total[1h]))",
                },
            )
        )
    )


def _of_group(name: str, *labels: str) -> str:
    """The highest that a worker of each group tells: some may not have looked yet."""
    kept = ", ".join(("group", *labels))
    return (
        f"max by ({kept}) ({name} * on (job, instance) group_left (group) "
        "stream_detector_group_info)"
    )
