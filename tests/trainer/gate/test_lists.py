"""Lists are read for the kind of model, and judged by what the champion says already."""

import numpy as np
import pytest

from stream_detector.models.bundle import load_bundle
from stream_detector.models.device import choose_device, visible_gpus
from stream_detector.models.serving import warm_network
from stream_detector.settings.fields import DATA_FOLDER
from trainer.gate.decision import GateError
from trainer.gate.lists import (
    SHIPPED_MUST_ALERT,
    SHIPPED_MUST_NOT_ALERT,
    check_must_alert,
    check_must_not_alert,
    check_suspicious,
    read_texts,
)
from trainer.gate.options import GateOptions


def calls_malicious(*malicious):
    return lambda texts: np.array([text in malicious for text in texts])


def test_an_entry_is_read_for_the_kind_of_model(tmp_path):
    path = tmp_path / "own.txt"
    path.write_text(
        "# ours\n\ncorp.example\nWWW.Corp.example  # again\nintra.corp.example/x#part\n"
    )
    assert read_texts([path], "host") == ["corp.example"]
    assert read_texts([path], "url") == ["corp.example", "intra.corp.example/x"]


def test_more_suspicious_texts_than_chance_gives_refuse():
    texts = [f"site-{number}.example" for number in range(40)]
    calm, nervous = calls_malicious(*texts[:3]), calls_malicious(*texts[2:15])

    assert [check.passed for check in check_suspicious(texts, nervous, calm, GateOptions())] == [
        False
    ]
    assert [check.passed for check in check_suspicious(texts, calm, nervous, GateOptions())] == [
        True
    ]
    by_chance = calls_malicious(*texts[:6])
    assert check_suspicious(texts, by_chance, calm, GateOptions())[0].passed
    assert check_suspicious(texts, nervous, None, GateOptions()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"corp.example\nnot a domain\n", "own.txt, line 2: 'not a domain'"),
        (b"\xff\xfe", "own.txt, line 1: not UTF-8; save the list as UTF-8"),
        (None, "own.txt can't be read"),
    ],
)
def test_an_unreadable_list_is_an_error_with_its_place(tmp_path, content, message):
    path = tmp_path / "own.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(GateError, match=message):
        read_texts([path], "host")


def test_a_new_alert_on_a_text_that_must_not_alert_refuses():
    texts = ["a.example", "b.example", "c.example"]
    ours = calls_malicious("a.example", "b.example")

    check = check_must_not_alert(texts, ours, calls_malicious("a.example"))
    assert not check.passed
    assert check.figures["alerts"] == ["b.example"]
    assert check.figures["alerts_of_both"] == ["a.example"]
    assert "a.example" in check.message

    assert check_must_not_alert(texts, ours, ours).passed
    assert check_must_not_alert(texts, calls_malicious(), None).passed
    assert not check_must_not_alert(texts, ours, None).passed


def test_a_lost_alert_on_a_text_that_must_alert_refuses():
    texts = ["a.example", "b.example", "c.example"]
    ours = calls_malicious("a.example")

    check = check_must_alert(texts, ours, calls_malicious("a.example", "b.example"))
    assert not check.passed
    assert check.figures["missed"] == ["b.example"]
    assert check.figures["missed_by_both"] == ["c.example"]

    assert check_must_alert(texts, ours, ours).passed
    assert check_must_alert(texts, calls_malicious(*texts), None).passed
    assert not check_must_alert(texts, ours, None).passed


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["url", "host"])
def test_the_shipped_models_agree_with_the_shipped_lists(kind):
    bundle = load_bundle(DATA_FOLDER / "models" / kind, kind=kind)
    network = warm_network(bundle, choose_device("auto", visible_gpus()))

    def is_malicious(texts):
        return network.score(texts) >= bundle.thresholds.malicious

    must_not, must = (
        read_texts([path], kind) for path in (SHIPPED_MUST_NOT_ALERT, SHIPPED_MUST_ALERT)
    )
    assert len(must_not) >= 280
    assert len(must) >= (45 if kind == "url" else 15)
    not_alerting = check_must_not_alert(must_not, is_malicious, None)
    alerting = check_must_alert(must, is_malicious, None)
    assert not_alerting.passed, not_alerting.message
    assert alerting.passed, alerting.message
