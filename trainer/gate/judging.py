"""Puts the gate's checks together: a challenger against a champion, on the same rows."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stream_detector.errors import RefusalReason, RefusedModelError, StreamDetectorError
from stream_detector.events import Kind
from stream_detector.models.bundle import Bundle, load_bundle
from stream_detector.models.device import choose_device, visible_gpus
from stream_detector.models.scorer import Network
from stream_detector.models.serving import warm_network
from stream_detector.terminal.progress import Progress, Stage
from trainer.examples.datasets import Dataset
from trainer.gate.calibration import check_calibration, check_thresholds
from trainer.gate.decision import Check, GateDecision, HoldOutRows, RulesUsed
from trainer.gate.detection import check_detection
from trainer.gate.label_checks import VoiceLabels, VoicesOfRows, check_newest, check_voices
from trainer.gate.lists import (
    SHIPPED_MUST_ALERT,
    SHIPPED_MUST_NOT_ALERT,
    check_must_alert,
    check_must_not_alert,
    check_suspicious,
    list_used,
    read_texts,
)
from trainer.gate.rules import GateRules

_SERVED = "loads and scores"
_BLOCK_ROWS = 16_384
"""Rows between two updates of the progress; scoring is as fast as with all rows at once."""


class _Served(NamedTuple):
    """A bundle as a worker serves it."""

    bundle: Bundle
    network: Network
    scores: NDArray[np.float32]
    """Of the hold-out."""

    def is_malicious(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        """Which texts it calls malicious."""
        found: NDArray[np.bool_] = self.network.score(texts) >= self.bundle.thresholds.malicious
        return found

    def is_suspicious(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        """Which texts it calls suspicious or malicious."""
        found: NDArray[np.bool_] = self.network.score(texts) >= self.bundle.thresholds.suspicious
        return found


class _Texts(NamedTuple):
    """What the lists hold for a kind."""

    must_not_alert: list[str]
    must_alert: list[str]


def judge(
    challenger: Path,
    champion: Path | None,
    *,
    hold_out: Dataset,
    newest: Dataset | None,
    newest_voices: VoicesOfRows | None = None,
    voices: Mapping[str, VoiceLabels] | None = None,
    rules: GateRules,
    seed: int = 0,
    progress: Progress,
) -> GateDecision:
    """Whether ``challenger`` may be published in the place of ``champion``; nothing is written.

    Both are folders of bundles, for one kind. ``hold_out`` are rows that neither was trained on,
    ``newest`` the newest labels, held out by time, ``newest_voices`` who said each of them and how
    much of their weight one may have, ``voices`` the labels that the challenger was trained on, by
    who said them; None where that is not known. Without a champion, comparisons are skipped and
    refuse nothing. ``seed`` is that of the resamples: the same one gives the same figures.
    ``progress`` shows what is done.

    Raises:
        BundleError: a bundle can't be loaded, or they are of two kinds.
        GateError: a list can't be read.
        RefusedModelError: the champion loads, and does not score.
    """
    ours = load_bundle(challenger)
    kind = ours.manifest.kind
    theirs = None if champion is None else load_bundle(champion, kind=kind)
    texts, used = _lists(rules, kind)
    device = choose_device("auto", visible_gpus())

    def decided(checks: list[Check]) -> GateDecision:
        return GateDecision(
            challenger=ours.ref,
            champion=None if theirs is None else theirs.ref,
            kind=kind,
            passed=all(check.passed for check in checks),
            decided_at=datetime.now(UTC).replace(microsecond=0),
            rules=used,
            rows=HoldOutRows(len(hold_out.texts), int(hold_out.labels.sum())),
            checks=tuple(checks),
        )

    progress.tell(f"{_named(ours)} scores {len(hold_out.texts):,} rows of the hold-out")
    try:
        judged = _serve(ours, device, hold_out, progress)
    except RefusedModelError as error:
        return decided([Check(_SERVED, False, f"it does not score as a worker scores: {error}")])
    reigning = None
    if theirs is not None:
        progress.tell(f"the champion, {_named(theirs)}, does the same")
        reigning = _serve(theirs, device, hold_out, progress)
    served = Check(_SERVED, True, f"a worker's code loads it, and it scores all rows on {device}")
    with progress.stage("comparing"):
        compared = _checks(
            judged,
            reigning,
            hold_out,
            (newest, newest_voices),
            rules,
            texts,
            seed=seed,
            progress=progress,
        )
        if voices is not None:
            by_champion = None if reigning is None else reigning.is_malicious
            compared.append(check_voices(voices, judged.is_malicious, by_champion))
    return decided([served, *compared])


def _checks(
    judged: _Served,
    reigning: _Served | None,
    hold_out: Dataset,
    newest_labels: tuple[Dataset | None, VoicesOfRows | None],
    rules: GateRules,
    texts: _Texts,
    *,
    seed: int,
    progress: Progress,
) -> list[Check]:
    labels = hold_out.labels
    champion_scores = None if reigning is None else reigning.scores
    by_champion = None if reigning is None else reigning.is_malicious
    checks = [
        *check_detection(
            judged.scores,
            champion_scores,
            labels,
            _rates(judged, reigning),
            rules,
            seed=seed,
            progress=progress,
        ),
        check_calibration(judged.scores, champion_scores, labels, rules),
        *check_thresholds(judged.bundle.manifest, judged.scores, labels),
    ]
    newest, newest_voices = newest_labels
    if newest is not None:
        checks.append(
            check_newest(
                judged.is_malicious(newest.texts),
                None if by_champion is None else by_champion(newest.texts),
                newest.labels,
                rules,
                newest_voices,
            )
        )
    return [
        *checks,
        check_must_not_alert(texts.must_not_alert, judged.is_malicious, by_champion),
        *check_suspicious(
            texts.must_not_alert,
            judged.is_suspicious,
            None if reigning is None else reigning.is_suspicious,
            rules,
        ),
        check_must_alert(texts.must_alert, judged.is_malicious, by_champion),
    ]


def _rates(*models: _Served | None) -> list[float]:
    """The false-positive rates that the models' thresholds were set for, largest first."""
    rates = {
        point.false_positive_rate
        for model in models
        if model is not None
        for point in (
            model.bundle.manifest.thresholds.suspicious,
            model.bundle.manifest.thresholds.malicious,
        )
    }
    return sorted(rates, reverse=True)


def _serve(bundle: Bundle, device: str, hold_out: Dataset, progress: Progress) -> _Served:
    """The bundle, built, warm and scored as a worker does it.

    Raises:
        RefusedModelError: a worker would refuse it, or it fails on the hold-out.
    """
    try:
        with progress.stage(f"{bundle.ref.name} warms up") as stage:
            network = warm_network(bundle, device)
            stage.begin(f"{bundle.ref.name} scores", len(hold_out.texts))
            scores = _scored(network, hold_out.texts, stage)
    except StreamDetectorError as error:
        raise RefusedModelError(RefusalReason.FAILED, f"{_named(bundle)}: {error}") from error
    except Exception as error:
        raise RefusedModelError(
            RefusalReason.FAILED, f"{_named(bundle)}: {repr(error)[:500]}"
        ) from error
    wrong = np.flatnonzero(~((scores >= 0) & (scores <= 1)))
    if len(wrong):
        raise RefusedModelError(
            RefusalReason.FAILED,
            f"{_named(bundle)}: {len(wrong):,} scores are no probabilities; that of "
            f"{hold_out.texts[wrong[0]][:80]!r} is {scores[wrong[0]]}",
        )
    return _Served(bundle, network, scores)


def _scored(network: Network, texts: Sequence[str], stage: Stage) -> NDArray[np.float32]:
    """The scores of ``texts``, block by block, each as large as a worker's largest batch."""
    scores = np.empty(len(texts), np.float32)
    for start in range(0, len(texts), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        scores[block] = network.score(texts[block])
        stage.update(min(block.stop, len(texts)))
    return scores


def _lists(rules: GateRules, kind: Kind) -> tuple[_Texts, RulesUsed]:
    """What the lists hold, and the rules as the decision records them."""
    must_not_alert = (SHIPPED_MUST_NOT_ALERT, *rules.must_not_alert)
    must_alert = (SHIPPED_MUST_ALERT, *rules.must_alert)
    texts = _Texts(read_texts(must_not_alert, kind), read_texts(must_alert, kind))
    return texts, RulesUsed(
        margin=rules.margin,
        confidence=rules.confidence,
        resamples=rules.resamples,
        calibration_margin=rules.calibration_margin,
        must_not_alert=tuple(map(list_used, must_not_alert)),
        must_alert=tuple(map(list_used, must_alert)),
    )


def _named(bundle: Bundle) -> str:
    return f"{bundle.ref.name} {bundle.ref.version} ({bundle.ref.short})"
