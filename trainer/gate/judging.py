"""Judges a challenger: scores both models on the same rows, as a worker does; applies the rules."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from stream_detector.errors import RefusalReason, RefusedModelError, StreamDetectorError
from stream_detector.models.bundle import Bundle, load_bundle
from stream_detector.models.device import choose_device, visible_gpus
from stream_detector.models.serving import warm_network
from stream_detector.terminal.progress import Progress
from trainer.examples.datasets import Dataset
from trainer.gate.decision import Check, GateDecision, HoldOutRows
from trainer.gate.labels import VoiceLabels, VoicesOfRows
from trainer.gate.lists import read_lists
from trainer.gate.options import GateOptions
from trainer.gate.rules import Comparison, Served, apply_rules

_SERVED = "loads and scores"
_BLOCK_ROWS = 16_384
"""Rows between two updates of the progress; scoring is as fast as with all rows at once."""


def judge(
    challenger: Path,
    champion: Path | None,
    *,
    hold_out: Dataset,
    newest: Dataset | None,
    newest_voices: VoicesOfRows | None = None,
    voices: Mapping[str, VoiceLabels] | None = None,
    options: GateOptions,
    seed: int = 0,
    progress: Progress,
) -> GateDecision:
    """Whether ``challenger`` may be published in the place of ``champion``; nothing is written.

    Args:
        challenger: folder of a bundle.
        champion: folder of a bundle for the same kind; None skips what compares, which then passes.
        hold_out: rows that neither was trained on.
        newest: the newest labels, held out by time.
        newest_voices: who said each of them, and how much of their weight one voice may have.
        voices: the labels that the challenger was trained on, by who said them.
        options: what a user set.
        seed: of the resamples: the same one gives the same figures.
        progress: shows the stages.

    Raises:
        BundleError: a bundle can't be loaded, or they are of two kinds.
        GateError: a list can't be read.
        RefusedModelError: the champion loads, and does not score.
    """
    ours = load_bundle(challenger)
    kind = ours.manifest.kind
    theirs = None if champion is None else load_bundle(champion, kind=kind)
    lists, rules_used = read_lists(options, kind)
    device = choose_device("auto", visible_gpus())
    progress.tell(f"{_named(ours)} scores {len(hold_out.texts):,} rows of the hold-out")
    try:
        judged = _serve(ours, device, hold_out, progress)
    except RefusedModelError as error:
        # Workers would refuse it as well: no other rule has anything to look at.
        checks = [Check(_SERVED, False, f"it does not score as a worker scores: {error}")]
    else:
        reigning = None
        if theirs is not None:
            progress.tell(f"the champion, {_named(theirs)}, does the same")
            reigning = _serve(theirs, device, hold_out, progress)
        with progress.stage("comparing"):
            compared = Comparison(
                judged,
                reigning,
                hold_out,
                newest,
                newest_voices,
                voices,
                lists,
                options,
                seed,
                progress,
            )
            loads = f"a worker's code loads it, and it scores all rows on {device}"
            checks = [Check(_SERVED, True, loads)]
            checks += apply_rules(compared)
    return GateDecision(
        challenger=ours.ref,
        champion=None if theirs is None else theirs.ref,
        kind=kind,
        passed=all(check.passed for check in checks),
        decided_at=datetime.now(UTC).replace(microsecond=0),
        rules=rules_used,
        rows=HoldOutRows(len(hold_out.texts), int(hold_out.labels.sum())),
        checks=tuple(checks),
    )


def _serve(bundle: Bundle, device: str, hold_out: Dataset, progress: Progress) -> Served:
    """The bundle, built, warm and scored as a worker does it.

    Raises:
        RefusedModelError: a worker would refuse it, or it fails on the hold-out.
    """
    texts = hold_out.texts
    scores = np.empty(len(texts), np.float32)
    try:
        with progress.stage(f"{bundle.ref.name} warms up") as stage:
            network = warm_network(bundle, device)
            stage.begin(f"{bundle.ref.name} scores", len(texts))
            for start in range(0, len(texts), _BLOCK_ROWS):
                block = slice(start, start + _BLOCK_ROWS)
                scores[block] = network.score(texts[block])
                stage.update(min(block.stop, len(texts)))
    # A network of unknown weights may fail in any way; that refuses it, and is no error of ours.
    except Exception as error:
        reason = str(error) if isinstance(error, StreamDetectorError) else repr(error)[:500]
        raise RefusedModelError(RefusalReason.FAILED, f"{_named(bundle)}: {reason}") from error
    wrong = np.flatnonzero(~((scores >= 0) & (scores <= 1)))
    if len(wrong):
        raise RefusedModelError(
            RefusalReason.FAILED,
            f"{_named(bundle)}: {len(wrong):,} scores are no probabilities; that of "
            f"{texts[wrong[0]][:80]!r} is {scores[wrong[0]]}",
        )
    return Served(bundle, network, scores)


def _named(bundle: Bundle) -> str:
    return f"{bundle.ref.name} {bundle.ref.version} ({bundle.ref.short})"
