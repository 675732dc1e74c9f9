"""Keeps the first training examples on the device, for evaluation later."""

from typing import Any

import numpy as np
import tensorflow as tf

from keras_trainkit.recording.branch import branch
from keras_trainkit.recording.device import variable
from keras_trainkit.recording.schedule import Replica

# Large examples are kept fewer of: this is memory of the device.
_MOST_BYTES = 64 * 2**20


def capture(replica: Replica, data: Any, wanted: int) -> None:
    """Copies the examples of this step, until there are enough.

    Args:
        replica: Where they are kept.
        data: What the train step was given, nested; text, ragged or sparse tensors
            and such of unknown shape are not kept.
        wanted: How many examples are enough, int >= 1; fewer are if they would
            take more than 64 MiB.
    """
    flat = tf.nest.flatten(data)
    if not all(isinstance(v, tf.Tensor) and v.shape.rank for v in flat):
        return
    if any(None in v.shape[1:] or v.dtype == tf.string for v in flat):
        return
    size = sum(v.shape[1:].num_elements() * v.dtype.size for v in flat)
    # One batch may reach beyond the examples wanted: there is room for twice as many.
    wanted = max(1, min(wanted, _MOST_BYTES // (2 * max(size, 1))))
    if replica.captured is None:
        replica.captured_structure = tf.nest.map_structure(lambda _: 0, data)
        replica.captured = [
            variable(
                np.zeros([2 * wanted, *v.shape[1:]], v.dtype.as_numpy_dtype),
                v.dtype,
                replica.device,
            )
            for v in flat
        ]
        replica.captured_count = variable(0, tf.int64, replica.device)
    count = replica.captured_count.read_value()
    states = replica.captured

    def keep(count: Any, *values: Any) -> Any:
        size = tf.minimum(tf.shape(values[0])[0], wanted)
        places = count + tf.range(tf.cast(size, tf.int64))
        for state, value in zip(states, values, strict=True):
            state.scatter_nd_update(places[:, tf.newaxis], value[:size])
        replica.captured_count.assign_add(tf.cast(size, tf.int64))
        return tf.constant(0)

    branch(count < wanted, keep, _nothing, [count, *flat])


def _nothing(*inputs: Any) -> Any:
    return tf.constant(0)
