"""An example fails on a wrong exit code, on a stack trace, and if it ends too early."""

import pytest

from stream_detector.system.child_processes import ProcessEndedError

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("stream-detector score", "ended with 2"),
        ("stream-detector scores example.com", "did you mean score?"),
        ("stream-trainer labels show --store no-labels", "ended with 1"),
        ("python -c 'raise ValueError'; true", "ended in a stack trace"),
        ("stream-detektor run", "ended with 127"),
        ("stream-detector settings --json | grep -q soc-team", "ended with 1"),
    ],
)
def test_a_failing_example_is_shown_with_its_output(run_lines, line, said):
    with pytest.raises(AssertionError) as caught:
        run_lines([[line]], state="nothing")

    assert said in str(caught.value)
    assert line in str(caught.value)


def test_a_worker_that_does_not_start_is_shown(run_lines):
    with pytest.raises(ProcessEndedError, match="batch_records"):
        run_lines([["stream-detector run --batch-records 0"]], state="nothing")


def test_a_line_has_the_variables_that_the_line_before_exported(run_lines):
    lines = [
        "export STREAM_DETECTOR_GROUP_ID=soc-team STREAM_DETECTOR_CLUSTER=here",
        "stream-detector settings --json | grep -q soc-team",
    ]

    run_lines([lines], state="nothing")
