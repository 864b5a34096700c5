"""What is to be masked leaves a real worker neither into Kafka nor into its log."""

import json

import pytest

from stream_detector.kafka.verdict_ids import events_of
from stream_detector.privacy.pseudonyms import Pseudonyms
from stream_detector.settings.fields import Settings
from support.accounting import CLUSTER
from support.bench import Bench
from support.private_records import (
    BREAKS,
    CLIENT,
    FORMATS,
    FRAGMENT,
    PASSWORD,
    QUERY_VALUE,
    USER,
    as_json,
    as_plain,
    as_squid,
)
from support.records import produce, read_all

KEY = "a key of more than sixteen bytes"
ALL = "verdicts,alerts,dead_letters"

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def values() -> list[bytes]:
    """Whole and broken records in all formats; of many domains, so that some are malicious."""
    whole = [
        write(f"a{number}.evil.com/path?name={QUERY_VALUE}&b=c{QUERY_VALUE}#{FRAGMENT}")
        for number in range(40)
        for write in FORMATS.values()
    ] + [
        write(f"{USER}:{PASSWORD}@b{number}.evil.com/path?name={QUERY_VALUE}")
        for number in range(40)
        for write in (as_json, as_plain, as_squid)
    ]
    # Broken off and into in two places, of which neither lies within name and password.
    return whole + [
        breaks(value, place)
        for value in whole[::7]
        for breaks in BREAKS
        for place in (10, len(value) - 3)
    ]


@pytest.mark.timeout(300)
def test_no_output_and_no_log_line_of_a_worker_holds_masked_values(kafka, topics, tmp_path):
    key = tmp_path / "key"
    key.write_text(KEY + "\n")
    bench = Bench(
        kafka.bootstrap_servers,
        topics,
        tmp_path,
        STREAM_DETECTOR_CLIENT_PSEUDONYMS=ALL,
        STREAM_DETECTOR_CLIENT_KEY_FILE=str(key),
        STREAM_DETECTOR_MASK_QUERIES=ALL,
        STREAM_DETECTOR_URL_MALICIOUS_THRESHOLD="0.2",
        STREAM_DETECTOR_URL_SUSPICIOUS_THRESHOLD="0.1",
        STREAM_DETECTOR_LOG_LEVEL="debug",
    )
    try:
        sent = values()
        keys = [CLIENT.encode()] * len(sent)
        produce(kafka.bootstrap_servers, bench.input, sent, keys=keys)
        worker = bench.start_worker()
        bench.wait_until_committed(worker)
        assert worker.stop() == 0

        pseudonym = Pseudonyms(KEY.encode()).of(CLIENT)
        secrets = [CLIENT, QUERY_VALUE, FRAGMENT, USER, PASSWORD, KEY]
        for topic, least in ((bench.verdicts, 400), (bench.alerts, 1), (bench.dead_letters, 100)):
            records = read_all(kafka.bootstrap_servers, topic)
            assert len(records) >= least
            everything = b"\n".join(
                part
                for record in records
                for part in (record.key or b"", record.value or b"", *dict(record.headers).values())
            ).replace(b"\0", b"")
            assert pseudonym.encode() in everything
            found = [secret for secret in secrets if secret.lower().encode() in everything.lower()]
            assert not found, topic
        verdicts = [
            json.loads(record.value) for record in read_all(kafka.bootstrap_servers, bench.verdicts)
        ]
        masked = [each["id"] for each in verdicts if "name=***" in each["observed"]]
        settings = Settings(
            bootstrap_servers=[kafka.bootstrap_servers],
            cluster=CLUSTER,
            input_topics=[bench.input],
        )
        assert all(QUERY_VALUE in event.observed for event in events_of(settings, masked[:5]))

        log = worker.log.read_text()
        assert not [secret for secret in secrets if secret.lower() in log.lower()]
        logged = [json.loads(line) for line in log.splitlines()]
        counts = [count for line in logged for count in line.get("counts", ())]
        assert (bench.input, "invalid_url") in {(each["topic"], each["reason"]) for each in counts}
    finally:
        bench.close()


@pytest.mark.timeout(300)
def test_a_worker_logs_nothing_of_the_contents_of_poisoned_records(kafka, topics, tmp_path):
    bench = Bench(
        kafka.bootstrap_servers,
        topics,
        tmp_path,
        RULE_RAISES_ON=f"a1.evil.com/path?name={QUERY_VALUE}&b=c{QUERY_VALUE}",
        STREAM_DETECTOR_LOG_LEVEL="debug",
    )
    try:
        produce(kafka.bootstrap_servers, bench.input, values())
        worker = bench.start_worker()
        bench.wait_until_committed(worker)
        assert worker.stop() == 0
        log = worker.log.read_text().lower()
        for secret in (CLIENT, QUERY_VALUE, FRAGMENT, USER, PASSWORD):
            assert secret.lower() not in log
        topics_written = (bench.verdicts, bench.alerts, bench.dead_letters)
        records = [r for topic in topics_written for r in read_all(kafka.bootstrap_servers, topic)]
        assert ("reason", b"model_error") in [header for r in records for header in r.headers]
        passwords = [
            record
            for record in records
            if PASSWORD.encode() in (record.value or b"").replace(b"\0", b"")
        ]
        assert not passwords
    finally:
        bench.close()
