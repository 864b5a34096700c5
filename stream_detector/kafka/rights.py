"""The least rights (ACLs) that each part needs in Kafka: one table.

The checks of topics and groups require these rights, ``stream-detector topics acls`` prints them,
and the tests give a broker's user these rights and no others.

READ and WRITE imply DESCRIBE in Kafka. No part needs a right on the cluster: anybody may ask for
the cluster's id, and nothing is transactional.
"""

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from stream_detector.settings.fields import Settings

Operation = Literal["READ", "WRITE", "CREATE", "DESCRIBE", "DESCRIBE_CONFIGS"]
Part = Literal[
    "detector",
    "topic-maker",
    "labeller",
    "feed-labeller",
    "verdict-labeller",
    "label-collector",
    "model-publisher",
    "trainer",
    "reporter",
    "dead-letter-reader",
    "dead-letter-replayer",
    "log-shipper",
    "consumer",
    "scaler",
]

PARTS: Mapping[Part, str] = {
    "detector": "stream-detector run, doctor, topics check, replay --from",
    "topic-maker": "stream-detector topics create",
    "labeller": "stream-detector label of an analyst",
    "feed-labeller": "stream-detector label --feed, and what else writes a feed's labels",
    "verdict-labeller": "stream-detector label --verdict-id, which reads input topics",
    "label-collector": "stream-trainer labels collect",
    "model-publisher": "stream-trainer models publish, promote, rollback, list; gate, retrain",
    "trainer": "stream-trainer watch, which collects labels, retrains and publishes",
    "reporter": "stream-trainer drift and shadow report, which read without a group",
    "dead-letter-reader": "stream-detector dead-letters list and show, without a group",
    "dead-letter-replayer": "stream-detector dead-letters replay, which writes to input topics and "
    "reads there what dead letters withhold",
    "log-shipper": "what writes log records into the input topics, as stream-detector replay does",
    "consumer": "what reads verdicts, alerts and dead letters, as a consumer group",
    "scaler": "what reads the lag of the detectors' group, such as KEDA",
}
"""The purpose of each part."""


class Right(NamedTuple):
    """One operation on one topic or consumer group, by its full name."""

    resource: Literal["topic", "group"]
    name: str
    operation: Operation

    def __str__(self) -> str:
        return f"{self.operation} on {self.resource} {self.name}"


def rights_of(part: Part, settings: Settings, *, consumer_group: str = "") -> list[Right]:
    """The rights that ``part`` needs with these settings, and no others.

    ``consumer_group`` is the group of ``consumer``. Topics of announced models and of shadows are
    included only with a ``model_store``.
    """
    inputs = settings.input_topic_names
    outputs = settings.output_topic_names
    dead_letters = [settings.dead_letters_topic_name]
    labels, feed_labels, label_dead_letters = settings.label_topic_names
    models, shadows = settings.announcement_topic_names, settings.shadow_topic_names
    every = [*inputs, *outputs, *settings.label_topic_names, *models, *shadows]
    collecting = [
        *_topics([labels, feed_labels], "READ"),
        *_topics([label_dead_letters], "WRITE"),
        Right("group", settings.labels_group_id, "READ"),
    ]
    publishing = _topics(models, "READ", "WRITE")
    needed: dict[Part, list[Right]] = {
        "detector": [
            *_topics([*inputs, *models], "READ"),
            *_topics([*outputs, *shadows], "WRITE"),
            Right("group", settings.group_id, "READ"),
        ],
        "topic-maker": [
            *_topics(every, "CREATE", "DESCRIBE"),
            # The topic of dead letters has to accept the largest input record.
            *_topics(inputs, "DESCRIBE_CONFIGS"),
        ],
        "labeller": _topics([labels], "WRITE"),
        "feed-labeller": _topics([feed_labels], "WRITE"),
        "verdict-labeller": [*_topics([labels], "WRITE"), *_topics(inputs, "READ")],
        "label-collector": collecting,
        "model-publisher": publishing,
        "trainer": [*collecting, *publishing],
        "reporter": _topics([settings.verdicts_topic_name, *shadows], "READ"),
        "dead-letter-reader": _topics(dead_letters, "READ"),
        "dead-letter-replayer": [
            *_topics(dead_letters, "READ"),
            *_topics(inputs, "READ", "WRITE"),
        ],
        "log-shipper": _topics(inputs, "WRITE"),
        "consumer": [*_topics(outputs, "READ"), Right("group", consumer_group, "READ")],
        "scaler": [*_topics(inputs, "DESCRIBE"), Right("group", settings.group_id, "DESCRIBE")],
    }
    return needed[part]


def topic_rights(part: Part, settings: Settings) -> list[Right]:
    """Those of ``rights_of`` that are rights on topics."""
    return [right for right in rights_of(part, settings) if right.resource == "topic"]


def _topics(names: Iterable[str], *operations: Operation) -> list[Right]:
    return [Right("topic", name, operation) for name in names for operation in operations]
