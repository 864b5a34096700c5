"""A broker whose certificate goes bad under a running worker: one line says so, nothing is lost."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stream_detector.kafka.rights import rights_of
from stream_detector.settings.fields import Settings
from support.accounting import mixed_records
from support.bench import Bench
from support.certificates import CertificateAuthority
from support.processes import ChildProcess, wait_for_line
from support.secured_broker import PASSWORD, SecuredBroker, connection_variables

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[SecuredBroker]:
    """A broker of the test's own, which it may restart."""
    with SecuredBroker(tmp_path / "kafka") as broker:
        yield broker


@pytest.fixture
def bench(kafka: SecuredBroker, tmp_path: Path) -> Iterator[Bench]:
    kafka.add_user("detector")
    settings = kafka.scram_settings("detector")

    def create(label: str, *, partitions: int, **options: str) -> str:
        kafka.create_topic(label, partitions=partitions, **options)
        return label

    variables = connection_variables(settings).items()
    environment: Any = {f"STREAM_DETECTOR_{name}": value for name, value in variables}
    environment["STREAM_DETECTOR_BOOTSTRAP_SERVERS"] = kafka.address("scram")
    bench = Bench(kafka.bootstrap_servers, create, tmp_path, **environment)
    names = Settings(
        input_topics=[bench.input],
        verdicts_topic=bench.verdicts,
        alerts_topic=bench.alerts,
        dead_letters_topic=bench.dead_letters,
        group_id=bench.group,
    )
    kafka.grant("detector", rights_of("detector", names))
    yield bench
    bench.close()


def readiness(bench: Bench) -> tuple[int, str]:
    """Status and text of the worker's ``/readyz``."""
    url = f"http://127.0.0.1:{bench.ports[-1]}/readyz"
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def wait_until_ready(bench: Bench, worker: ChildProcess) -> None:
    worker.wait_until(lambda: readiness(bench)[0] == 200, timeout=120, what="it is ready")


@pytest.mark.timeout(400)
@pytest.mark.parametrize("fault", ["expired", "strange"])
def test_one_line_reports_it_until_a_good_one_is_back_and_nothing_is_lost(
    fault: str, kafka: SecuredBroker, bench: Bench, tmp_path: Path
) -> None:
    good = kafka.authority.issue("good")
    if fault == "expired":
        bad, reason = kafka.authority.issue("bad", days_left=-1), "certificate has expired"
    else:
        bad = CertificateAuthority(tmp_path / "strange", "strange-ca").issue("broker")
        reason = "is not trusted"
    bench.account.send(mixed_records(3_000))
    worker = bench.start_worker()
    bench.wait_for_verdicts(500, worker)

    kafka.stop()
    kafka.take_certificate(bad)
    kafka.start()
    line = wait_for_line(worker, reason, timeout=120)
    print(line)
    assert f"the TLS certificate of Kafka at {kafka.address('scram')} is not" in line
    assert "trying again" in line
    status, text = readiness(bench)
    assert status == 503
    assert reason in text
    assert kafka.address("scram") in text
    bench.account.send(mixed_records(1_000, seed=2))

    kafka.stop()
    kafka.take_certificate(good)
    kafka.start()
    wait_until_ready(bench, worker)
    bench.wait_until_committed(worker)
    bench.prove()
    assert worker.stop() == 0
    log = worker.log.read_text()
    assert "reached again" in log
    for word in ("Traceback", PASSWORD):
        assert word not in log
