"""Keeps the first training examples on the device, for evaluation later."""

from typing import Any

import numpy as np
import tensorflow as tf

from keras_trainkit.train_step.branch import branch
from keras_trainkit.train_step.device_variable import variable

# Large examples are kept fewer of: this is memory of the device.
_MOST_BYTES = 64 * 2**20


class CapturedExamples:
    """The first examples that a run trains on.

    Args:
        wanted: How many are enough, int >= 1; fewer are if they would take more than
            64 MiB.
        device: Where they are kept; `None` leaves the choice to TensorFlow.
    """

    def __init__(self, wanted: int, device: str | None = None) -> None:
        self._wanted = wanted
        self._device = device
        # Made for the first data that can be kept.
        self._states: list[Any] | None = None
        self._structure: Any = None
        self._count: Any = None

    def keep(self, data: Any) -> bool:
        """Copies the examples of a step, until there are enough; traced into it.

        Args:
            data: What the train step was given, nested; text, ragged or sparse
                tensors and such of unknown shape are not kept.

        Returns:
            Whether data like this can be kept.
        """
        flat = tf.nest.flatten(data)
        if not all(isinstance(v, tf.Tensor) and v.shape.rank for v in flat):
            return False
        if any(None in v.shape[1:] or v.dtype == tf.string for v in flat):
            return False
        if self._states is None:
            self._states = self._prepare(data, flat)
        kinds = [(state.shape[1:], state.dtype) for state in self._states]
        if kinds != [(v.shape[1:], v.dtype) for v in flat]:
            return False  # of another kind than the first
        states, total, wanted = self._states, self._count, self._wanted

        def take(count: Any, *values: Any) -> Any:
            size = tf.minimum(tf.shape(values[0])[0], wanted)
            places = count + tf.range(tf.cast(size, tf.int64))
            for state, value in zip(states, values, strict=True):
                state.scatter_nd_update(places[:, tf.newaxis], value[:size])
            total.assign_add(tf.cast(size, tf.int64))
            return tf.constant(0)

        count = total.read_value()
        branch(count < wanted, take, _nothing, [count, *flat])
        return True

    def are_enough(self) -> bool:
        """Whether no more examples will be kept."""
        return self._states is not None and self._count.numpy() >= self._wanted

    def restart(self) -> None:
        """Forgets the examples; others of the same kind take their place."""
        if self._states is not None:
            self._count.assign(0)

    def value(self) -> Any:
        """The examples kept, structured as the data of a step.

        Returns:
            Nested tensors, at most as many examples as asked for, or `None` if the
            data could not be kept.
        """
        if self._states is None:
            return None
        count = min(int(self._count.numpy()), self._wanted)
        return tf.nest.pack_sequence_as(
            self._structure, [state[:count] for state in self._states]
        )

    def _prepare(self, data: Any, flat: list[Any]) -> list[Any]:
        size = sum(v.shape[1:].num_elements() * v.dtype.size for v in flat)
        # One batch may reach beyond the examples wanted: there is room for twice as
        # many.
        self._wanted = max(1, min(self._wanted, _MOST_BYTES // (2 * max(size, 1))))
        self._structure = tf.nest.map_structure(lambda _: 0, data)
        self._count = variable(0, tf.int64, self._device)
        return [
            variable(
                np.zeros([2 * self._wanted, *v.shape[1:]], v.dtype.as_numpy_dtype),
                v.dtype,
                self._device,
            )
            for v in flat
        ]


def _nothing(*inputs: Any) -> Any:
    return tf.constant(0)
