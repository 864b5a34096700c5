"""Keeps the shadows of a running worker at what is announced."""

import asyncio
import logging
from typing import TYPE_CHECKING, Unpack

import msgspec

from stream_detector.events import Kind
from stream_detector.models.announcement import Announcement, ShadowEnd
from stream_detector.policy.shadow import Shadows
from stream_detector.worker.model_following import Follower, FollowerArguments, collect_networks

if TYPE_CHECKING:
    from stream_detector.models.scorer import Scorer

__all__ = ["ShadowFollower"]

logger = logging.getLogger(__name__)


class ShadowFollower(Follower):
    """Loads, starts and ends shadows as they are announced, by the same rules as models that serve.

    A model is no shadow of itself: while it serves, its announcement as a shadow rests. One that
    was dropped because of an error is not taken again until it is announced anew.
    """

    instead = "nothing is compared with the one that serves"

    def __init__(
        self, shadows: Shadows, scorer: "Scorer", **others: Unpack[FollowerArguments]
    ) -> None:
        super().__init__(scorer, **others)
        self._shadows = shadows
        self._announced: dict[Kind, Announcement] = {}

    def offer(self, announced: Announcement | ShadowEnd) -> None:
        """Take note of what was announced; nothing happens if it is so already."""
        kind = announced.kind
        if isinstance(announced, Announcement):
            self._announced[kind] = announced
            self._want(announced)
        else:
            self._announced.pop(kind, None)
            self._wanted.pop(kind, None)
            self._retries.pop(kind, None)
            # After whatever start is under way: the executor has one thread.
            self._executor.submit(self._end, kind)

    def reconsider(self, kind: Kind) -> None:
        """Another model serves ``kind`` now."""
        if kind in self._announced:
            # A copy: what is being taken just now was looked at under the model before.
            self._want(msgspec.structs.replace(self._announced[kind]))

    def drop_all(self, fault: str) -> None:
        """End all shadows because of an error that is not one model's own."""
        self._executor.submit(self._shadows.drop_all, fault)

    async def _take(self, kind: Kind, announcement: Announcement) -> None:
        started = self._clock()
        running = self._shadows.running(kind)
        is_serving = announcement.sha256 == self._scorer.models[kind].ref.sha256
        loop = asyncio.get_running_loop()
        if running is not None and (is_serving or running != announcement):
            await loop.run_in_executor(self._executor, self._end, kind)
        if not is_serving and announcement not in (running, self._shadows.failed(kind)):
            network = await self._loaded(kind, announcement)
            if network is None:
                return
            await loop.run_in_executor(self._executor, self._shadows.start, announcement, network)
            logger.info(
                "the %s model %s %s (%s) is a shadow on a share of %g; loaded in %.1f s",
                kind,
                announcement.name,
                announcement.version,
                announcement.ref.short,
                announcement.share,
                self._clock() - started,
            )
        self._done(kind, announcement)

    def _end(self, kind: Kind) -> None:
        """End the shadow of ``kind``; runs in the scorer's thread."""
        if self._shadows.end(kind):
            collect_networks()
