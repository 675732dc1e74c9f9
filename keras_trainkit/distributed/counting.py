"""Numbers that several processes draw, each once."""

from typing import Any

import tensorflow as tf


def counted_up(variable: Any) -> Any:
    """Adds one to a variable where it lies; returns what it held before.

    No two that count at the same time get the same number, which reading and then
    writing, or adding and then reading, cannot promise.

    Args:
        variable: An integer scalar `tf.Variable`, of a server for example.
    """
    with tf.device(variable.device):
        return tf.raw_ops.ResourceCountUpTo(
            resource=variable.handle, limit=variable.dtype.max, T=variable.dtype
        )
