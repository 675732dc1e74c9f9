"""How the predictions of several members become one, whatever their order."""

import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

# What the mean probability counts in a majority vote.
TIE_SHARE = 2.0**-10
_EXPONENT = 0x7FF0000000000000  # the exponent's bits of a float64
_MANTISSA_BITS = 52


def normalized(weights: Sequence[float]) -> list[float]:
    """Returns weights that sum to 1, the same to the last bit in every order."""
    total = math.fsum(weights)
    return [weight / total for weight in weights]


def mean_vote(outputs: Sequence[Any], shares: Sequence[float]) -> Any:
    """Returns the weighted mean, exact enough not to depend on the order.

    Differences to the smallest prediction are rounded to multiples of one unit, so
    small (about 2e-15 of the largest difference) that nothing is lost, so large
    that float64 adds them without rounding: then the order cannot matter. Members
    that agree differ by zero, and their mean is what they predict, to the last bit.

    Args:
        outputs: One tensor each member, all of one shape.
        shares: Their weights, summing to 1.

    Returns:
        The mean, float32 or, if a member is, float64. Its gradient is that of a
        plain weighted mean.
    """
    kind = tf.float64 if any(o.dtype == tf.float64 for o in outputs) else tf.float32
    if len(outputs) == 1:
        return tf.cast(outputs[0], kind)
    weights = tf.constant(shares, tf.float64)
    weights = tf.reshape(weights, [-1] + [1] * len(outputs[0].shape))

    @tf.custom_gradient
    def mean(values: Any) -> tuple[Any, Any]:
        return _mean(values, weights), lambda gradient: weights * gradient[None]

    return tf.cast(mean(tf.stack([tf.cast(o, tf.float64) for o in outputs])), kind)


def majority_vote(
    outputs: Sequence[Any], shares: Sequence[float], exclusive: bool
) -> Any:
    """Returns the share of the votes that each class has.

    A member votes for its most probable class, the first of equals; or, where
    classes do not exclude each other, for each that is more probable than 1/2. A
    thousandth of the result is the mean probability, less where that could outweigh
    a vote, so that of classes with equally many votes the one more probable on
    average wins.

    Args:
        outputs: One tensor of probabilities each member, classes last.
        shares: Their weights, summing to 1.
        exclusive: Whether an example is of one class only.

    Returns:
        Shares, summing to 1 if classes are exclusive and probabilities do.
    """
    votes = []
    for output in outputs:
        if exclusive:
            classes = output.shape[-1]
            votes.append(tf.one_hot(tf.argmax(output, -1), classes, dtype=tf.float64))
        else:
            votes.append(tf.cast(output > 0.5, tf.float64))
    tie_share = min(TIE_SHARE, 0.5 * min(shares))
    probable = mean_vote(outputs, shares)
    mixed = mean_vote(votes, shares) + tie_share * tf.cast(probable, tf.float64)
    return tf.cast(mixed / (1.0 + tie_share), probable.dtype)


def _mean(values: Any, weights: Any) -> Any:
    lowest = tf.reduce_min(values, axis=0)
    # Infinite predictions that agree differ by zero too.
    above = tf.where(values == lowest, tf.zeros_like(values), values - lowest)
    above *= weights
    unit = _power_of_two_below(tf.reduce_max(above, axis=0))
    unit *= 2.0 ** (values.shape[0].bit_length() - _MANTISSA_BITS)
    usable = tf.logical_and(unit > 0, tf.math.is_finite(unit))
    unit = tf.where(usable, unit, tf.ones_like(unit))
    return lowest + tf.reduce_sum(tf.round(above / unit), axis=0) * unit


def _power_of_two_below(value: Any) -> Any:
    exponent = tf.bitwise.bitwise_and(
        tf.bitcast(value, tf.int64), tf.constant(_EXPONENT, tf.int64)
    )
    return tf.bitcast(exponent, tf.float64)
