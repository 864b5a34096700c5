"""What is played, in which world and in which order."""

from collections.abc import Sequence

from night.causes import (
    backlog,
    broker_away,
    burst,
    certificate_near_end,
    clock_off,
    damaged_bundle,
    foreign_consumer,
    input_topic_deleted,
    kafka_frozen,
    kafka_stopped,
    label_disk,
    model_store_away,
    output_topic_deleted,
    records_are,
    rolling_restart,
    silence,
    worker_frozen,
    worker_killed,
)
from night.play import Failure
from night.traffic import evil, garbage, ordinary_with_garbage
from night.world import Parts

__all__ = ["FAILURES", "WORLDS"]

_BUSY, _QUIET, _THIN = "url-events", "dns-events", "thin-events"
_RATES = {_BUSY: 30.0, _QUIET: 5.0}
# A backlog of the busy topic is 27% of its hour and 0.4% of its three days; a minute of the quiet
# topic is a third of its hour.
_DAYS_BEFORE = {_BUSY: 1000.0, _QUIET: 1.0}
_HOUR = 3600.0

WORLDS: Sequence[Parts] = [
    Parts("records", _RATES, _DAYS_BEFORE, workers=2),
    Parts("kafka", _RATES, _DAYS_BEFORE, trainer=True),
    # The thin topic has one replica: two partitions on the first broker, two on the third.
    Parts(
        "cluster",
        {**_RATES, _THIN: 5.0},
        {**_DAYS_BEFORE, _THIN: 1.0},
        brokers=3,
        thin={_THIN: [1, 1, 3, 3]},
    ),
]

_RECORDS: Sequence[Failure] = [
    Failure(
        "backlog",
        "calm: workers start on 100,000 records that have waited for a minute",
        "records",
        backlog(_BUSY, 100_000),
        within=30,
        starts_by_itself=True,
    ),
    Failure(
        "ordinary",
        "calm: a shortened hour of ordinary records, a dead letter in 200",
        "records",
        records_are(_BUSY, ordinary_with_garbage),
        within=360,
    ),
    Failure(
        "burst",
        "calm: 20,000 records at once, 10 of them malicious",
        "records",
        burst(_BUSY, 20_000, 10),
        within=30,
    ),
    Failure(
        "rolling-restart",
        "calm: the workers are restarted one after the other",
        "records",
        rolling_restart,
        within=20,
    ),
    Failure(
        "clock-behind",
        "a shipper's clock is 2 hours behind",
        "records",
        clock_off(_QUIET, -2 * _HOUR),
        within=60,
    ),
    Failure(
        "clock-ahead",
        "a shipper's clock is an hour ahead",
        "records",
        clock_off(_QUIET, _HOUR),
        within=45,
    ),
    Failure(
        "worker-killed",
        "one of two workers is killed, and stays away",
        "records",
        worker_killed,
        ["WorkerDown"],
        within=120,
    ),
    Failure(
        "worker-frozen",
        "one of two workers is frozen by SIGSTOP",
        "records",
        worker_frozen,
        ["WorkerDown"],
        within=120,
    ),
    Failure(
        "topic-deleted",
        "an input topic is deleted, and then made again",
        "records",
        input_topic_deleted(_QUIET),
        ["InputTopicMissing"],
    ),
    Failure(
        "foreign-consumer",
        "a consumer that is no detector joins the workers' group and commits",
        "records",
        foreign_consumer(_BUSY),
        ["ForeignMember", "RecordsPassedOver"],
        lasts=["RecordsPassedOver"],
    ),
]

_KAFKA: Sequence[Failure] = [
    Failure(
        "garbage",
        "all records of a topic are garbage",
        "kafka",
        records_are(_BUSY, garbage),
        ["DeadLettersMost"],
        also=["DeadLettersHigh"],
    ),
    Failure(
        "flood",
        "30 malicious URLs a second, after days with 9 alerts in 15 minutes",
        "kafka",
        records_are(_BUSY, evil),
        ["AlertFlood"],
        within=30,
    ),
    Failure(
        "disk-full",
        "the disk of the label store is full",
        "kafka",
        # Enough for the trainer to begin, and not for the labels that come.
        label_disk(64, 16),
        ["TrainerRestarts"],
        # Both by whether Prometheus comes between two starts.
        also=["TrainerNotReady", "DiskFull"],
        within=180,
        lasts=["TrainerRestarts"],
    ),
    Failure(
        "certificate",
        "a certificate ends in 5 days, and then is renewed",
        "kafka",
        certificate_near_end,
        ["CertificateExpiresSoon"],
        within=150,
    ),
    Failure("kafka-stopped", "Kafka stops", "kafka", kafka_stopped, ["DetectorNotReady"]),
    Failure(
        "kafka-frozen",
        "the only broker is frozen by SIGSTOP",
        "kafka",
        kafka_frozen,
        ["DetectorNotReady|LagUnknown"],
        # Where the worker had just begun, its few samples have no commit in them.
        also=["LagWithoutCommits"],
    ),
    Failure(
        "input-silent",
        "nothing is written to an input topic",
        "kafka",
        silence(_QUIET),
        ["InputSilent"],
        within=300,
    ),
    Failure(
        "disk-low",
        "the disk of the label store has 30 MiB left",
        "kafka",
        label_disk(32 * 1024, 30 * 1024),
        ["DiskFull"],
    ),
]

_CLUSTER: Sequence[Failure] = [
    Failure(
        "broker-dead",
        "calm: one broker of three is dead, each topic has replicas",
        "cluster",
        broker_away(2),
        within=60,
    ),
    Failure(
        "leaderless",
        "a broker is dead that alone has 2 of 12 partitions",
        "cluster",
        broker_away(3),
        ["LagUnknown"],
    ),
    Failure(
        "output-deleted",
        "the topic of alerts is deleted, and then made again",
        "cluster",
        output_topic_deleted("url-alerts", _QUIET),
        ["PublishErrors|LagWithoutCommits|DetectorNotReady"],
        within=150,
    ),
    Failure(
        "store-away",
        "the model store is away when a worker starts again",
        "cluster",
        model_store_away,
        ["ModelRefused", "ModelNotServed"],
        # It is the only worker: where its start takes a busy machine longer than 30 s, or 60 s.
        also=["DetectorNotReady", "LagBurnsSlowly"],
        within=180,
        resolves_within=120,
        lasts=["ModelRefused"],
    ),
    Failure(
        "damaged-bundle",
        "a damaged bundle is announced",
        "cluster",
        damaged_bundle,
        ["ModelRefused", "ModelNotServed"],
        within=150,
        lasts=["ModelRefused"],
    ),
]

FAILURES: Sequence[Failure] = [*_RECORDS, *_KAFKA, *_CLUSTER]
