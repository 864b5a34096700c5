"""Shadows start, rest and end as they are announced, loaded as models that serve are."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import msgspec
import pytest

from stream_detector.assembly import shadows_of
from stream_detector.errors import RefusalReason
from stream_detector.events import Thresholds
from stream_detector.metrics import Metrics
from stream_detector.models.announcement import Announcement, ShadowEnd
from stream_detector.settings.fields import Settings
from stream_detector.worker.model_following import ModelFollower, ShadowFollower
from support.loads import Loads, SwitchedScorer


def announced(number: int, *, share: float | None = 0.5, **changes) -> Announcement:
    announcement = Announcement(
        name="m",
        kind="url",
        version=str(number),
        sha256=f"{number:064x}",
        url="",
        thresholds=Thresholds(0.5, 0.9),
        announced_at=datetime(2026, 11, 1, tzinfo=UTC),
        role="serve" if share is None else "shadow",
        share=share,
    )
    return msgspec.structs.replace(announcement, **changes)


class Following(Loads):
    """Both followers at work, whose loads the test lets go on or fail."""

    def __init__(self) -> None:
        super().__init__()
        self.metrics = Metrics()
        first = announced(0, share=None)
        self.scorer = SwitchedScorer(first)
        self.metrics.show_model("url", self.scorer.models["url"])
        self.executor = ThreadPoolExecutor(1, thread_name_prefix="scorer")
        settings = Settings(model_store="unused")
        self.shadows = shadows_of(settings=settings, metrics=self.metrics)
        others = {
            "settings": settings,
            "metrics": self.metrics,
            "executor": self.executor,
            "load": self.load,
        }
        self.follower = ShadowFollower(self.shadows, self.scorer, **others)
        self.models = ModelFollower(self.scorer, after_switch=self.follower.reconsider, **others)

    async def __aenter__(self):
        runs = (self.follower.run(), self.models.run())
        self._tasks = [asyncio.create_task(run) for run in runs]
        return self

    async def __aexit__(self, *_):
        self.go_on.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        self.executor.shutdown()

    async def until(self, condition) -> None:
        async with asyncio.timeout(30):
            while not condition():
                assert not any(task.done() for task in self._tasks), self._tasks
                await asyncio.sleep(0.01)

    def running(self) -> str | None:
        announcement = self.shadows.running("url")
        return announcement and announcement.version

    def is_done(self) -> bool:
        return not self.follower._wanted and not self.models._wanted


async def test_a_shadow_runs_from_its_announcement_to_its_end():
    async with Following() as following:
        following.follower.offer(announced(1))
        await following.until(lambda: following.running() == "1")
        info = {"kind": "url", "name": "m", "version": "1", "sha256": f"{1:064x}"}
        value = following.metrics.registry.get_sample_value
        assert value("stream_detector_shadow_info", info) == 1.0
        assert following.scorer.models["url"].ref.version == "0"
        following.follower.offer(ShadowEnd("url"))
        await following.until(lambda: following.running() is None)
        assert value("stream_detector_shadow_info", info) is None
        assert following.loaded == ["1"]


async def test_a_running_shadow_is_not_loaded_again_and_another_replaces_it():
    async with Following() as following:
        following.follower.offer(announced(1))
        await following.until(lambda: following.running() == "1")
        following.follower.offer(announced(1))
        await following.until(following.is_done)
        following.follower.offer(announced(2))
        await following.until(lambda: following.running() == "2")
        following.follower.offer(announced(2, share=0.9))
        await following.until(following.is_done)
        assert following.shadows.running("url").share == 0.9
        assert following.loaded == ["1", "2", "2"]


async def test_a_shadow_that_ends_while_it_warms_up_never_runs():
    async with Following() as following:
        following.go_on.clear()
        following.follower.offer(announced(1))
        await following.until(lambda: following.loaded == ["1"])
        following.follower.offer(ShadowEnd("url"))
        following.go_on.set()
        following.follower.offer(announced(2))
        await following.until(lambda: following.running() == "2")
        assert following.loaded == ["1", "2"]


async def test_a_shadow_rests_while_it_serves():
    async with Following() as following:
        following.follower.offer(announced(1))
        await following.until(lambda: following.running() == "1")
        following.models.offer(announced(1, share=None))
        await following.until(lambda: following.running() is None)
        await following.until(following.is_done)
        assert following.scorer.models["url"].ref.version == "1"
        following.models.offer(announced(0, share=None))
        await following.until(lambda: following.running() == "1")


async def test_a_model_that_begins_to_serve_while_it_warms_up_does_not_become_a_shadow():
    async with Following() as following:
        following.go_on.clear()
        following.follower.offer(announced(1))
        await following.until(lambda: following.loaded == ["1"])
        following.models.offer(announced(1, share=None))
        await following.until(lambda: following.loaded == ["1", "1"])
        following.go_on.set()
        await following.until(lambda: following.scorer.models["url"].ref.version == "1")
        await following.until(following.is_done)
        await following.until(lambda: following.running() is None)


async def test_the_model_that_serves_is_not_taken_as_its_own_shadow():
    async with Following() as following:
        following.follower.offer(announced(0))
        await following.until(following.is_done)
        assert (following.running(), following.loaded) == (None, [])


async def test_a_refused_shadow_is_counted_and_logged_in_one_line(caplog):
    async with Following() as following:
        following.faults.append(RefusalReason.DAMAGED)
        following.follower.offer(announced(1))
        await following.until(following.is_done)
        refusals = following.metrics.model_refusals.labels("damaged")._value.get()
        assert (following.running(), refusals) == (None, 1)
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        "announced model refused (damaged), nothing is compared with the served model: told to fail"
    ]


@pytest.mark.parametrize("cause", ["its own error", "its records are not taken"])
async def test_a_dropped_shadow_starts_again_only_with_a_new_announcement(cause):
    async with Following() as following:
        following.follower.offer(announced(1))
        await following.until(lambda: following.running() == "1")
        if cause == "its own error":
            model, thresholds = following.scorer.models["url"], Thresholds(0.5, 0.9)
            following.executor.submit(
                following.shadows.compare,
                "url",
                model,
                thresholds,
                {"a.com": 0.5, "b.com": 0.5, "c.com": 0.5, "d.com": 0.5},
            )
        else:
            following.follower.drop_all("no right to write")
        await following.until(lambda: following.running() is None)
        following.follower.offer(announced(1))
        following.models.offer(announced(2, share=None))
        await following.until(lambda: following.scorer.models["url"].ref.version == "2")
        await following.until(following.is_done)
        assert following.running() is None
        following.follower.offer(announced(1, announced_at=datetime(2026, 11, 2, tzinfo=UTC)))
        await following.until(lambda: following.running() == "1")
