"""What is differentiated: named values and the terms of a scalar function of them."""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf


@dataclasses.dataclass
class Problem:
    """A scalar function of some tensors, ready to be traced.

    Args:
        title: What is checked, for the report.
        names: One name a tensor.
        values: The point at which the gradient is checked, arrays.
        kinds: The type each value is cast to before `terms` sees it.
        term_names: Names of the scalars that `terms` returns.
        terms: Maps the list of tensors to a list of scalar tensors.
        depth: Number of parametrised layers, 1 for a function.
        notes: What the user should know about how the problem was made.
        double: Whether the problem computes in float64.
    """

    title: str
    names: list[str]
    values: list[Any]
    kinds: list[Any]
    term_names: tuple[str, ...]
    terms: Callable[[Sequence[Any]], list[Any]]
    depth: int = 1
    notes: list[str] = dataclasses.field(default_factory=list)
    double: bool = True


@contextlib.contextmanager
def inlined_functions() -> Iterator[None]:
    """Makes nested `tf.function`s part of the trace, for the time of the context.

    A `tf.function` around a layer's `call` keeps the parameters of its first
    trace and would ignore the perturbed ones; inlined, it cannot.
    """
    eager = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(eager)


def with_floats(value: Any, dtype: Any) -> Any:
    """Returns `value` as a tensor, floats in `dtype` unless that is `None`."""
    tensor = tf.convert_to_tensor(value)
    change = dtype is not None and tensor.dtype.is_floating
    return tf.cast(tensor, dtype) if change else tensor


def has_floats(outputs: Any) -> bool:
    """Whether `projection` finds anything in what a function returned."""
    return bool(_floats(outputs))


def projection(outputs: Any, seed: int) -> Any:
    """Reduces every float in `outputs` to one scalar by fixed random weights.

    A plain sum would hide errors that cancel, such as those of a softmax whose
    outputs always add up to one.
    """
    total = tf.zeros([], tf.float64)
    floats = _floats(outputs)
    if len(floats) == 1 and floats[0].shape.rank == 0:
        return tf.cast(floats[0], tf.float64)
    for position, tensor in enumerate(floats):
        tensor = tf.cast(tensor, tf.float64)
        key = [seed, position]
        sizes = tf.random.stateless_uniform(tf.shape(tensor), key, 0.5, 1.5, tf.float64)
        signs = tf.sign(
            tf.random.stateless_uniform(
                tf.shape(tensor), [seed + 1, position], -1.0, 1.0, tf.float64
            )
        )
        total += tf.reduce_sum(tensor * sizes * signs)
    return total


def _floats(outputs: Any) -> list[Any]:
    tensors = [
        tf.convert_to_tensor(leaf) if isinstance(leaf, float) else leaf
        for leaf in tf.nest.flatten(outputs)
    ]
    return [
        tensor
        for tensor in tensors
        if hasattr(tensor, "dtype") and tf.as_dtype(tensor.dtype).is_floating
    ]
