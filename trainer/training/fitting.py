"""Fits a network: length-bucketed batches, one XLA-compiled step, early stopping.

The forward pass is the architecture's own, the same one that workers run.
"""

import contextlib
import functools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from stream_detector.events import Kind
from stream_detector.models import device
from stream_detector.models.architectures.base import Architecture, Dropout
from stream_detector.models.architectures.compiled import compiled_logits
from stream_detector.models.encoding import encode, shorten
from stream_detector.models.lean_tensorflow import tf
from stream_detector.terminal.progress import Progress, Stage
from trainer.examples.datasets import Dataset
from trainer.examples.readers import DataError
from trainer.measuring.evaluation import true_positive_rate
from trainer.training.checkpoint import Checkpoint, Standing
from trainer.training.data import Batch, HeldRows, TrainingRows
from trainer.training.recipe import Recipe
from trainer.training.replicas import summed_over

_SCORING_ROWS = 1024


class Epoch(NamedTuple):
    """The figures of an epoch."""

    number: int
    loss: float
    validation_auc: float
    validation_tpr: float
    """At a false-positive rate of 1%."""
    validation_accuracy: float
    """Of a verdict at a logit of 0."""
    seconds: float

    @property
    def figures(self) -> dict[str, float]:
        """As manifests, reports and checkpoints hold them."""
        return {name: float(figure) for name, figure in self._asdict().items()}


class Fit(NamedTuple):
    """The weights of the best epoch, and the figures of all epochs."""

    weights: dict[str, NDArray[np.float32]]
    history: list[Epoch]


def fit(
    architecture: Architecture,
    train: Dataset | TrainingRows,
    validation: Dataset,
    recipe: Recipe,
    *,
    kind: Kind,
    on_step: Callable[[int, int, float], None],
    on_epoch: Callable[[Epoch], None],
    initial: Mapping[str, NDArray[np.float32]] | None = None,
    checkpoint: Checkpoint | None = None,
    resume: bool = False,
    devices: Sequence[str] | None = None,
) -> Fit:
    """Train on ``train``; ``validation`` decides when to stop and which epoch to keep.

    Training starts with the weights ``initial``, by default the architecture's own. It calls
    ``on_step`` with the rows done, all rows and the loss, and ``on_epoch`` with each epoch's
    figures. After each epoch it saves ``checkpoint``; with ``resume`` it continues from there. The
    same seed and data give the same weights on the same CPU, however often it was resumed.
    ``devices`` (TensorFlow's names) share each batch; by default all GPUs, if there are several.

    Raises:
        CheckpointError: the checkpoint cannot be saved or resumed.
        DataError: the training diverged.
    """
    tf.keras.utils.set_random_seed(recipe.seed)
    # Without it a resumed training would end with other weights than one that ran through.
    tf.config.experimental.enable_op_determinism()
    rows = HeldRows(train) if isinstance(train, Dataset) else train
    if devices is None:
        devices = device.training_devices(device.visible_gpus())
    network = _Network(architecture, recipe, rows=rows.rows, devices=devices, initial=initial)
    history: list[Epoch] = []
    best: dict[str, NDArray[np.float32]] = {}
    if checkpoint is not None and resume:
        standing = checkpoint.load()
        network.restore(standing.state)
        best = dict(standing.best)
        history = [
            Epoch(**{**past, "number": int(past["number"])})  # type: ignore[arg-type]
            for past in standing.history
        ]
    while len(history) < recipe.epochs and not _is_over(history, recipe):
        number = len(history) + 1
        started = time.monotonic()
        batches = rows.batches(number, recipe, kind=kind, length_max=architecture.length_max)
        loss = network.run_epoch(batches, rows.rows, on_step)
        weights = network.weights()
        scores = logits_of(architecture, weights, validation.texts)
        if not np.isfinite(scores).all():
            raise DataError(
                f"in epoch {number} the weights grew beyond all bounds, so the network gives no "
                "scores: lower --learning-rate"
            )
        epoch = Epoch(
            number=number,
            loss=loss,
            validation_auc=float(roc_auc_score(validation.labels, scores)),
            validation_tpr=true_positive_rate(scores, validation.labels, 0.01),
            validation_accuracy=float(np.mean((scores > 0) == validation.labels)),
            seconds=time.monotonic() - started,
        )
        history.append(epoch)
        if epoch is max(history, key=lambda one: one.validation_auc):  # The first of equals.
            best = weights
        if checkpoint is not None:
            checkpoint.save(Standing(network.state(), best, [one.figures for one in history]))
        on_epoch(epoch)
    return Fit(best, history)


class TrainingProgress:
    """The callbacks of ``fitting.fit``: a stage for each epoch, and a line when it ends."""

    def __init__(self, progress: Progress, stage: Stage, name: str) -> None:
        self._progress = progress
        self._stage = stage
        self._prefix = f"{name}: " if name else ""
        self._begin_epoch(1)

    def on_step(self, done: int, total: int, loss: float) -> None:
        """Show the rows done, of ``total``, and the loss."""
        if self._stage.total is None:
            self._stage.begin(self._stage.what, total)
        self._stage.update(done, f"loss {loss:.4f}")
        if done == total:
            self._stage.begin(f"{self._prefix}epoch {self._epoch}, validation")

    def on_epoch(self, epoch: Epoch) -> None:
        """Print the figures of an epoch."""
        self._progress.tell(
            f"{self._prefix}epoch {epoch.number}: loss {epoch.loss:.4f}, validation AUC "
            f"{epoch.validation_auc:.4f}, TPR at FPR 1% {epoch.validation_tpr:.3f}, "
            f"{epoch.seconds:.0f} s"
        )
        self._begin_epoch(epoch.number + 1)

    def _begin_epoch(self, number: int) -> None:
        self._epoch = number
        self._stage.begin(f"{self._prefix}epoch {number}")


@contextlib.contextmanager
def shown_training(progress: Progress, name: str = "") -> Iterator[TrainingProgress]:
    """Show the training in the block; ``name`` distinguishes it from others."""
    with progress.stage(name) as stage:
        yield TrainingProgress(progress, stage, name)


def _is_over(history: Sequence[Epoch], recipe: Recipe) -> bool:
    """Whether the last ``patience`` epochs brought no better validation AUC."""
    if not history:
        return False
    best = max(history, key=lambda epoch: epoch.validation_auc)
    return history[-1].number - best.number >= recipe.patience


class _Network:
    """A network in training: its variables, its optimisers, one compiled step."""

    def __init__(
        self,
        architecture: Architecture,
        recipe: Recipe,
        *,
        rows: int,
        devices: Sequence[str],
        initial: Mapping[str, NDArray[np.float32]] | None,
    ) -> None:
        """An epoch has ``rows``; several ``devices`` share each batch."""
        self._architecture = architecture
        self._recipe = recipe
        self._devices = devices
        self._variables = {
            name: tf.Variable(value, name=name)
            for name, value in (initial or architecture.initial_weights(recipe.seed)).items()
        }
        steps = -(-rows // recipe.batch_size)
        tables = architecture.tables
        self._table_names = sorted(tables)
        self._dense_names = [name for name in self._variables if name not in tables]
        self._dense = [self._variables[name] for name in self._dense_names]
        self._tables = [self._variables[name] for name in self._table_names]
        self._optimizer = tf.keras.optimizers.AdamW(
            _rise_and_fall(recipe, steps),
            weight_decay=recipe.weight_decay,
            # Bounds the step that one odd batch may take: recurrent gradients can explode.
            global_clipnorm=1.0,
        )
        self._optimizer.build(self._dense)
        # Adagrad for the tables: most of their entries occur in few rows.
        self._table_optimizer = tf.keras.optimizers.Adagrad(
            tf.keras.optimizers.schedules.PolynomialDecay(
                recipe.ngram_learning_rate, steps * recipe.epochs, end_learning_rate=0.0
            )
        )
        self._table_optimizer.build(self._tables)
        self._step = self._compiled_step()

    def weights(self) -> dict[str, NDArray[np.float32]]:
        """The weights, rounded as a bundle stores them, so that figures are those of the bundle."""
        weights = {name: variable.numpy() for name, variable in self._variables.items()}
        for name in self._architecture.half_precision:
            weights[name] = weights[name].astype(np.float16).astype(np.float32)
        return weights

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that the next step depends on."""
        return {name: np.asarray(variable) for name, variable in self._state_variables().items()}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Continue from an earlier ``state``."""
        for name, variable in self._state_variables().items():
            variable.assign(state[name])

    def _state_variables(self) -> dict[str, Any]:
        optimizers = {"adamw": self._optimizer, "adagrad": self._table_optimizer}
        return {
            **self._variables,
            **{
                f"{name}/{place}": variable
                for name, optimizer in optimizers.items()
                for place, variable in enumerate(optimizer.variables)
            },
        }

    def run_epoch(
        self,
        batches: Iterable[Batch],
        rows: int,
        on_step: Callable[[int, int, float], None],
    ) -> float:
        """Take a step for each batch, with ``rows`` in all of them; return the mean loss."""
        replicas = max(1, len(self._devices))
        # Every batch has one size, padded if need be: XLA compiles once for each shape.
        size = -(-self._recipe.batch_size // replicas) * replicas
        losses: list[float] = []
        done = 0
        for texts, labels, steps in batches:
            batch = encode(texts, steps=steps, columns=size)
            targets = np.zeros(size, np.float32)
            targets[: len(texts)] = labels
            present = (np.arange(size) < len(texts)).astype(np.float32)
            arrays = (batch.forward, batch.backward, batch.lengths, targets, present)
            losses.append(float(self._step(*map(tf.constant, arrays), steps)))
            done += len(texts)
            on_step(done, rows, float(np.mean(losses[-50:])))
        return float(np.mean(losses))

    def _compiled_step(self) -> "Callable[..., tf.Tensor]":
        recipe, dense, tables = self._recipe, self._dense, self._tables
        optimizer, table_optimizer = self._optimizer, self._table_optimizer

        def loss_and_gradients(
            replica: int | tf.Tensor,
            variables: Mapping[str, tf.Tensor],
            batch: Sequence[tf.Tensor],
            rows: tf.Tensor,
            drawn: tf.Tensor,
            steps: int,
        ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
            """Of one device's share of a batch; the whole batch has ``rows``."""
            *texts, targets, present = batch
            drawn += tf.stack([replica, 0])
            with tf.GradientTape() as tape:
                tape.watch(variables)
                logits, *parts = self._architecture.heads(
                    variables,
                    texts,
                    steps=steps,
                    dropout=Dropout(recipe.dropout, drawn) if recipe.dropout else None,
                )
                smoothed = targets * (1 - recipe.label_smoothing) + recipe.label_smoothing / 2
                losses = tf.nn.sigmoid_cross_entropy_with_logits(smoothed, logits)
                for part in parts:
                    losses += recipe.part_weight * tf.nn.sigmoid_cross_entropy_with_logits(
                        smoothed, part
                    )
                weights = present * (1 + targets * (recipe.malicious_weight - 1))
                loss = tf.reduce_sum(losses * weights) / rows
            found = tape.gradient(loss, dict(variables))
            return loss, {name: tf.convert_to_tensor(one) for name, one in found.items()}

        def update(of_each: dict[str, tf.Tensor], rows: tf.Tensor) -> None:
            gradients = [of_each[name] for name in (*self._dense_names, *self._table_names)]
            optimizer.apply(gradients[: len(dense)], dense)
            if tables:
                # Adagrad needs the gradient of the sum over the rows, not of their mean.
                table_optimizer.apply([rows * one for one in gradients[len(dense) :]], tables)

        several = len(self._devices) > 1
        if several:
            on_whole_batch = summed_over(self._devices, loss_and_gradients)
            update = tf.function(update, jit_compile=True)
        else:
            on_whole_batch = functools.partial(loss_and_gradients, 0)

        @tf.function(jit_compile=not several, reduce_retracing=False)
        def step(*batch_and_steps: Any) -> tf.Tensor:
            *batch, steps = batch_and_steps
            rows = tf.reduce_sum(batch[-1])  # without the padding of the last batch
            drawn = tf.stack([recipe.seed, 2 * tf.cast(optimizer.iterations, tf.int32)])
            loss, gradients = on_whole_batch(self._variables, batch, rows, drawn, steps)
            update(gradients, rows)
            return loss

        return step  # type: ignore[no-any-return]


def logits_of(
    architecture: Architecture,
    weights: dict[str, NDArray[np.float32]],
    texts: Sequence[str],
) -> NDArray[np.float32]:
    """Logits of any number of canonical texts, shape ``[len(texts)]``."""
    score = compiled_logits(architecture)
    constants = {name: tf.constant(value) for name, value in weights.items()}
    short = [shorten(text, architecture.length_max) for text in texts]
    # Texts of like length together: the compiled network stops at the longest of a batch.
    order = np.argsort([len(text) for text in short], kind="stable")
    result = np.empty(len(texts), np.float32)
    for start in range(0, len(order), _SCORING_ROWS):
        rows = order[start : start + _SCORING_ROWS]
        batch = encode(
            [short[row] for row in rows], steps=architecture.length_max, columns=_SCORING_ROWS
        )
        result[rows] = score(constants, *map(tf.constant, batch)).numpy()[: len(rows)]
    return result


def _rise_and_fall(
    recipe: Recipe, steps_per_epoch: int
) -> "tf.keras.optimizers.schedules.LearningRateSchedule":
    rise = max(1, steps_per_epoch // 2)
    return tf.keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=recipe.learning_rate / 20,
        decay_steps=max(1, steps_per_epoch * recipe.epochs - rise),
        alpha=0.01,
        warmup_target=recipe.learning_rate,
        warmup_steps=rise,
    )
