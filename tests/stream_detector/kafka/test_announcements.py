"""What is announced reaches whom it is for, and what is no announcement whom it would be for."""

import asyncio
import json
from datetime import UTC, datetime

import msgspec
import pytest
from confluent_kafka import Producer
from kafka import KafkaProducer

from stream_detector.errors import RefusalReason, RefusedModelError
from stream_detector.events import Thresholds
from stream_detector.kafka.announcements import (
    announce,
    current_announcements,
    end_shadow,
    follow_announcements,
)
from stream_detector.models.announcement import Announcement
from stream_detector.models.signing import new_key
from stream_detector.settings.fields import Settings
from support.records import NotUtf8, produce, read_all

pytestmark = pytest.mark.kafka


@pytest.fixture
def settings(kafka, topics):
    topic = topics("models", partitions=1, cleanup_policy="compact")
    return Settings(bootstrap_servers=[kafka.bootstrap_servers], models_topic=topic)


def write(settings, *records):
    producer = Producer({"bootstrap.servers": settings.bootstrap_servers[0]})
    for key, value in records:
        producer.produce(settings.models_topic, value, key=key)
    assert producer.flush(60) == 0


async def test_what_is_no_announcement_is_refused_by_whom_it_is_for(settings):
    write(settings, (b"url", b"{}"), (b"shadow/url", b"no JSON"), (b"other", b"neither"))
    refused: dict[str, list[RefusedModelError]] = {"serve": [], "shadow": []}
    both = asyncio.Event()

    def refuse(role, error):
        refused[role].append(error)
        if all(refused.values()):
            both.set()

    following = asyncio.create_task(
        follow_announcements(
            settings,
            offer=lambda _: None,
            offer_shadow=lambda _: None,
            refuse=lambda error: refuse("serve", error),
            refuse_shadow=lambda error: refuse("shadow", error),
        )
    )
    async with asyncio.timeout(60):
        await both.wait()
    following.cancel()

    assert {role: len(errors) for role, errors in refused.items()} == {"serve": 1, "shadow": 1}
    assert "the announcement for url does not decode" in str(refused["serve"][0])
    assert "the announcement for shadow/url does not" in str(refused["shadow"][0])
    assert refused["shadow"][0].reason is RefusalReason.MALFORMED


async def test_a_header_name_that_is_not_utf_8_does_not_stop_the_reading(settings):
    producer = KafkaProducer(bootstrap_servers=settings.bootstrap_servers)
    producer.send(settings.models_topic, key=b"url", value=b"{}", headers=[(NotUtf8("h"), b"")])
    producer.close()
    assert await current_announcements(settings) == ({}, {})


async def test_what_is_no_announcement_leaves_nothing_announced(settings):
    write(settings, (b"url", b"{}"))
    assert await current_announcements(settings) == ({}, {})


def announcement(version: str, **changes: object) -> Announcement:
    return msgspec.structs.replace(
        Announcement(
            name="url-model",
            kind="url",
            version=version,
            sha256="0" * 64,
            url="",
            thresholds=Thresholds(0.5, 0.9),
            announced_at=datetime.now(UTC),
        ),
        **changes,
    )


async def test_a_name_of_any_length_is_refused_at_once_and_in_short(settings):
    value = json.loads(msgspec.json.encode(announcement("1", name="a" * 60_000 + " ?")))
    write(settings, (b"url", json.dumps(value).encode()))
    refused: asyncio.Future[RefusedModelError] = asyncio.get_running_loop().create_future()
    following = asyncio.create_task(
        follow_announcements(
            settings,
            offer=lambda _: None,
            offer_shadow=lambda _: None,
            refuse=refused.set_result,
            refuse_shadow=lambda _: None,
        )
    )
    async with asyncio.timeout(60):
        error = await refused
    following.cancel()

    assert error.reason is RefusalReason.MALFORMED
    assert "the name of the announcement for url is longer than 200 characters" in str(error)
    assert len(str(error)) < 300


@pytest.fixture
def signed_settings(settings, tmp_path):
    return settings.model_copy(
        update={
            "model_store": str(tmp_path / "store"),
            "model_public_key": new_key(tmp_path / "models.key"),
        }
    )


async def test_who_starts_after_compaction_left_an_old_record_takes_the_newest_one(
    signed_settings, topics, tmp_path
):
    key = tmp_path / "models.key"
    for version in ("1", "2"):
        await announce(signed_settings, announcement(version), signing_key=key)
    shadow = announcement("3", role="shadow", share=0.5)
    await announce(signed_settings, shadow, signing_key=key)
    await end_shadow(signed_settings, "url", signing_key=key)
    served, _, shadowed, _ = read_all(
        signed_settings.bootstrap_servers[0], signed_settings.models_topic
    )

    # As the topic would be once old records were written again and compaction removed the others.
    compacted = topics("models", partitions=1, cleanup_policy="compact")
    for record in (served, shadowed):
        produce(
            signed_settings.bootstrap_servers[0],
            compacted,
            [record.value],
            keys=[record.key],
            headers=record.headers,
        )
    later = signed_settings.model_copy(update={"models_topic": compacted})
    announced = await current_announcements(later)
    assert announced.serving["url"].version == "2"
    assert announced.shadows == {}

    # To one without the key and the store the old ones are all that there is.
    unaware = later.model_copy(update={"model_public_key": None})
    announced = await current_announcements(unaware)
    assert (announced.serving["url"].version, announced.shadows["url"].version) == ("1", "3")
