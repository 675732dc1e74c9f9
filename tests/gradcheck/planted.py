"""Layers whose gradient is wrong in one known way."""

import keras
import numpy as np
import tensorflow as tf


def with_backward(backward):
    """An identity whose gradient is `backward(upstream)`."""

    @tf.custom_gradient
    def identity(value):
        return tf.identity(value), backward

    return identity


def _one_entry(upstream):
    mask = np.ones(upstream.shape)
    mask[3, 7] = 0.0
    return upstream * tf.constant(mask, upstream.dtype)


def _one_row(upstream):
    mask = np.ones((upstream.shape[0], 1))
    mask[:2] = 0.0
    return upstream * tf.constant(mask, upstream.dtype)


KERNEL_FAULTS = {
    "scaled": (lambda up: up * 1.0001, "factor: the analytic gradient is 1.0001"),
    "sign": (lambda up: -up, "sign"),
    "one entry": (_one_entry, "one entry of"),
    "transposed": (tf.transpose, "transposed"),
    "stopped": (tf.zeros_like, "missing"),
    "masked rows": (_one_row, "of axis 0 are wrong"),
    "ignores upstream": (tf.ones_like, "dense mismatch"),
    "broadcast": (
        lambda up: tf.broadcast_to(tf.reduce_mean(up, 0, keepdims=True), up.shape),
        "dense mismatch",
    ),
}


class FaultyDense(keras.layers.Layer):
    """A dense layer whose kernel has the backward rule it is given."""

    def __init__(self, units, backward, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.identity = with_backward(backward)

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], self.units), name="kernel")
        self.bias = self.add_weight(shape=(self.units,), name="bias")

    def call(self, x):
        kernel = self.identity(tf.convert_to_tensor(self.kernel))
        return tf.nn.tanh(tf.matmul(x, kernel) + self.bias)

    def compute_output_shape(self, shape):
        return (*shape[:-1], self.units)
