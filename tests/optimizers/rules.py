"""The update rules under test, each with an independent float64 reference."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit import optimizers

RATE = 2.0**-7  # Keras keeps the rate in float32, which holds a power of two

RULES = {
    name: getattr(optimizers, name)
    for name in optimizers.__all__
    if name != "UpdateRule"
}


def rules_with(*quick):
    """Returns all of them, those not named only among the slow tests."""
    slow = pytest.mark.slow
    return [name if name in quick else pytest.param(name, marks=slow) for name in RULES]


FEW_RULES = rules_with("Adagrad", "Adam")
ONE_RULE = rules_with("Adam")


class Reference:
    """A rule in NumPy, written from the papers and not from our code."""

    def __init__(self, name, rate=RATE):
        self.name, self.rate, self.time = name, rate, 0
        self.one = self.two = 0.0

    def step(self, x, g):
        self.time += 1
        return getattr(self, self.name)(x, g)

    def SGD(self, x, g):  # noqa: N802
        return x - self.rate * g

    def Momentum(self, x, g):  # noqa: N802
        self.one = 0.9 * self.one - self.rate * g
        return x + self.one

    def Nesterov(self, x, g):  # noqa: N802
        before = self.one
        self.one = 0.9 * before - self.rate * g
        return x - 0.9 * before + 1.9 * self.one

    def Adagrad(self, x, g):  # noqa: N802
        self.one = self.one + np.square(g)
        return x - self.rate * g / (np.sqrt(self.one) + 1e-8)

    def RMSprop(self, x, g):  # noqa: N802
        self.one = 0.99 * self.one + 0.01 * np.square(g)
        return x - self.rate * g / (np.sqrt(self.one) + 1e-8)

    def Adadelta(self, x, g):  # noqa: N802
        self.one = 0.95 * self.one + 0.05 * np.square(g)
        move = np.sqrt(self.two + 1e-6) / np.sqrt(self.one + 1e-6) * g
        self.two = 0.95 * self.two + 0.05 * np.square(move)
        return x - self.rate * move

    def Adam(self, x, g):  # noqa: N802
        self.one = 0.9 * self.one + 0.1 * g
        self.two = 0.999 * self.two + 0.001 * np.square(g)
        mean = self.one / (1 - 0.9**self.time)
        square = self.two / (1 - 0.999**self.time)
        return x - self.rate * mean / (np.sqrt(square) + 1e-8)


def gradients(steps, shapes=((5, 3), (3,), ()), seed=0):
    """Returns gradients for some steps, of sizes from 1e-3 to 1e3."""
    generator = np.random.default_rng(seed)
    return [
        [
            generator.normal(size=shape) * 10.0 ** generator.uniform(-3, 3, size=shape)
            for shape in shapes
        ]
        for _ in range(steps)
    ]


def run(optimizer, steps, dtype="float64", shapes=((5, 3), (3,), ())):
    """Returns the weights, all ones at first, after steps with those gradients."""
    weights = [keras.Variable(np.ones(shape), dtype=dtype) for shape in shapes]
    optimizer.build(weights)
    columns = [
        tf.constant(np.stack(column), dtype)
        for column in zip(*gradients(steps, shapes), strict=True)
    ]

    @tf.function
    def walk():
        for step in tf.range(steps):
            optimizer.apply([column[step] for column in columns], weights)

    walk()
    return [weight.numpy() for weight in weights]
