"""Moments are those of NumPy, and so are the second derivatives of the variance."""

import contextlib

import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit.problems.moments import whole_moments
from tests.tolerances import FLOAT64


def hessian_of_variance(values):
    x = tf.constant(values)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as inner:
            inner.watch(x)
            variance = tf.nn.moments(x, [0])[1]
        gradient = inner.gradient(variance, x)
    return outer.jacobian(gradient, x).numpy()


def test_second_derivatives_of_the_variance_are_whole():
    values = np.random.default_rng(0).normal(size=5)
    exact = 2 / 5 * (np.eye(5) - np.full((5, 5), 1 / 5))
    with whole_moments():
        np.testing.assert_allclose(hessian_of_variance(values), exact, atol=FLOAT64)
    # TensorFlow's own leaves out what the mean contributes.
    assert np.abs(hessian_of_variance(values) - exact).max() > 0.05


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axes", [[0], [0, 2], [-1]], ids=str)
def test_moments_are_those_of_numpy(axes, keepdims):
    values = np.random.default_rng(1).normal(3.0, 2.0, (4, 1, 3))
    with whole_moments():
        mean, variance = tf.nn.moments(values, axes, keepdims=keepdims)
    kept = {"axis": tuple(axes), "keepdims": keepdims}
    assert mean.shape == variance.shape == values.mean(**kept).shape
    np.testing.assert_allclose(mean, values.mean(**kept), rtol=FLOAT64)
    np.testing.assert_allclose(variance, values.var(**kept), rtol=FLOAT64)


def test_half_precision_is_left_and_returned_to():
    values = np.zeros(100, "float16")
    values[0] = 400  # its square is beyond float16, the variance is not
    with whole_moments():
        mean, variance = tf.nn.moments(values, [0])
    assert mean.dtype == variance.dtype == tf.float16
    assert (float(mean), float(variance)) == (4.0, 1584.0)


def test_the_function_of_tensorflow_comes_back_even_from_an_error():
    own = tf.nn.moments
    with contextlib.suppress(KeyError), whole_moments():
        assert tf.nn.moments is not own
        raise KeyError
    assert tf.nn.moments is own
