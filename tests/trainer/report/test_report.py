"""A report of a model whose every figure can be counted by hand."""

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from stream_detector.events import Thresholds
from stream_detector.terminal.progress import Progress
from trainer.examples.datasets import Dataset
from trainer.report.figures import Candidate, measure_model
from trainer.report.making import make_report

ROWS = 2000
HOSTILE = "evil.example/<script>alert(1)</script>|[x](javascript:y)"


def dataset():
    """Half malicious; of 1,000 benign texts ten look bad, of the malicious ones 200 look good."""
    texts = [f"good{number}.example" for number in range(ROWS // 2)]
    texts += [f"evil{number}.example/a" for number in range(ROWS // 2)]
    texts[-1] = HOSTILE
    labels = np.repeat([0, 1], ROWS // 2).astype(np.int8)
    sources = np.array(["list"] * 1000 + ["feed"] * 600 + ["dump"] * 400)
    kinds = np.array(["ben"] * 1000 + ["phish"] * 1000)
    return Dataset(texts, labels, np.array(["test"] * ROWS), sources, kinds, {})


def score(texts):
    def one(text):
        if text.startswith("good"):
            return 0.9 if int(text[4:-8]) < 10 else 0.1
        number = text[4 : text.index(".")]
        return 0.05 if number.isdigit() and int(number) < 200 else 0.95

    return np.array([one(text) for text in texts], np.float32)


RULE = Candidate("rule", "rule", score, Thresholds(0.5, 0.92))


def report_of(folder, *candidates, rows=None):
    """A report of ``candidates`` in ``folder``."""
    make_report(
        folder,
        candidates,
        rows or dataset(),
        kind="url",
        title="Rules",
        command="stream-trainer evaluate",
        data="2,000 rows",
        progress=Progress(),
    )


def measured(**options):
    return measure_model(RULE, dataset(), kind="url", **options)[0]


def test_figures_are_those_counted_by_hand():
    figures = measured()
    assert (figures.rows, figures.malicious) == (2000, 1000)
    at_1, at_01, at_001 = figures.detections
    assert at_1.tpr.value == at_01.tpr.value == pytest.approx(0.8)
    assert at_1.tpr.low < 0.8 < at_1.tpr.high
    assert (at_1.enough, at_01.enough, at_001.enough) == (True, False, False)
    suspicious, malicious = figures.thresholds
    assert (suspicious.true_positives, suspicious.false_positives) == (800, 10)
    assert (malicious.true_positives, malicious.false_positives) == (800, 0)
    one_in_a_thousand = figures.base_rates[0]
    assert one_in_a_thousand.false_alerts_per_million == pytest.approx(0.01 * 0.999 * 1e6)
    assert one_in_a_thousand.precision == pytest.approx(0.0008 / (0.0008 + 0.00999))
    groups = {group.name: group for group in figures.groups["source"]}
    assert groups["list"].flagged.value == pytest.approx(0.01)
    assert groups["feed"].tpr.value == pytest.approx(400 / 600)
    assert groups["dump"].tpr.value == 1.0
    assert [one.text for one in figures.worst_flagged] == [
        f"good{number}.example" for number in range(10)
    ]
    assert [one.score for one in figures.worst_missed] == pytest.approx([0.05] * 15)


def with_times(*times):
    """The rows with as many of each of ``times`` as fit, the last quarter without one."""
    each = np.resize([np.datetime64(time, "s").astype(float) for time in times], ROWS)
    each[ROWS * 3 // 4 :] = np.nan
    return dataset()._replace(times=each)


def by_period(rows):
    figures, _ = measure_model(RULE, rows, kind="url")
    return figures.groups.get("period")


def test_rows_with_times_are_grouped_by_month_and_those_without_are_in_no_period():
    months = by_period(with_times("2026-03-31T23:59:59", "2026-04-01", "2025-12-05"))
    assert [month.name for month in months] == ["2025-12", "2026-03", "2026-04"]
    assert [month.malicious + month.benign for month in months] == [500, 500, 500]
    assert sum(month.benign for month in months) == 1000
    # Of the first 500 malicious rows 200 are missed, whatever the month.
    assert sum(month.tpr.value * month.malicious for month in months) == pytest.approx(300)


def test_times_of_more_than_two_years_are_grouped_by_year():
    assert [month.name for month in by_period(with_times("2024-01-31", "2025-12-01"))] == [
        "2024-01",
        "2025-12",
    ]
    years = by_period(with_times("2024-01-31", "2026-01-01"))
    assert [year.name for year in years] == ["2024", "2026"]
    assert by_period(dataset()) is None


def test_benign_rows_are_grouped_by_type_of_traffic():
    rows = dataset()
    rows.texts[0] = "good0.example/feed"
    feeds = Candidate(
        "rule",
        "rule",
        lambda texts: np.array(["feed" in text for text in texts], np.float32),
        Thresholds(0.5, 1.1),
    )
    figures, _ = measure_model(feeds, rows, kind="url")
    front_pages, feed = figures.traffic
    assert (front_pages.name, front_pages.rows) == ("front page", 999)
    assert front_pages.suspicious.value == 0 < front_pages.suspicious.high < 0.01
    assert (feed.name, feed.rows, feed.suspicious.value) == ("feed", 1, 1.0)
    assert feed.malicious.value == 0


def test_transformations_that_canonical_form_undoes_cost_nothing_and_others_are_measured():
    losses = {one.transformation: one for one in measured().robustness}
    assert losses["user name"].points_lost == 0
    assert losses["user name"].rows == 1000
    assert losses["ordinary name before the host"].tpr_after == 1.0


def test_the_files_say_what_was_measured(tmp_path):
    history = [
        {"number": 1.0, "loss": 0.5, "validation_auc": 0.9},
        {"number": 2.0, "loss": 0.4, "validation_auc": 0.95},
    ]
    make_report(
        tmp_path,
        [
            Candidate("rule", "rule", score, Thresholds(0.5, 0.92), history),
            Candidate(
                "flat",
                "noise",
                lambda texts: np.full(len(texts), 0.5, np.float32),
                Thresholds(0.5, 0.9),
            ),
        ],
        dataset(),
        kind="url",
        title="Rule & flat",
        command="stream-trainer evaluate",
        data="2,000 rows",
        progress=Progress(),
    )
    report = json.loads((tmp_path / "report.json").read_text())
    assert [model["name"] for model in report["models"]] == ["rule", "flat"]
    auc = next(one for one in report["differences"] if one["statistic"] == "ROC AUC")
    assert auc["interval"]["value"] == pytest.approx(0.5 - report["models"][0]["roc_auc"])
    page = (tmp_path / "report.html").read_text()
    assert "<script>" not in page
    assert "Rule &amp; flat" in page
    text = (tmp_path / "report.md").read_text()
    assert "[x](javascript" not in text
    assert "compare the malicious rows of a group with the benign rows of all groups" in text
    assert "0.800 (0.774 to 0.824)" in text
    assert "| front page | 1,000 | 1.00% (0.54% to 1.83%) | 0.00% (0.00% to 0.38%) |" in text
    assert report["models"][0]["traffic"][0]["rows"] == 1000
    assert "ordinary traffic" in page
    drawn = {path.name for path in (tmp_path / "plots").iterdir()}
    assert drawn == {
        "roc.svg",
        "calibration-rule.svg",
        "calibration-flat.svg",
        "history-rule.svg",
    }
    for path in (tmp_path / "plots").iterdir():
        assert ET.parse(path).getroot().tag.endswith("svg")
        assert f"plots/{path.name}" in text


def test_only_errors_are_among_the_worst_rows(tmp_path):
    report_of(
        tmp_path,
        Candidate(
            "right",
            "rule",
            lambda texts: np.array([not one.startswith("good") for one in texts], np.float32),
            Thresholds(0.5, 0.9),
        ),
    )
    model = json.loads((tmp_path / "report.json").read_text())["models"][0]
    assert model["worst_missed"] == model["worst_flagged"] == []
    text = (tmp_path / "report.md").read_text()
    assert "Malicious rows below the threshold of suspicious (0.5000): none." in text
    assert "Benign rows at or above the threshold of suspicious (0.5000): none." in text


def test_a_difference_that_too_few_benign_rows_set_is_not_a_figure(tmp_path):
    rows = dataset()
    few = rows.rows(np.arange(100, ROWS))
    report_of(tmp_path, RULE, RULE._replace(name="same"), rows=few)
    auc, tpr = json.loads((tmp_path / "report.json").read_text())["differences"]
    assert auc["interval"]["value"] == 0
    assert (tpr["statistic"], tpr["interval"]) == ("TPR at FPR 1%", None)
    (line,) = [
        line
        for line in (tmp_path / "report.md").read_text().splitlines()
        if line.startswith("| same | rule | TPR")
    ]
    assert line.endswith("| too few benign rows |")


def test_rates_that_too_few_benign_rows_set_are_not_figures(tmp_path):
    make_report(
        tmp_path,
        [Candidate("rule", "rule", score, Thresholds(0.5, 0.92))],
        dataset(),
        kind="url",
        title="Rule",
        command="",
        data="",
        progress=Progress(),
    )
    line = next(
        line for line in (tmp_path / "report.md").read_text().splitlines() if line[:7] == "| rule "
    )
    assert line.count("too few benign rows") == 2


@pytest.mark.parametrize("quote_rows", [True, False])
def test_rows_are_quoted_by_default(tmp_path, quote_rows):
    make_report(
        tmp_path,
        [Candidate("rule", "rule", score, Thresholds(0.5, 0.92))],
        dataset(),
        kind="url",
        title="Rule",
        command="",
        data="",
        quote_rows=quote_rows,
        progress=Progress(),
    )
    for name in ("report.md", "report.html", "report.json"):
        assert ("good0.example" in (tmp_path / name).read_text()) == quote_rows


def test_no_password_in_a_url_is_quoted(tmp_path):
    rows = dataset()
    rows.texts[:] = [f"{text}/?to=http%253A%252F%252Fkim%253Asecretpw%2540h" for text in rows.texts]

    def score_hosts(texts):
        return score([text.partition("/")[0] for text in texts])

    report_of(tmp_path, RULE._replace(score=score_hosts), rows=rows)
    for name in ("report.md", "report.html", "report.json"):
        text = (tmp_path / name).read_text()
        assert "***%2540h" in text or "\\*\\*\\*%2540h" in text
        assert "secretpw" not in text
