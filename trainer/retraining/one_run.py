"""One retraining, from the champion to the announcement of its successor.

It may be killed at any point and run again: a training resumes from its last epoch, a challenger is
trained once and stored once, and an announcement is one record.
"""

import shutil
from collections.abc import Mapping, Set
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from stream_detector.errors import BundleError, StreamDetectorError
from stream_detector.events import Kind
from stream_detector.models.bundle import Bundle, load_bundle
from stream_detector.models.store import ModelStore
from stream_detector.settings.fields import Settings
from stream_detector.terminal.progress import Progress
from trainer.examples.datasets import check_labels, counts_of, read_dataset
from trainer.examples.labelled import Examples
from trainer.files import LockedError, exclusive
from trainer.gate.decision import decision_path, write_decision
from trainer.gate.judging import judge
from trainer.gate.options import GateOptions
from trainer.labels.resolution import resolve
from trainer.labels.store import LabelStore
from trainer.publishing.promotion import (
    CHAMPION_PREFIX,
    Champion,
    announced_now,
    check_signing,
    promote,
    reigning_bundle,
    reigning_model,
)
from trainer.publishing.storing import store_bundle, was_withdrawn
from trainer.retraining.examples import LabelRules, RetrainingExamples, retraining_examples
from trainer.retraining.outcome import Ending, Outcome, outcome_now, remove_outcome, write_outcome
from trainer.retraining.warm_start import Shows, trained_on, tuned_table
from trainer.training.building import build_bundle
from trainer.training.checkpoint import Checkpoint, fingerprint
from trainer.training.fitting import shown_training
from trainer.training.recipe import Recipe

_LOCK = ".retraining.lock"
_KEPT = 5
"""Challengers of a kind that stay in the folder: those published are in the model store."""


class Plan(NamedTuple):
    """Everything that defines a retraining."""

    kind: Kind
    base: Examples
    labels: Path
    """The label store."""
    folder: Path
    """Where challengers, their decisions and the lock are."""
    champion: Path | None
    """The bundle to train on from and to beat; None for the one that serves."""
    trust: tuple[str, ...]
    label_rules: LabelRules
    recipe: Recipe
    only_ngrams: bool
    gate: GateOptions
    because: str | None
    """Why to publish although the gate refused."""
    publish: bool
    signing_key: Path | None
    licences: Mapping[str, tuple[str, str]]
    command: str


def retrain(plan: Plan, settings: Settings, *, progress: Progress) -> Outcome:
    """Train on from the champion, judge the challenger, and publish it if it passes.

    ``KIND-outcome.json`` in the folder holds the outcome too, also after an error.

    Raises:
        StreamDetectorError: another retraining runs in the folder, or any of the parts failed.
    """
    try:
        with exclusive(plan.folder / _LOCK):
            remove_outcome(plan.folder, plan.kind)
            for left in plan.folder.glob(f"{CHAMPION_PREFIX}*"):  # Of a run that was killed.
                shutil.rmtree(left, ignore_errors=True)
            try:
                if plan.publish:
                    check_signing(settings, plan.signing_key)
                with _champion(plan, settings) as champion:
                    outcome = _retrain(plan, settings, champion, progress)
            except Exception as error:
                foreseen = isinstance(error, StreamDetectorError | OSError)
                reason = str(error) if foreseen else repr(error)
                _record(plan, outcome_now(plan.kind, "failed", reason), progress)
                raise
            _record(plan, outcome, progress)
            return outcome
    except LockedError as error:
        raise StreamDetectorError(
            f"another retraining runs in {plan.folder}: wait for it, or give another --folder"
        ) from error
    except OSError as error:
        raise StreamDetectorError(f"the retraining in {plan.folder} broke off: {error}") from error


def _record(plan: Plan, outcome: Outcome, progress: Progress) -> None:
    """Write the outcome's file; a full disk must hide neither a published model nor an error."""
    try:
        write_outcome(plan.folder, outcome)
    except OSError as error:
        progress.tell(
            f"error: the retraining's outcome ({outcome.ending}) can't be written to "
            f"{plan.folder}: {error}"
        )


def _champion(plan: Plan, settings: Settings) -> AbstractContextManager[Champion]:
    """The bundle that the plan names, or the one that serves.

    Raises:
        StreamDetectorError: the plan publishes a successor of one bundle, and another one serves.
    """
    if plan.champion is None:
        return reigning_bundle(
            settings, plan.kind, within=plan.folder, signing_key=plan.signing_key
        )
    bundle = load_bundle(plan.champion, kind=plan.kind)
    announced = None
    if plan.publish:
        # Checked before the training, which takes minutes: publishing would refuse it then.
        announced = announced_now(settings, signing_key=plan.signing_key).serving.get(plan.kind)
        reigning = reigning_model(settings, plan.kind, announced)
        if reigning.ref.sha256 != bundle.sha256:
            raise StreamDetectorError(
                f"--champion {plan.champion} is not {reigning}, whose place a published model "
                "takes: leave out --champion, or give --no-publish"
            )
    return nullcontext(Champion(plan.champion, bundle, announced))


def _retrain(plan: Plan, settings: Settings, champion: Champion, progress: Progress) -> Outcome:
    served = champion.bundle
    progress.tell(
        f"champion: {served.manifest.name} {served.manifest.version} ({served.ref.short})"
    )
    examples = _examples(plan, progress)
    # A digest of everything that the challenger is made of, except the champion.
    train, held = examples.train, examples.held
    identity = fingerprint(
        *(plan.kind, plan.recipe, plan.only_ngrams, train.labels.tobytes()),
        *(held.labels.tobytes(), held.parts.tobytes(), examples.labels_sha256),
        texts=[*train.texts, *held.texts],
    )
    nothing_new = _nothing_new(plan, settings, champion, identity)
    if nothing_new is not None:
        progress.tell(f"nothing new: {nothing_new}")
        return outcome_now(plan.kind, "unchanged", nothing_new)
    # After a kill between training and publishing, or with another margin after a refusal.
    challenger = _trained_before(plan, served, identity)
    if challenger is None:
        challenger = _trained(plan, served, examples, identity, progress)
        _prune(plan, keep={challenger, champion.folder})
    progress.tell(f"challenger: {challenger}; the gate compares the two")
    decision = judge(
        challenger,
        champion.folder,
        hold_out=examples.held.of_part("test"),
        newest=examples.newest,
        newest_voices=examples.newest_voices,
        voices=examples.voices,
        options=plan.gate,
        seed=plan.recipe.seed,
        progress=progress,
    )
    if not decision.passed and plan.because is not None:
        decision = msgspec.structs.replace(decision, forced_because=plan.because.strip())
    # Before anything is published: the record of why has to survive a kill.
    write_decision(challenger, decision)
    ending: Ending = "passed"
    reason = ""
    if not decision.passed and decision.forced_because is None:
        ending, reason = "refused", decision.refusal
    elif plan.publish:
        ending = "published"
        with progress.stage("publishing"):
            store = ModelStore(settings.model_store)
            model, _ = store_bundle(
                challenger, store, signing_key=plan.signing_key, decision=decision
            )
            promote(settings, model, gate=decision, signing_key=plan.signing_key)
    return outcome_now(plan.kind, ending, reason, challenger=challenger, decision=decision)


def _nothing_new(plan: Plan, settings: Settings, champion: Champion, identity: str) -> str | None:
    """Why a challenger would equal a model that serves or served; None if it would be new."""
    if champion.bundle.manifest.training.identity == identity:
        return "the model that serves was trained on these rows and labels, in the same way"
    if plan.publish and plan.because is None and champion.announced is not None:
        store = ModelStore(settings.model_store)
        # Without this a watch would publish again what an operator has just rolled back.
        if was_withdrawn(store, champion.announced, identity, champion.bundle.sha256):
            return (
                "a model of these rows and labels was published, and rolled back; a new label, "
                "another way of training or --force makes another try"
            )
    return None


def _examples(plan: Plan, progress: Progress) -> RetrainingExamples:
    with progress.stage(f"reading {plan.base}"):
        base = read_dataset(plan.base, plan.kind)
    progress.tell(f"base: {len(base.texts):,} rows: {counts_of(base.counts)}")
    with progress.stage("reading labels"):
        labels = resolve(LabelStore(plan.labels).labels(), trust=plan.trust)
        examples = retraining_examples(
            base, labels.values(), plan.kind, plan.label_rules, seed=plan.recipe.seed
        )
    progress.tell(f"labels: {counts_of(examples.counts)}")
    validation = examples.held.of_part("val")
    check_labels(plan.base, "val", set(validation.labels.tolist()), rows=len(base.texts))
    return examples


def _trained(
    plan: Plan, served: Bundle, examples: RetrainingExamples, identity: str, progress: Progress
) -> Path:
    """The folder of a new challenger."""
    challenger = plan.folder / f"{plan.kind}-{datetime.now(UTC):%Y%m%d.%H%M%S}"
    checkpoint = Checkpoint(
        plan.folder / f"{plan.kind}-training.safetensors", identity=f"{identity} {served.sha256}"
    )
    with shown_training(progress) as shown:
        shows: Shows = {"on_step": shown.on_step, "on_epoch": shown.on_epoch}
        if plan.only_ngrams:
            fitted = tuned_table(served, examples, plan.recipe, **shows)
        else:
            fitted = trained_on(
                served, examples, plan.recipe, kind=plan.kind, checkpoint=checkpoint, **shows
            )
    with progress.stage("calibrating and measuring"):
        build_bundle(
            challenger,
            name=served.manifest.name,
            kind=plan.kind,
            architecture=served.architecture,
            fitted=fitted,
            dataset=examples.held,
            census=examples.census,
            recipe=plan.recipe,
            examples=plan.base,
            licences=plan.licences,
            command=plan.command,
            warm_start=served.sha256,
            labels_sha256=examples.labels_sha256,
            identity=identity,
            # A few labels move few scores: the old thresholds still fit, and the gate checks them.
            as_in=served.manifest if plan.only_ngrams else None,
        )
    checkpoint.delete()
    return challenger


def _trained_before(plan: Plan, served: Bundle, identity: str) -> Path | None:
    """A challenger of the same parts: from a run that was killed afterwards, or refused."""
    for folder in _challengers(plan):
        try:
            training = load_bundle(folder, kind=plan.kind).manifest.training
        except BundleError:
            continue
        if (training.identity, training.warm_start) == (identity, served.sha256):
            return folder
    return None


def _challengers(plan: Plan) -> list[Path]:
    """Folders of challengers, the newest first."""
    paths = plan.folder.glob(f"{plan.kind}-????????.??????")
    return sorted((path for path in paths if path.is_dir()), reverse=True)


def _prune(plan: Plan, *, keep: Set[Path]) -> None:
    """Remove old challengers; one of them may be the champion of this run."""
    kept = {folder.resolve() for folder in keep}
    for folder in _challengers(plan)[_KEPT:]:
        if folder.resolve() not in kept:
            shutil.rmtree(folder, ignore_errors=True)
            decision_path(folder).unlink(missing_ok=True)
