"""What is said and counted of an offset that no detector committed."""

import logging

import pytest
from aiokafka import TopicPartition

from stream_detector.kafka.positions import report_foreign_commit
from stream_detector.metrics import Metrics

PARTITION = TopicPartition("proxy", 3)


def counted(metrics: Metrics, name: str) -> float:
    return metrics.registry.get_sample_value(f"stream_detector_{name}", {"topic": "proxy"}) or 0.0


@pytest.mark.parametrize(
    ("written", "offset", "level", "text", "passed_over"),
    [
        (100, 150, "ERROR", "50 records passed over and not scored", 50),
        (None, 150, "WARNING", "`stream-detector replay --from proxy:3:FIRST-149` scores them", 0),
    ],
)
def test_a_foreign_offset_is_counted_and_logged_with_the_command(
    written: int | None,
    offset: int,
    level: str,
    text: str,
    passed_over: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    metrics = Metrics()

    report_foreign_commit(metrics, PARTITION, written, offset)

    (record,) = caplog.records
    assert (record.levelname, text in record.getMessage()) == (level, True)
    assert counted(metrics, "foreign_commits_total") == 1
    assert counted(metrics, "passed_over_records_total") == passed_over


@pytest.mark.parametrize("written", [None, 100])
def test_a_group_set_back_to_the_beginning_has_passed_nothing_over(
    written: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    metrics = Metrics()

    report_foreign_commit(metrics, PARTITION, written, 0)

    (record,) = caplog.records
    assert record.levelname == "INFO"
    assert record.getMessage() == "proxy:3 was set back to its beginning: all of it is scored"
    assert counted(metrics, "foreign_commits_total") == 0
