"""Who may say what: a label's voice is what the topic's rights and its signature prove.

Whoever may write to the topic of feeds speaks as a feed, and as no analyst; whoever may write to
the topic of analysts speaks as an analyst. Which of them it is a record only claims, unless
``label_keys`` has a key for that name: then its signature proves it.
"""

from collections import Counter
from typing import Any

from stream_detector.events import Label, Rejected, RejectReason
from stream_detector.models.signing import read_public_keys
from stream_detector.settings.fields import Settings
from stream_detector.terminal.counted import counted
from stream_detector.wire.label_signatures import LabelKeys, is_signed
from stream_detector.wire.labels import is_feed


class Voices:
    """Checks labels by the topic that they come from, and by their signatures.

    Raises:
        SettingsError: a file of ``label_keys`` holds no public key.
    """

    def __init__(self, settings: Settings) -> None:
        self._analysts_topic, self._feeds_topic, self._dead_letters = settings.label_topic_names
        self._feeds = frozenset(settings.label_feeds)
        self._keys = LabelKeys(read_public_keys(settings.label_keys, "label_keys"))
        self._refused: Counter[str] = Counter()

    @property
    def topics(self) -> list[str]:
        """Full names of the topics of labels."""
        return [self._analysts_topic, self._feeds_topic]

    def proved(self, record: Any, label: Label) -> bool | Rejected:
        """Whether a key proves who says ``label``, which ``record`` holds; or why it is refused."""
        proved = self._proved(record, label)
        if isinstance(proved, Rejected):
            self._refused[proved.detail] += 1
        return proved

    def refusals(self) -> list[str]:
        """One line for each reason for which labels were refused since this was last called."""
        refused, self._refused = self._refused, Counter()
        return [
            f"{counted(count, 'label')} refused, now in {self._dead_letters}: {detail}"
            for detail, count in refused.items()
        ]

    def _proved(self, record: Any, label: Label) -> bool | Rejected:
        if (fault := self._fault(record.topic, label)) is not None:
            return fault
        key = self._keys.of(label)
        if key is None:
            return False
        if not is_signed(record.value, record.headers, key):
            part = "feed" if is_feed(label) else "analyst"
            detail = (
                f"not signed by the key that label_keys has for this {part}: write it with "
                "--signing-key, or find out who may write to the topic"
            )
            return Rejected(RejectReason.MALFORMED, detail)
        return True

    def _fault(self, topic: str, label: Label) -> Rejected | None:
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
