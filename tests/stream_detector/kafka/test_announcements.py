"""What is announced reaches whom it is for, and what is no announcement whom it would be for."""

import asyncio

import pytest
from confluent_kafka import Producer

from stream_detector.errors import RefusalReason, RefusedModelError
from stream_detector.kafka.announcements import current_announcements, follow_announcements
from stream_detector.settings import Settings

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
    assert "what was announced for url is no announcement" in str(refused["serve"][0])
    assert "what was announced for shadow/url is no" in str(refused["shadow"][0])
    assert refused["shadow"][0].reason is RefusalReason.MALFORMED


async def test_what_is_no_announcement_leaves_nothing_announced(settings):
    write(settings, (b"url", b"{}"))
    assert await current_announcements(settings) == ({}, {})
