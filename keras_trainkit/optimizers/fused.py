"""Runs a function over many variables in few passes over the memory."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

# A launch of a compiled program costs about as much as 40 small operations, but
# a long program compiles slowly, and equal groups share one: of 1 to 160
# variables a launch, 4 and 8 were the best.
VARIABLES_PER_LAUNCH = 8

# Below this many elements, in a launch's weights and state together, plain
# operations are done before a program is launched.
LAUNCH_PAYS_FROM = 2**15


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
        arrays: How many arrays of a variable's size the function writes.
    """

    def __init__(self, function: Callable[..., None], arrays: int) -> None:
        self._plain = function
        self._compiled = tf.function(function, jit_compile=True, autograph=False)
        self._arrays = arrays

    def __call__(self, columns: Sequence[Sequence[Any]], *shared: Any) -> None:
        """Runs the function over all entries of the columns.

        Args:
            columns: Lists of the same length, one entry per variable; the first
                holds the variables.
            *shared: What every call gets.
        """
        for start in range(0, len(columns[0]), VARIABLES_PER_LAUNCH):
            stop = start + VARIABLES_PER_LAUNCH
            group = [list(column[start:stop]) for column in columns]
            elements = sum(variable.shape.num_elements() for variable in group[0])
            if elements * self._arrays < LAUNCH_PAYS_FROM:
                self._plain(*group, *shared)
            else:
                self._compiled(*group, *shared)
