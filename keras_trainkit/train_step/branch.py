"""A branch of the train step that costs next to nothing where it is not taken."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def branch(
    condition: Any, taken: Callable[..., Any], other: Callable[..., Any], inputs: Any
) -> Any:
    """Calls one of two functions, as one operation.

    `tf.cond` would send each input through operations of its own and visit all those
    of the branch that is not taken.

    Args:
        condition: A boolean scalar.
        taken: Called with the inputs where it holds; may write variables.
        other: Called where it does not, with the inputs and what `taken` captures.
        inputs: A list of tensors.

    Returns:
        The one tensor that the function called returned; both must return the same
        shape and type.
    """
    if tf.executing_eagerly():
        return taken(*inputs) if condition else other(*inputs)
    specs = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in inputs]
    yes = tf.function(taken, autograph=False).get_concrete_function(*specs)
    # What the one captures, its variables, both are given.
    specs += [tf.TensorSpec([], tensor.dtype) for tensor in yes.captured_inputs]
    no = tf.function(other, autograph=False).get_concrete_function(*specs)
    operation = tf.raw_ops.If if yes.captured_inputs else tf.raw_ops.StatelessIf
    (result,) = operation(
        cond=condition,
        input=[*inputs, *yes.captured_inputs],
        Tout=[yes.output_dtypes],
        then_branch=yes,
        else_branch=no,
        output_shapes=[yes.output_shapes],
    )
    return result
