"""Any TensorFlow function, loss or metric as a function of its float inputs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_trainkit.arguments import received
from keras_trainkit.problems.double_precision import double_precision
from keras_trainkit.problems.problem import (
    Problem,
    has_floats,
    inlined_functions,
    projection,
)


def function_problem(
    function: Callable[..., Any], inputs: Any, *, double: bool, seed: int
) -> Problem:
    """Returns `function`, weighted at random and summed if it is no scalar.

    Args:
        function: Takes tensors, returns tensors.
        inputs: One array, a list or tuple of positional arguments, or a mapping
            of keyword arguments. Integers and booleans are held fixed.
        double: Whether to feed float64.
        seed: Seed of the weights on the outputs.

    Raises:
        ValueError: If no input is floating point.
    """
    if isinstance(inputs, Mapping):
        named = {str(name): value for name, value in inputs.items()}
    else:
        sequence = inputs if isinstance(inputs, list | tuple) else [inputs]
        named = {f"input {place}": value for place, value in enumerate(sequence)}
    arrays = {name: np.asarray(value) for name, value in named.items()}
    floats = {
        name: value
        for name, value in arrays.items()
        if np.issubdtype(value.dtype, np.floating)
    }
    if not floats:
        kinds = {name: str(value.dtype) for name, value in arrays.items()}
        raise ValueError(
            "`inputs` must hold at least one floating-point array, or there is "
            f"nothing to differentiate. {received('inputs', kinds)}"
        )

    def terms(values: Sequence[Any]) -> list[Any]:
        fed = dict(zip(floats, values, strict=True))
        with double_precision(function, double), inlined_functions():
            arguments = {
                name: fed[name] if name in fed else tf.convert_to_tensor(value)
                for name, value in arrays.items()
            }
            if isinstance(inputs, Mapping):
                outputs = function(**arguments)
            else:
                outputs = function(*arguments.values())
            if not has_floats(outputs):
                raise ValueError(
                    "`function` must return at least one float tensor, or there is "
                    f"nothing to differentiate. {received('returned', outputs)}"
                )
            return [projection(outputs, seed)]

    name = getattr(function, "__name__", type(function).__name__)
    return Problem(
        title=f"function {name!r}",
        names=list(floats),
        values=list(floats.values()),
        kinds=[_kind(value.dtype, double) for value in floats.values()],
        term_names=("loss",),
        terms=terms,
        double=double,
    )


def _kind(dtype: Any, double: bool) -> Any:
    """Falls back on float32 where float64 was refused: TensorFlow's own default."""
    if double:
        return tf.float64
    return tf.float32 if dtype == np.float64 else tf.as_dtype(dtype)
