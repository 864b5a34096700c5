"""Who may say what: a label's voice is what the rights of its topic say, not what it claims.

Whoever may write to the topic of feeds speaks as a feed, and as no analyst; whoever may write to
the topic of analysts speaks as an analyst. So no label takes the place of another one unless its
writer may write to the same topic.
"""

from stream_detector.events import Label, Rejected, RejectReason
from stream_detector.labels import is_feed
from stream_detector.settings import Settings

__all__ = ["Voices"]


class Voices:
    """Checks labels by the topic that they come from."""

    def __init__(self, settings: Settings) -> None:
        self._analysts_topic, self._feeds_topic, _ = settings.label_topic_names
        self._feeds = frozenset(settings.label_feeds)

    @property
    def topics(self) -> list[str]:
        """Full names of the topics of labels."""
        return [self._analysts_topic, self._feeds_topic]

    def fault(self, topic: str, label: Label) -> Rejected | None:
        """Why who may write to ``topic`` may not say ``label``; None where they may."""
        if topic == self._analysts_topic:
            if is_feed(label):
                detail = f"no analyst: labels of a feed belong into topic {self._feeds_topic}"
                return Rejected(RejectReason.MALFORMED, detail)
            return None
        if not is_feed(label):
            detail = f"a feed can't speak as an analyst: they write to topic {self._analysts_topic}"
            return Rejected(RejectReason.MALFORMED, detail)
        if self._feeds and label.feed not in self._feeds:
            return Rejected(RejectReason.MALFORMED, "its feed is not among label_feeds")
        return None
