"""Rules on texts that must not alert and texts that must: shipped lists, and the user's own."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_detector.canonical import canonicalise, kind_of
from stream_detector.errors import SettingsError
from stream_detector.events import Canonical, Kind
from stream_detector.policy.list_entries import read_list
from stream_detector.settings.fields import DATA_FOLDER
from trainer.examples.datasets import sha256_of
from trainer.gate.decision import Check, GateError, ListUsed, RulesUsed
from trainer.gate.options import GateOptions
from trainer.measuring.statistics import mcnemar

SHIPPED_MUST_NOT_ALERT = DATA_FOLDER / "gate" / "must-not-alert.txt"
SHIPPED_MUST_ALERT = DATA_FOLDER / "gate" / "must-alert.txt"

_SHOWN = 5
"""Texts that a message names."""
_KEPT = 100
"""Texts that the figures hold."""

IsFlagged = Callable[[Sequence[str]], NDArray[np.bool_]]
"""Which of canonical texts a model calls malicious, or suspicious."""


class Lists(NamedTuple):
    """Canonical texts of a kind."""

    must_not_alert: list[str]
    must_alert: list[str]


def read_lists(options: GateOptions, kind: Kind) -> tuple[Lists, RulesUsed]:
    """The shipped lists and those of ``options``; and the options as a decision records them.

    Raises:
        GateError: a file can't be read, or a line is no domain, host or URL.
    """
    must_not_alert = (SHIPPED_MUST_NOT_ALERT, *options.must_not_alert)
    must_alert = (SHIPPED_MUST_ALERT, *options.must_alert)
    lists = Lists(read_texts(must_not_alert, kind), read_texts(must_alert, kind))
    used = options._asdict() | {
        name: tuple(ListUsed(path.name, sha256_of(path)) for path in paths)
        for name, paths in (("must_not_alert", must_not_alert), ("must_alert", must_alert))
    }
    return lists, RulesUsed(**used)


def read_texts(paths: Iterable[Path], kind: Kind) -> list[str]:
    """The texts of ``kind`` in lists of domains, hosts and URLs, canonical, each once.

    For URLs a domain or host stands for its front page; for hosts, entries that are URLs are
    passed over.

    Raises:
        GateError: a file can't be read, or a line is no domain, host or URL.
    """
    texts: dict[str, None] = {}
    try:
        for path in paths:
            for entry, place in read_list(path):
                if text := _text(entry, kind, place):
                    texts[text] = None
    except SettingsError as error:
        raise GateError(str(error)) from error
    return list(texts)


def _text(entry: str, kind: Kind, place: str) -> str | None:
    canonical = canonicalise(kind_of(entry), entry)
    if isinstance(canonical, Canonical) and canonical.kind != kind:
        if kind == "host":
            return None
        canonical = canonicalise("url", f"{canonical.host}/")
    if not isinstance(canonical, Canonical):
        raise GateError(
            f"{place}: {entry[:80]!r} is no domain, host or URL ({canonical.detail}); write one a "
            "line"
        )
    return canonical.text


def check_must_not_alert(
    texts: Sequence[str], challenger: IsFlagged, champion: IsFlagged | None
) -> Check:
    """No text may be malicious, except those that the champion calls malicious already."""
    flagged = _those(texts, challenger)
    # A challenger that does the same as the champion makes nothing worse: a user who adds a site
    # that alerts today to the list would otherwise block every later model.
    known = set(_those(flagged, champion)) if champion else set()
    new = [text for text in flagged if text not in known]
    message = f"{len(new)} of {len(texts)} texts that must not alert are called malicious"
    if champion:
        message += " and were not before"
    message += _named(new)
    if known:
        message += f"; {len(known)} were already{_named([t for t in flagged if t in known])}"
    figures = {"texts": len(texts), "alerts": new[:_KEPT], "alerts_of_both": sorted(known)[:_KEPT]}
    return Check("must not alert", not new, message, figures)


def check_suspicious(
    texts: Sequence[str], challenger: IsFlagged, champion: IsFlagged | None, options: GateOptions
) -> list[Check]:
    """Texts that must not alert may not be suspicious more often than with the champion.

    Beyond chance, that is: McNemar's exact test decides. A hold-out that is easier than real
    traffic lets a threshold sink until ordinary sites are above it, and only this check sees that.
    Without a champion there is no check: a threshold for 1% of benign texts flags some of any list.
    """
    if champion is None or not texts:
        return []
    ours, theirs = set(_those(texts, challenger)), set(_those(texts, champion))
    lost, gained = len(ours - theirs), len(theirs - ours)
    chance = mcnemar(gained, lost)
    passed = lost <= gained or chance >= 1 - options.confidence
    return [
        Check(
            "must not alert, suspicious",
            passed,
            f"{len(ours)} of {len(texts)} texts that must not alert are suspicious, the champion "
            f"calls {len(theirs)} so: p = {chance:.3g}, {'not ' if passed else ''}more beyond "
            "chance",
            {"texts": len(texts), "challenger": len(ours), "champion": len(theirs), "p": chance},
        )
    ]


def check_must_alert(
    texts: Sequence[str], challenger: IsFlagged, champion: IsFlagged | None
) -> Check:
    """Every text has to be malicious, except those that the champion misses too."""
    found = set(_those(texts, challenger))
    missed = [text for text in texts if text not in found]
    needed = set(_those(missed, champion)) if champion else set(missed)
    lost = [text for text in missed if text in needed]
    message = f"{len(lost)} of {len(texts)} texts that must alert are not called malicious"
    if champion:
        message += " and were before"
    message += _named(lost)
    if len(missed) > len(lost):
        message += f"; {len(missed) - len(lost)} were not before either"
    of_both = [text for text in missed if text not in needed]
    figures = {"texts": len(texts), "missed": lost[:_KEPT], "missed_by_both": of_both[:_KEPT]}
    return Check("must alert", not lost, message, figures)


def _those(texts: Sequence[str], is_flagged: IsFlagged) -> list[str]:
    if not texts:
        return []
    return [text for text, found in zip(texts, is_flagged(texts), strict=True) if found]


def _named(texts: Sequence[str]) -> str:
    if not texts:
        return ""
    more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
    return f": {', '.join(text[:60] for text in texts[:_SHOWN])}{more}"
