"""What is said of input topics that are missing, back, replaced or have more partitions."""

import logging
from collections.abc import Collection, Mapping

import pytest

from stream_detector.kafka.readiness import TopicMonitor
from stream_detector.kafka.topic_identity import SeenTopic, is_of_another_topic
from stream_detector.metrics import Metrics

IDS_COME_AGAIN = (
    "the verdict ids of the deleted topic come again, `--cluster NAME` with another name keeps "
    "the new ones apart"
)
ADVICE = "`stream-detector topics create` makes"


class Scene:
    """A monitor of the topics ``proxy`` and ``dns`` in a cluster and at a time set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.there = {"proxy": SeenTopic(8, "c/1"), "dns": SeenTopic(4, "c/2")}
        self.is_away = False
        self.metrics = Metrics()
        self.monitor = TopicMonitor(
            ["proxy", "dns"], lambda: self, metrics=self.metrics, clock=lambda: self.now
        )

    async def look_at_topics(self, names: Collection[str]) -> Mapping[str, SeenTopic]:
        if self.is_away:
            raise TimeoutError
        return {name: topic for name, topic in self.there.items() if name in names}

    def unknown_topics(self) -> Collection[str]:
        return {"proxy", "dns"} - self.there.keys()

    def missing(self, topic: str) -> float | None:
        return self.metrics.registry.get_sample_value(
            "stream_detector_input_topic_missing", {"topic": topic}
        )


@pytest.fixture
async def scene(caplog: pytest.LogCaptureFixture) -> Scene:
    """All is there, and nothing is logged."""
    caplog.set_level(logging.INFO)
    scene = Scene()
    await scene.monitor.look()
    assert said(caplog) == []
    return scene


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    lines = [(record.levelname, record.getMessage()) for record in caplog.records]
    caplog.clear()
    return lines


async def test_a_missing_topic_is_one_line_a_minute_until_it_is_back(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    del scene.there["proxy"]
    for _ in range(5):
        await scene.monitor.look()
        scene.now += 10
    fault = f"topic proxy is missing: {ADVICE} it"
    meanwhile = "the other input topics are read, and this one when it is there"
    line = ("ERROR", f"{fault}; {meanwhile}")
    assert said(caplog) == [line]
    assert scene.monitor.fault == fault
    assert not scene.monitor.none_is_there
    assert (scene.missing("proxy"), scene.missing("dns")) == (1, 0)
    scene.now += 10
    await scene.monitor.look()
    assert said(caplog) == [line]

    scene.there["proxy"] = SeenTopic(1, "c/3")
    await scene.monitor.look()

    assert said(caplog) == [
        (
            "WARNING",
            "topic proxy is there again, with 1 partition: reading goes on from its beginning; "
            + IDS_COME_AGAIN,
        )
    ]
    assert scene.monitor.fault == ""
    assert scene.missing("proxy") == 0


async def test_several_missing_topics_share_a_line(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.there.clear()
    await scene.monitor.look()
    ((_, line),) = said(caplog)
    advice = f"topics proxy, dns are missing: {ADVICE} them"
    assert line == f"{advice}; reading goes on when it is there"
    assert scene.monitor.none_is_there


async def test_a_topic_that_is_made_after_the_worker_s_start_is_read(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    monitor = TopicMonitor(["dns", "new"], lambda: scene, metrics=scene.metrics, clock=lambda: 0)
    await monitor.look()
    scene.there["new"] = SeenTopic(2, "c/3")
    await monitor.look()
    assert said(caplog)[1:] == [("INFO", "topic new is there now, with 2 partitions: it is read")]


async def test_a_topic_that_was_only_hidden_goes_on_where_it_was(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    hidden = scene.there.pop("dns")
    await scene.monitor.look()
    scene.there["dns"] = hidden
    await scene.monitor.look()
    assert said(caplog)[-1][1] == "topic dns is there again, with 4 partitions: reading goes on"


async def test_a_topic_that_was_replaced_and_one_with_more_partitions_are_named(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.there = {"proxy": SeenTopic(8, "c/9"), "dns": SeenTopic(6, "c/2")}
    await scene.monitor.look()
    await scene.monitor.look()
    assert said(caplog) == [
        (
            "WARNING",
            "topic proxy was deleted and created again, with 8 partitions: reading goes on from "
            f"its beginning; {IDS_COME_AGAIN}",
        ),
        ("INFO", "topic dns has 6 partitions now and had 4: the group shares them out"),
    ]


async def test_a_kafka_that_is_away_is_no_news_of_topics(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.is_away = True
    await scene.monitor.look()
    assert (said(caplog), scene.monitor.fault) == ([], "")


@pytest.mark.parametrize(
    ("identity", "now", "another"),
    [
        ("c/1", "c/2", True),
        ("c/1", "c/1", False),
        # Committed by an older version, or on a Kafka that tells no ids.
        ("", "c/1", False),
        ("c/1", "", False),
        # Offsets that were mirrored from another cluster, where each topic has another id.
        ("other/1", "c/2", False),
    ],
)
def test_a_topic_counts_as_another_one_only_by_its_identity(
    identity: str, now: str, another: bool
) -> None:
    assert is_of_another_topic(identity, now) is another
