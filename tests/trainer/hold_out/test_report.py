"""The report of held-out sources: means over sources, differences, benign sources."""

import json
import os
from datetime import UTC, datetime

import pytest

from trainer.hold_out.measuring import Fold, HeldOutBenign, HeldOutMalicious, Training
from trainer.hold_out.report import HoldOutReport, content, family_means, held_out_table
from trainer.measuring.evaluation import Detection
from trainer.measuring.statistics import wilson
from trainer.report.rendering import write_report


def training(family, malicious, auc, found, benign=(), *, benign_rows=10_000):
    detections = [
        Detection(rate, 0.5, wilson(share, 100), benign_rows, benign_rows * rate >= 10)
        for rate, share in zip((0.01, 0.001), found, strict=True)
    ]
    return Training(
        identity="",
        family=family,
        fold=Fold(malicious, tuple(name for name, *_ in benign)),
        train_rows=1000,
        benign_test_rows=benign_rows,
        seconds=1.0,
        malicious=HeldOutMalicious(malicious, 100, auc, detections) if malicious else None,
        benign=[HeldOutBenign(name, rows, wilson(of, rows)) for name, of, rows in benign],
    )


TRAININGS = [
    training("first", "feed_a", 0.9, (50, 20), [("list_a", 2, 100), ("list_b", 9, 100)]),
    training("second", "feed_a", 0.95, (60, 10), [("list_a", 0, 100), ("list_b", 1, 100)]),
    training("first", "feed_b", 0.8, (30, 10), [("list_a", 4, 100)]),
    training("second", "feed_b", 0.79, (34, 16)),
    training("first", "", 0, (0, 0), [("list_c", 0, 50)]),
]


def test_means_count_each_source_the_same_and_differences_are_of_sources_that_both_have():
    first, second = family_means(TRAININGS, ["first", "second"])
    assert (first.groups, second.groups, second.compared) == (2, 2, 2)
    assert first.means["ROC AUC"] == pytest.approx(0.85)
    assert first.means["TPR at FPR 1%"] == pytest.approx(0.4)
    assert second.differences["ROC AUC"] == pytest.approx(0.02)
    assert second.differences["TPR at FPR 1%"] == pytest.approx(0.07)
    assert second.better == {"ROC AUC": 1, "TPR at FPR 1%": 2, "TPR at FPR 0.1%": 1}


def test_of_a_stopped_run_only_common_sources_are_compared():
    first, second = family_means(TRAININGS[:3], ["first", "second", "never_begun"])
    assert (first.groups, second.groups, second.compared) == (2, 1, 1)
    assert second.differences["TPR at FPR 1%"] == pytest.approx(0.1)


def test_a_benign_source_of_several_folds_has_their_mean_and_the_interval_of_its_rows():
    first, second = family_means(TRAININGS, ["first", "second"])
    assert [one.name for one in first.benign] == ["list_b", "list_a", "list_c"]
    list_a = first.benign[1]
    assert (list_a.rows, list_a.flagged) == (100, wilson(3, 100))
    assert first.flagged == pytest.approx((0.09 + 0.03 + 0) / 3)
    assert second.flagged == pytest.approx(0.005)


def test_rates_that_too_few_benign_rows_set_have_no_mean():
    few = [training("first", "feed_a", 0.9, (50, 20), benign_rows=5000)]
    (_, row, mean) = held_out_table(few, family_means(few, ["first"])).rows
    assert row[4:] == ["0.500 (0.404 to 0.596)", "too few benign rows"]
    assert mean == ["mean of 1", "", "first", "0.9000", "0.5000", ""]


def test_the_files_say_all_of_it(tmp_path):
    report = HoldOutReport(
        title="Never seen",
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
        command="stream-trainer hold-out",
        data="300 rows",
        notes=["Incomplete."],
        by="source",
        families=family_means(TRAININGS, ["first", "second"]),
        trainings=TRAININGS,
    )
    mask = os.umask(0)
    try:
        write_report(tmp_path / "new", report, content(report), plots={})
    finally:
        os.umask(mask)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "new").iterdir()} == {0o600}
    text = (tmp_path / "new/report.md").read_text()
    lines = text.splitlines()
    assert "| feed\\_a | 100 | first | 0.9000 | 0.500 (0.404 to 0.596) |" in text
    assert "| mean of 2 |  | second | 0.8700 | 0.4700 | 0.1300 |" in lines
    assert "+0.0700 (higher in 2 of 2)" in text
    assert "| list\\_c | 50 | 0.00% (0.00% to 7.13%) |  |" in lines
    page = (tmp_path / "new/report.html").read_text()
    assert "<td>feed_b</td>" in page
    assert "Incomplete." in page
    written = json.loads((tmp_path / "new/report.json").read_text())
    assert written["families"][1]["differences"]["ROC AUC"] == pytest.approx(0.02)
    assert len(written["trainings"]) == 5
