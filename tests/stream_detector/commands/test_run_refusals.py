"""``run`` with settings that can't work, and stops before it has begun: as a user meets them."""

import json
import signal
import time
from pathlib import Path

import pytest

from support.broker import KafkaBroker
from support.commands import assert_one_line_error, run_command
from support.processes import ChildProcess, free_port, start_module, wait_until

pytestmark = pytest.mark.slow

NOT_EMPTY = "should not be empty"


@pytest.mark.parametrize(
    ("arguments", "settings", "toml", "parts"),
    [
        (["--group-id", ""], {}, "", ["group_id", NOT_EMPTY, "--group-id"]),
        (["--group-id", "  "], {}, "", ["group_id", NOT_EMPTY, "--group-id"]),
        ([], {}, 'group_id = ""', ["group_id", NOT_EMPTY, "detector.toml"]),
        (["--input-topics", ""], {}, "", ["input_topics", NOT_EMPTY, "--input-topics"]),
        ([], {"INPUT_TOPICS": " , "}, "", [NOT_EMPTY, "STREAM_DETECTOR_INPUT_TOPICS"]),
        ([], {}, 'bootstrap_servers = [""]', ["bootstrap_servers", NOT_EMPTY, "detector.toml"]),
        # With the prefix it would pass for a topic's name.
        (["--verdicts-topic", "", "--topic-prefix", "a."], {}, "", ["verdicts_topic", NOT_EMPTY]),
        (["--url-bundle", ""], {}, "", ["url_bundle", NOT_EMPTY, "--url-bundle"]),
        (["--model-store", " "], {}, "", ["model_store", NOT_EMPTY, "--model-store"]),
        (["--mask-queries", "verdicts,foo"], {}, "", ["mask_queries", "not 'foo'"]),
        (["--url-bundle", "nosuch"], {}, "", ["nosuch/manifest.json", "url_bundle (from the flag"]),
        ([], {"HOST_BUNDLE": "nosuch"}, "", ["host_bundle (from the environment, STREAM_DETEC"]),
        (
            ["--url-malicious-threshold", "0.0001"],
            *({}, ""),
            ["0.0001", "url_malicious_threshold (from the flag --url-malicious-threshold)"],
        ),
        (
            [],
            *({}, "host_suspicious_threshold = 1.0"),
            ["host_suspicious_threshold (from the file ", "detector.toml"],
        ),
    ],
)
def test_a_setting_that_can_not_work_is_refused_at_once_with_its_origin(
    arguments: list[str], settings: dict[str, str], toml: str, parts: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "detector.toml"
    file.write_text(toml)

    done = run_command("run", "--config", str(file), *arguments, settings=settings)

    # One line: the worker has not logged that it starts, let alone loaded a model.
    assert_one_line_error(done, 2, *parts)


def test_a_gpu_that_is_missing_is_a_wrong_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    nowhere = f"127.0.0.1:{free_port()}"

    done = run_command(
        *("run", "--device", "gpu", "--http-port", "0", "--bootstrap-servers", nowhere)
    )

    assert done.returncode == 2
    last = json.loads(done.stderr.splitlines()[-1])
    assert last["level"] == "critical"
    assert "device (from the flag --device)" in last["message"]


@pytest.mark.kafka
def test_missing_topics_are_reported_in_one_line_before_the_model_is_warm(
    kafka: KafkaBroker,
) -> None:
    done = run_command(
        *("run", "--http-port", "0", "--topic-prefix", "nowhere."),
        settings={"BOOTSTRAP_SERVERS": kafka.bootstrap_servers},
    )

    assert done.returncode == 1
    lines = [json.loads(line)["message"] for line in done.stderr.splitlines()]
    assert lines[-1] == (
        "topics nowhere.url-events, nowhere.url-verdicts, nowhere.url-alerts, "
        "nowhere.url-events-dlq are missing: `stream-detector topics create` makes them"
    )
    assert not [line for line in lines if "model warm" in line]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_before_the_worker_has_begun_ends_it_with_0(
    number: signal.Signals, tmp_path: Path
) -> None:
    worker = start_module("stream_detector", "run", "--http-port", "0", log=tmp_path / "log")
    wait_until(lambda: catches_sigterm(worker), timeout=60, what="a handler of the signal")
    assert worker.log.read_bytes() == b""  # The worker itself, which logs first, has no part in it.

    worker.send(number)

    assert worker.wait(30) == 0
    assert worker.log.read_bytes() == b""


def catches_sigterm(process: ChildProcess) -> bool:
    """Has the process a handler for SIGTERM? (For SIGINT Python always has.)"""
    time.sleep(0.005)
    status = Path(f"/proc/{process.pid}/status").read_text()
    (caught,) = [line for line in status.splitlines() if line.startswith("SigCgt:")]
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
