"""A worker with the least rights, by SCRAM over TLS and by certificate, and what it does when one
of them is taken away while it runs.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stream_detector.kafka.rights import Right, rights_of
from stream_detector.settings.fields import Settings
from support.accounting import Sent, mixed_records, poison_records
from support.bench import Bench
from support.processes import ChildProcess
from support.secured_broker import KEY_PASSWORD, PASSWORD, SecuredBroker, connection_variables

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

MALICIOUS = b"http://paypal-secure-login.account-verify.xyz/signin.php"


class SecuredBench(Bench):
    """A bench whose workers log in by ``settings``; ``rights`` are all that they need."""

    def __init__(
        self, kafka: SecuredBroker, topics: Any, folder: Path, settings: Settings, **options: Any
    ) -> None:
        super().__init__(kafka.bootstrap_servers, topics, folder, **options)
        for name, value in connection_variables(settings).items():
            self.environment[f"STREAM_DETECTOR_{name}"] = value
        names = Settings(
            input_topics=[self.input],
            verdicts_topic=self.verdicts,
            alerts_topic=self.alerts,
            dead_letters_topic=self.dead_letters,
            group_id=self.group,
        )
        self.rights = rights_of("detector", names)

    def right_on(self, name: str) -> Right:
        (right,) = [right for right in self.rights if right.name == name]
        return right


def last_line(worker: ChildProcess) -> str:
    """The one line that says why it ended; nothing in the log is a traceback or a secret."""
    log = worker.log.read_text()
    for word in ("Traceback", PASSWORD, KEY_PASSWORD):
        assert word not in log, log
    lines = [json.loads(line) for line in log.splitlines()]
    # aiokafka tells for itself of each commit that was refused before it is given up.
    errors = [
        line
        for line in lines
        if line["level"] in {"error", "critical"} and not line["logger"].startswith("aiokafka.")
    ]
    assert [line["level"] for line in errors] == ["critical"], log
    assert lines[-1] == errors[0], log
    message: str = errors[0]["message"]
    return message


@pytest.fixture
def opened(secured_kafka: SecuredBroker, secured_topics: Any, tmp_path: Path) -> Iterator[Any]:
    """Makes benches of a user, and ends their workers."""
    benches: list[SecuredBench] = []

    def make(settings: Settings, **options: Any) -> SecuredBench:
        bench = SecuredBench(secured_kafka, secured_topics, tmp_path, settings, **options)
        benches.append(bench)
        return bench

    yield make
    for bench in benches:
        bench.close()


@pytest.mark.timeout(400)
def test_the_worker_as_shipped_needs_no_more_and_loses_nothing_when_a_right_is_taken_away(
    secured_kafka: SecuredBroker, opened: Any
) -> None:
    secured_kafka.add_user("detector")
    bench = opened(secured_kafka.scram_settings("detector"), command=("stream_detector", "run"))
    secured_kafka.grant("detector", bench.rights)
    bench.account.send([*mixed_records(2_000), *poison_records(50)])
    worker = bench.start_worker()
    bench.wait_until_committed(worker)
    bench.prove()

    alerts = bench.right_on(bench.alerts)
    secured_kafka.grant("detector", [right for right in bench.rights if right != alerts])
    bench.account.send(mixed_records(500, seed=2))
    urls = [MALICIOUS.replace(b"verify", b"verify%d" % number) for number in range(50)]
    bench.account.send([Sent(url, 1) for url in urls])
    assert worker.wait(120) == 1
    line = last_line(worker)
    assert f"topic {bench.alerts} may not be written" in line
    assert "WRITE" in line

    secured_kafka.grant("detector", bench.rights)
    worker = bench.start_worker()
    bench.wait_until_committed(worker)
    assert worker.stop() == 0
    bench.prove()
    assert bench.written(bench.alerts) >= len(urls)


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("taken", "listener"), [("input", "scram"), ("verdicts", "mutual"), ("group", "mutual")]
)
def test_a_right_taken_away_while_it_runs_is_named_and_nothing_is_lost(
    taken: str, listener: str, secured_kafka: SecuredBroker, opened: Any
) -> None:
    if listener == "scram":
        secured_kafka.add_user("detector")
        bench = opened(secured_kafka.scram_settings("detector"))
    else:  # By a certificate with an encrypted key.
        bench = opened(secured_kafka.mutual_settings("detector"))
    secured_kafka.grant("detector", bench.rights)
    bench.account.send([*mixed_records(1_000), *poison_records(50)])
    worker = bench.start_worker()
    bench.wait_until_committed(worker)

    name = getattr(bench, taken)
    right = bench.right_on(name)
    secured_kafka.grant("detector", [each for each in bench.rights if each != right])
    bench.account.send([*mixed_records(1_000, seed=2), *poison_records(50)])
    assert worker.wait(120) == 1
    line = last_line(worker)
    print(line)
    assert f"{right.resource} {name} may not be" in line
    assert right.operation in line

    secured_kafka.grant("detector", bench.rights)
    worker = bench.start_worker()
    bench.wait_until_committed(worker)
    assert worker.stop() == 0
    bench.prove()


@pytest.mark.parametrize("missing", ["alerts", "group"])
def test_a_worker_that_starts_without_a_right_names_it(
    missing: str, secured_kafka: SecuredBroker, opened: Any
) -> None:
    secured_kafka.add_user("detector")
    bench = opened(secured_kafka.scram_settings("detector"))
    name = getattr(bench, missing)
    right = bench.right_on(name)
    secured_kafka.grant("detector", [each for each in bench.rights if each != right])

    worker = bench.start_worker(ready=False)

    assert worker.wait(60) == 1
    line = last_line(worker)
    assert f"{right.resource} {name} may not be" in line
    assert "give " in line
    assert right.operation in line
