"""A step that several devices share: the one place that knows of ``tf.distribute``.

The first device keeps weights and optimisers; in each step every device gets the weights and an
equal share of the batch, and their gradients are summed. So the update, the checkpoint and the
result (to float tolerance) are those of one device. Tested on two logical CPU devices; the speed on
several GPUs was not measured, for lack of GPUs.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stream_detector.models.lean_tensorflow import tf


def summed_over(devices: Sequence[str], function: Callable[..., Any]) -> Callable[..., Any]:
    """Run ``function`` on each of ``devices`` with its share of a batch, and sum the results.

    Call the result inside a ``tf.function`` that XLA does not compile: XLA has no collectives
    here. It does compile ``function`` itself.

    Args:
        devices: TensorFlow's names, two or more.
        function: called with ``(replica, weights, batch, *others)``, where ``replica`` is the
            number of the device from 0 and ``batch`` the share. Returns tensors, nested or not.

    Returns:
        A function of ``(weights, batch, *others)``. ``weights`` are tensors or variables by name;
        ``batch`` is a sequence of tensors whose last axis is the batch's rows, a multiple of the
        devices in number; ``others`` are passed on.
    """
    strategy = tf.distribute.MirroredStrategy(list(devices))
    compiled = tf.function(function, jit_compile=True, reduce_retracing=False)

    def shared(weights: Mapping[str, Any], batch: Sequence[tf.Tensor], *others: Any) -> Any:
        share = batch[0].shape[-1] // len(devices)
        # A compiled function cannot read a variable of another device: pass the values.
        values = {name: tf.convert_to_tensor(weight) for name, weight in weights.items()}

        def on_replica(values: Mapping[str, tf.Tensor]) -> Any:
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            first = replica * share
            return compiled(
                replica, values, [rows[..., first : first + share] for rows in batch], *others
            )

        results = strategy.run(on_replica, args=(values,))
        with tf.device(devices[0]):
            return tf.nest.map_structure(
                lambda result: strategy.reduce(tf.distribute.ReduceOp.SUM, result, axis=None),
                results,
            )

    return shared
