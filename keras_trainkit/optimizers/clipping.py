"""By what each gradient is multiplied so that it is no longer than allowed."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from keras_trainkit.optimizers.rows import Rows


def clip_factors(
    gradients: Sequence[Any], clipnorm: float | None, global_clipnorm: float | None
) -> list[Any]:
    """Returns a factor in [0, 1] for each gradient; NaN for one with an infinity.

    Args:
        gradients: Tensors or `Rows` in which each id occurs once.
        clipnorm: The greatest length of each gradient, `None` for no limit.
        global_clipnorm: The greatest length of all of them together.

    Returns:
        Scalars in float32 or float64, `None` without a limit.
    """
    if clipnorm is not None:
        return [_factor(_squared_length(g), clipnorm) for g in gradients]
    if global_clipnorm is not None:
        squares = [tf.cast(_squared_length(g), tf.float64) for g in gradients]
        return [_factor(tf.add_n(squares), global_clipnorm)] * len(squares)
    return [None for _ in gradients]


def _squared_length(gradient: Any) -> Any:
    values = gradient.values if isinstance(gradient, Rows) else gradient
    if values.dtype.size < 4:  # half precision overflows at 256 squared
        values = tf.cast(values, tf.float32)
    return 2 * tf.nn.l2_loss(values)


def _factor(square: Any, limit: float) -> Any:
    # Infinity over infinity: as in Keras, a gradient that is not finite clips
    # to NaN instead of hiding behind a zero.
    length = tf.sqrt(square)
    return limit / tf.maximum(length, limit) + (length - length)
