"""The entries of a variable that its norms are taken on."""

import math
from typing import Any

import numpy as np
import tensorflow as tf

# Short runs, so that few entries come from many rows: rows can differ much, e.g.
# those of input pixels that are always dark. As long as a line of a CPU's cache.
_RUN = 16


class Entries:
    """Reads a variable, or an even sample of a large one.

    A large variable is sampled because one that is kept whole from before an update
    would make the update copy it.

    Args:
        variable: The `tf.Variable`.
        limit: Entries to read at most, `None` for all. Short runs are read, one at
            a random place of each equal part of the variable, always the same.
    """

    def __init__(self, variable: Any, limit: int | None) -> None:
        self._variable = variable
        self._places: Any = None
        self.scale = 1.0
        self.size = size = math.prod(variable.shape)
        if limit is None or size <= limit:
            return
        self._run = math.gcd(size, _RUN) if limit >= _RUN else 1
        runs, count = size // self._run, limit // self._run
        places = np.arange(count) + np.random.default_rng(0).random(count)
        self._places = (places * (runs / count)).astype(np.int32)
        self.scale = size / (count * self._run)

    def read(self) -> Any:
        """The entries as they are now."""
        return self.of(self._variable.read_value())

    def of(self, tensor: Any) -> Any:
        """The same entries of a tensor shaped like the variable."""
        if self._places is None:
            return tensor
        # Not gathered from the variable itself: TensorFlow would from then on copy
        # the whole variable each time that it is read.
        return tf.gather(tf.reshape(tensor, [-1, self._run]), self._places)

    def nothing(self) -> Any:
        """An empty stand-in for what `read` returns."""
        rank = self._variable.shape.rank if self._places is None else 2
        return tf.zeros([0] * rank, self._variable.dtype)
