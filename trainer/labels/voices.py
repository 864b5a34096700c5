"""The voice of a label: as far as the topic's rights and its signature prove it.

Write access to the topic of feeds lets a program speak as a feed, but not as an analyst; write
access to the topic of analysts lets it speak as an analyst. The name is only a claim, unless
``label_keys`` has a key for that name: then the signature has to prove it.
"""

from collections import Counter
from typing import Any

from stream_detector.events import Label, Rejected, RejectReason
from stream_detector.models.signing import read_public_keys
from stream_detector.settings.fields import Settings
from stream_detector.terminal.counted import counted
from stream_detector.wire.labels import LabelKeys, is_feed, is_signed


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

    def proved(self, record: Any, label: Label) -> bool | Rejected:
        """Whether a key proves who says the ``label`` of ``record``; or why it is refused."""
        key = self._keys.of(label)
        fault = self._fault(record.topic, label)
        if fault is None and key is not None and not is_signed(record.value, record.headers, key):
            fault = (
                "not signed by the key that label_keys has for this "
                f"{'feed' if is_feed(label) else 'analyst'}: write it with --signing-key, or find "
                "out who may write to the topic"
            )
        if fault is None:
            return key is not None
        self._refused[fault] += 1
        return Rejected(RejectReason.MALFORMED, fault)

    def refusals(self) -> list[str]:
        """One line for each reason for which labels were refused since the last call."""
        refused, self._refused = self._refused, Counter()
        return [
            f"{counted(count, 'label')} refused, now in {self._dead_letters}: {detail}"
            for detail, count in refused.items()
        ]

    def _fault(self, topic: str, label: Label) -> str | None:
        if topic == self._analysts_topic:
            if is_feed(label):
                return f"no analyst: labels of a feed belong into topic {self._feeds_topic}"
            return None
        if not is_feed(label):
            return f"a feed can't speak as an analyst: they write to topic {self._analysts_topic}"
        if self._feeds and label.feed not in self._feeds:
            return "its feed is not among label_feeds"
        return None
