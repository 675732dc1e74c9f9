"""The terms of a function of tensors, and their gradients, on one tape."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from keras_trainkit.problems.problem import inlined_functions


def terms_and_gradients(
    terms: Callable[[Sequence[Any]], list[Any]],
    values: Sequence[Any],
    which: Sequence[int] | None = None,
) -> tuple[list[Any], list[list[Any]]]:
    """Evaluates the terms and differentiates some of them.

    Args:
        terms: Maps tensors to a list of scalar tensors.
        values: The tensors, in the types that `terms` expects.
        which: Positions of the terms to differentiate; by default all of them.

    Returns:
        All terms, and for each chosen term one gradient a tensor: dense, of the
        tensor's shape, or `None` where no path leads from the tensor to the term.
    """
    # A fresh tensor each: the same one given twice has two gradients.
    values = [tf.identity(value) for value in values]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(values)
        found = terms(values)
    chosen = range(len(found)) if which is None else which
    gradients = []
    for place in chosen:
        with inlined_functions():
            parts = tape.gradient(found[place], values)
        gradients.append(
            [None if part is None else tf.convert_to_tensor(part) for part in parts]
        )
    return found, gradients
