"""One kernel moves velocity and weights as the equations say."""

import types

import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit.optimizers.momentum import move_with_velocity
from tests.tolerances import FLOAT64

RATE, KEPT = 0.25, 0.75


@pytest.mark.parametrize("options", [{}, {"look_ahead": True}], ids=str)
def test_velocity_and_weights_move_by_the_equations(options):
    random = np.random.default_rng(0)
    x, v = random.normal(size=(2, 3, 2))
    weights, velocity = tf.Variable(x), tf.Variable(v)
    now = types.SimpleNamespace(learning_rate=RATE, momentum=KEPT)
    for _ in range(3):
        g = random.normal(size=(3, 2))
        move_with_velocity(weights, tf.constant(g), (velocity,), now, **options)
        v = KEPT * v - RATE * g
        # Where the weights are those that the velocity leads to, they move by it
        # once more, under the gradient found there.
        x = x + (KEPT * v - RATE * g if options else v)
        np.testing.assert_allclose(velocity, v, rtol=FLOAT64)
        np.testing.assert_allclose(weights, x, rtol=FLOAT64)
