"""What each voice changed: the verdicts on the texts that its labels were trained on."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_detector.terminal.printable import printable
from trainer.gate.decision import Check

if TYPE_CHECKING:
    from trainer.retraining.examples import VoiceLabels

__all__ = ["check_voices"]

_NAMED = 5
"""Voices in the message, those that changed most; the figures have more."""
_IN_FIGURES = 50
_NAMES = 3
"""Of those that share a voice, for want of keys: the ones that changed most."""

_IsMalicious = Callable[[Sequence[str]], NDArray[np.bool_]]


class _Changed(NamedTuple):
    voice: str
    labels: int
    share: float
    now_malicious: int
    no_longer_malicious: int
    names: dict[str, int]
    """How many verdicts were changed by the labels of each name, the most first."""


def check_voices(
    voices: "Mapping[str, VoiceLabels]", challenger: _IsMalicious, champion: _IsMalicious | None
) -> Check:
    """Names who changed what; refuses nothing, since labels are there to change verdicts."""
    if champion is None:
        message = f"{len(voices):,} voices were trained on; there is no champion to compare with"
        return Check("voices", True, message)
    found = sorted(
        (_changed(voice, labels, challenger, champion) for voice, labels in voices.items()),
        key=lambda each: -each.now_malicious - each.no_longer_malicious,
    )
    said = [
        f"{each.voice}, {each.share:.1%} of an epoch, changed "
        f"{each.now_malicious + each.no_longer_malicious:,} of {each.labels:,} verdicts "
        f"({_details(each)})"
        for each in found[:_NAMED]
    ]
    if len(found) > _NAMED:
        said.append(f"{len(found) - _NAMED:,} other voices changed no more each")
    figures = {"voices": [each._asdict() for each in found[:_IN_FIGURES]]}
    return Check("voices", True, "; ".join(said) or "no labels were trained on", figures)


def _changed(
    voice: str, labels: "VoiceLabels", challenger: _IsMalicious, champion: _IsMalicious
) -> _Changed:
    ours, theirs = challenger(labels.texts), champion(labels.texts)
    names = Counter(labels.names[row] for row in np.flatnonzero(ours != theirs))
    return _Changed(
        printable(voice),
        len(labels.texts),
        labels.share,
        int(np.sum(ours & ~theirs)),
        int(np.sum(theirs & ~ours)),
        {printable(name): count for name, count in names.most_common(_IN_FIGURES)},
    )


def _details(changed: _Changed) -> str:
    said = f"{changed.no_longer_malicious:,} no longer malicious"
    if set(changed.names) <= {changed.voice}:
        return said
    most = list(changed.names.items())[:_NAMES]
    return f"{said}; most by {', '.join(f'{name}: {count:,}' for name, count in most)}"
