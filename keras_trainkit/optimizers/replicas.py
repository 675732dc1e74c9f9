"""The same update on every replica of a `tf.distribute` strategy."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from keras_trainkit.optimizers.rows import Rows, as_rows


def sum_over_replicas(gradients: Sequence[Any]) -> list[Any]:
    """Returns the gradients of the whole batch, the same on every replica.

    Summing comes before clipping and squaring, so that two replicas with half a
    batch each do what one does with the whole.
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return list(gradients)
    plain = [g.slices() if isinstance(g, Rows) else g for g in gradients]
    reduced = context.all_reduce(tf.distribute.ReduceOp.SUM, plain)
    return [
        as_rows(total, gradient.shape) if isinstance(gradient, Rows) else total
        for gradient, total in zip(gradients, reduced, strict=True)
    ]


def leave_replicas(function: Callable[[list[Any]], None], gradients: list[Any]) -> None:
    """Calls `function(gradients)` once, outside of the replicas' own threads.

    Only there may an update be conditional (`tf.cond`).
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        function(gradients)
    else:
        context.merge_call(lambda strategy, merged: function(merged), args=(gradients,))


def copies(value: Any) -> tuple[Any, ...]:
    """Returns a variable's or a gradient's copy on each replica."""
    return tf.distribute.get_strategy().experimental_local_results(value)
