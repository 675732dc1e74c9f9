"""Where readings wait on the device until the host comes for them."""

from typing import Any

import numpy as np
import tensorflow as tf

from keras_trainkit.train_step.device_variable import variable

# Rows a ring holds are limited by its size, so that wide models stay cheap.
_BYTES = 4 * 2**20
_ROWS = 16, 4096


class Ring:
    """A ring buffer on the device: one row of numbers a reading.

    Args:
        width: Numbers in a row.
        device: Where it lives.
        step: The variable that counts steps, if a row is written at every one;
            `None` if the ring has to keep the steps of its rows itself.
        fewest: Rows that it must hold, int >= 1.
    """

    def __init__(
        self, width: int, device: str | None, step: Any = None, fewest: int = 1
    ) -> None:
        least, most = _ROWS
        rows = max(least, min(most, _BYTES // (4 * max(width, 1))))
        self.capacity = max(fewest, rows)
        self._rows = variable(np.zeros((self.capacity, width)), tf.float32, device)
        self._keeps_steps = step is None
        self._count = variable(0, tf.int64, device) if step is None else step
        if self._keeps_steps:
            self._steps = variable(np.zeros(self.capacity), tf.int64, device)
        self._taken = 0

    def write(self, step: Any, row: Any) -> None:
        """Adds a row; traced into the train step.

        Args:
            step: The training step, int64 scalar.
            row: The numbers, float32, shape `(width,)`.
        """
        count = self._count.read_value() if self._keeps_steps else step
        place = count % self.capacity
        self._rows.scatter_update(tf.IndexedSlices(row, place))
        if self._keeps_steps:
            self._steps.scatter_update(tf.IndexedSlices(step, place))
            self._count.assign_add(1)

    def drain(self) -> tuple[np.ndarray, np.ndarray]:
        """Takes the rows written since the last call, oldest first.

        Returns:
            `(steps, rows)` of shapes `(n,)` and `(n, width)`. Rows that were
            written over before they could be taken are lost.
        """
        count = int(self._count.numpy())
        first = max(self._taken, count - self.capacity)
        self._taken = count
        if first == count:
            return np.empty(0, np.int64), np.empty((0, self._rows.shape[1]), "f4")
        numbers = np.arange(first, count)
        places: Any = numbers % self.capacity
        steps = self._steps.numpy()[places] if self._keeps_steps else numbers
        return steps, self._rows.numpy()[places]

    def restart(self) -> None:
        """Forgets all rows and steps; a counter of someone else's is left alone."""
        self._taken = 0
        if self._keeps_steps:
            self._count.assign(0)
