"""Runs a function over many variables in few passes over the memory."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

# A launch costs as much as several small operations, a long program compiles
# slowly, and equal groups share one program: four was the best of 1 to 160.
VARIABLES_PER_LAUNCH = 4


class Fused:
    """A function of lists of variables, compiled by XLA a few variables a call.

    In a plain graph each `*` or `+` of an update reads and writes arrays as big
    as the weights. Compiled, the update reads each array once and writes each
    once. Inside a step that is compiled as a whole, nothing changes.

    It is a plain object so that Keras and `tf.saved_model` do not take the
    compiled function for a part of the model.

    Args:
        function: Called with one list per column, all of the same length, and
            with the shared arguments. Numbers among these are compiled in.
    """

    def __init__(self, function: Callable[..., None]) -> None:
        self._compiled = tf.function(function, jit_compile=True, autograph=False)

    def __call__(self, columns: Sequence[Sequence[Any]], *shared: Any) -> None:
        """Runs the function over all entries of the columns.

        Args:
            columns: Lists of the same length, one entry per variable.
            *shared: What every call gets.
        """
        count = len(columns[0])
        for start in range(0, count, VARIABLES_PER_LAUNCH):
            stop = start + VARIABLES_PER_LAUNCH
            self._compiled(*[list(column[start:stop]) for column in columns], *shared)
