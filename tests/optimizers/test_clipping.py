"""Factors of clipping, against Keras' own clipping of the same gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit.optimizers.clipping import clip_factors
from keras_trainkit.optimizers.rows import Rows
from tests.tolerances import FLOAT32

RANDOM = np.random.default_rng(0)
GRADIENTS = [RANDOM.normal(size=shape).astype("f") for shape in [(4, 3), (5,), ()]]


@pytest.mark.parametrize("limit", [0.5, 2.5, 1e6])
@pytest.mark.parametrize("name", ["clipnorm", "global_clipnorm"])
def test_factors_are_those_of_keras(name, limit):
    arguments = {"clipnorm": None, "global_clipnorm": None, name: limit}
    factors = clip_factors([tf.constant(g) for g in GRADIENTS], **arguments)
    weights = [keras.Variable(np.zeros(g.shape, "f")) for g in GRADIENTS]
    rule = keras.optimizers.SGD(1.0, **{name: limit})
    rule.apply([tf.constant(g) for g in GRADIENTS], weights)
    for gradient, factor, weight in zip(GRADIENTS, factors, weights, strict=True):
        expected = -weight.numpy()
        np.testing.assert_allclose(gradient * factor.numpy(), expected, rtol=FLOAT32)


def test_nothing_is_clipped_without_a_limit():
    assert clip_factors(GRADIENTS, None, None) == [None] * 3


def test_rows_count_with_their_values_alone():
    values = tf.constant([[3.0, 0.0], [0.0, 4.0]])
    rows = Rows(tf.constant([7, 2]), values, (9, 2))
    (factor,) = clip_factors([rows], 1.0, None)
    assert float(factor) == pytest.approx(0.2)


def test_half_precision_does_not_overflow():
    gradient = tf.constant([300.0, 400.0], tf.float16)  # the square of 500 is too much
    assert float(clip_factors([gradient], 50.0, None)[0]) == pytest.approx(0.1)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_not_hidden(bad):
    assert np.isnan(clip_factors([tf.constant([1.0, bad])], 1.0, None)[0])
