"""The entries of a variable that its norms are taken on."""

import math
from typing import Any

import tensorflow as tf


class Entries:
    """Reads a variable, or an even sample of a large one.

    A large variable is sampled because one that is kept whole from before an update
    would make the update copy it.

    Args:
        variable: The `tf.Variable`.
        limit: Entries to read at most, `None` for all. Whole runs of the last axis
            are read, evenly spaced, at least one.
    """

    def __init__(self, variable: Any, limit: int | None) -> None:
        self._variable = variable
        self._count = 0
        self.scale = 1.0
        shape = tuple(variable.shape)
        size = math.prod(shape)
        if limit is None or size <= limit:
            return
        run = shape[-1] if len(shape) > 1 else 1
        total = size // run
        stride = -(-total // max(1, limit // run))
        if stride == 1:
            return
        self._count = total // stride
        self._run, self._stretch = run, stride * run
        self.scale = total / self._count

    def read(self) -> Any:
        """The entries as they are now."""
        return self.of(self._variable)

    def of(self, tensor: Any) -> Any:
        """The same entries of a tensor shaped like the variable."""
        if not self._count:
            return tf.identity(tensor)
        # Not gathered from the variable itself: TensorFlow would from then on copy
        # the whole variable each time that it is read.
        flat = tf.reshape(tensor, [-1])[: self._count * self._stretch]
        return tf.reshape(flat, [self._count, self._stretch])[:, : self._run]

    def nothing(self) -> Any:
        """An empty stand-in for what `read` returns."""
        rank = 2 if self._count else self._variable.shape.rank
        return tf.zeros([0] * rank, self._variable.dtype)
