"""Long vectors: arrays where the CPU computes, tensors where a GPU does.

On a CPU an operation of TensorFlow costs more to start than to do on the vectors of a
small model, and an array shares its memory with the tensor it came from. On a GPU the
vectors stay where the gradient is made.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf


def on_host() -> bool:
    """Whether vectors are to be arrays: no GPU is seen."""
    return not tf.config.list_logical_devices("GPU")


def dot(a: Any, b: Any) -> Any:
    """Returns the product of two vectors, in their own precision."""
    if isinstance(a, np.ndarray):
        return np.dot(a, b)
    return tf.tensordot(a, b, 1)


def exact_dot(a: Any, b: Any) -> float:
    """Returns the product of two vectors in double precision."""
    if isinstance(a, np.ndarray):
        with np.errstate(all="ignore"):  # infinite gradients are for the caller
            return float(np.dot(a.astype(np.float64), b.astype(np.float64)))
    return float(tf.tensordot(tf.cast(a, tf.float64), tf.cast(b, tf.float64), 1))


def precision_of(vector: Any) -> float:
    """Returns the relative rounding of a vector's entries."""
    return float(np.finfo(np.dtype(tf.as_dtype(vector.dtype).as_numpy_dtype)).eps)


def largest(vector: Any) -> float:
    """Returns the largest entry by magnitude."""
    if isinstance(vector, np.ndarray):
        return float(np.abs(vector).max(initial=0.0))
    return float(tf.reduce_max(tf.abs(vector)))


def moved(vector: Any, length: float, direction: Any) -> Any:
    """Returns the vector, moved along a direction, in its own precision."""
    if isinstance(vector, np.ndarray):
        with np.errstate(all="ignore"):
            return vector + vector.dtype.type(length) * direction
    return vector + tf.cast(length, vector.dtype) * direction


def fused_on_device(function: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a function of vectors one compiled call where they are tensors."""
    compiled = tf.function(function, autograph=False, reduce_retracing=True)

    @functools.wraps(function)
    def either(first: Any, *others: Any) -> Any:
        chosen = function if isinstance(first, np.ndarray) else compiled
        return chosen(first, *others)

    return either
