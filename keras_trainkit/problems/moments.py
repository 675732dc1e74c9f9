"""Means and variances whose second derivatives are right."""

import contextlib
from collections.abc import Iterator
from typing import Any

import tensorflow as tf


@contextlib.contextmanager
def whole_moments() -> Iterator[None]:
    """Lets `tf.nn.moments` differentiate its variance whole, while the context lasts.

    TensorFlow holds the mean inside the variance constant. The gradient is right all
    the same, as the variance is flat in that mean; the gradient's own derivative is
    not. So the second derivatives of LayerNormalization, GroupNormalization and, in
    training, BatchNormalization come out wrong without a word.
    """
    moments = tf.nn.moments

    def whole(
        x: Any, axes: Any, shift: Any = None, keepdims: bool = False, name: Any = None
    ) -> tuple[Any, Any]:
        value = tf.convert_to_tensor(x)
        dtype = value.dtype
        if dtype == tf.float16:  # as TensorFlow itself does
            value = tf.cast(value, tf.float32)
        mean = tf.reduce_mean(value, axes, keepdims=True)
        variance = tf.reduce_mean(tf.square(value - mean), axes, keepdims=True)
        if not keepdims:
            mean, variance = (tf.squeeze(one, axes) for one in (mean, variance))
        return tf.cast(mean, dtype), tf.cast(variance, dtype)

    tf.nn.moments = whole
    try:
        yield
    finally:
        tf.nn.moments = moments
