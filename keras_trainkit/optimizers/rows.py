"""Gradients that reach only some rows of a table, each row counted once."""

import dataclasses
from typing import Any

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Rows:
    """The gradient of a table that is zero outside the rows `ids`.

    TensorFlow writes such a gradient as `tf.IndexedSlices`, in which an id that
    occurs twice in a batch has two entries. Their sum is the gradient; squaring
    or clipping the entries one by one is not.

    Args:
        ids: Which rows, shape `(n,)`.
        values: Their gradients, shape `(n, ...)`.
        shape: The shape of the table.
    """

    ids: Any
    values: Any
    shape: tuple[int, ...]

    def __truediv__(self, divisor: Any) -> "Rows":
        return dataclasses.replace(self, values=self.values / divisor)

    def summed(self) -> "Rows":
        """Returns the same gradient with each id once."""
        ids, place = tf.unique(self.ids)
        values = tf.math.unsorted_segment_sum(self.values, place, tf.size(ids))
        return dataclasses.replace(self, ids=ids, values=values)

    def slices(self) -> tf.IndexedSlices:
        """Returns the gradient as TensorFlow writes it."""
        return tf.IndexedSlices(self.values, self.ids, tf.constant(self.shape))


def as_rows(gradient: Any, shape: Any) -> Any:
    """Returns `tf.IndexedSlices` as `Rows`, anything else as it is.

    Args:
        gradient: The gradient of a weight.
        shape: The shape of that weight.
    """
    if isinstance(gradient, tf.IndexedSlices):
        return Rows(gradient.indices, gradient.values, tuple(shape))
    return gradient


def nonzero_rows(gradient: Any) -> Rows:
    """Returns those rows of a dense gradient that are not all zeros.

    NaN is not zero: a row that holds one is kept.
    """
    flat = tf.reshape(gradient, [tf.shape(gradient)[0], -1])
    ids = tf.where(tf.reduce_any(tf.not_equal(flat, 0), axis=1))[:, 0]
    return Rows(ids, tf.gather(gradient, ids), tuple(gradient.shape))
