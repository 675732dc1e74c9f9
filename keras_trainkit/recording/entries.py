"""The entries of a variable that its norms are taken on."""

import math
from typing import Any

import numpy as np
import tensorflow as tf


class Entries:
    """Reads a variable, or an even sample of a large one.

    A sample is gathered from the variable's own memory: a whole variable, read
    before an update and kept until after it, would make the update copy it.

    Args:
        variable: The `tf.Variable`.
        limit: Entries to read at most, `None` for all. Whole runs of the last axis
            are read, evenly spaced, at least one.
    """

    def __init__(self, variable: Any, limit: int | None) -> None:
        self._variable = variable
        self._places: np.ndarray | None = None
        self.scale = 1.0
        shape = tuple(variable.shape)
        size = math.prod(shape)
        if limit is None or size <= limit:
            return
        leading = shape[:-1] if len(shape) > 1 else shape
        run = shape[-1] if len(shape) > 1 else 1
        count = max(1, limit // run)
        total = math.prod(leading)
        if count >= total:
            return
        chosen = np.linspace(0, total - 1, count).round().astype(np.int64)
        self._places = np.stack(np.unravel_index(chosen, leading), axis=-1)
        self.scale = total / count

    def read(self) -> Any:
        """The entries as they are now."""
        if self._places is None:
            return tf.identity(self._variable)
        if hasattr(self._variable, "gather_nd"):
            return self._variable.gather_nd(self._places)
        return tf.gather_nd(self._variable, self._places)

    def of(self, tensor: Any) -> Any:
        """The same entries of a tensor shaped like the variable."""
        if self._places is None:
            return tf.convert_to_tensor(tensor)
        return tf.gather_nd(tensor, self._places)

    def nothing(self) -> Any:
        """An empty stand-in for what `read` returns."""
        rank = self._variable.shape.rank if self._places is None else 2
        if self._places is not None and self._variable.shape.rank == 1:
            rank = 1
        return tf.zeros([0] * rank, self._variable.dtype)
