import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit.second_order.curvature_pairs import CurvaturePairs
from tests.tolerances import FLOAT64

N = 6


def quadratic(seed=0):
    random = np.random.default_rng(seed)
    square = random.normal(size=(N, N))
    return square @ square.T + np.eye(N), random


@pytest.mark.parametrize("convert", [np.asarray, tf.constant], ids=["array", "tensor"])
def test_direction_is_that_of_the_dense_inverse(convert):
    hessian, random = quadratic()
    pairs = CurvaturePairs(4)
    kept = []
    for _ in range(6):
        s = random.normal(size=N)
        y = hessian @ s
        assert pairs.add(convert(s), convert(y), convert(1e-3 * s))
        kept = [*kept, (s, y)][-4:]
    s, y = kept[-1]
    inverse = np.eye(N) * (s @ y) / (y @ y)
    for s, y in kept:
        left = np.eye(N) - np.outer(s, y) / (s @ y)
        inverse = left @ inverse @ left.T + np.outer(s, s) / (s @ y)
    gradient = random.normal(size=N)
    found = pairs.direction(convert(gradient))
    np.testing.assert_allclose(np.asarray(found), -inverse @ gradient, 1e3 * FLOAT64)


def test_direction_without_pairs_is_down_the_gradient():
    gradient = np.arange(3.0)
    np.testing.assert_array_equal(CurvaturePairs(3).direction(gradient), -gradient)


def test_pairs_without_curvature_are_refused_or_damped():
    s, y = np.eye(N)[0], np.eye(N)[0]
    pairs = CurvaturePairs(3)
    assert not pairs.add(s, -y, s)  # the first pair has nothing to lean on
    assert not pairs.add(s, np.full(N, np.nan), s)
    assert not pairs.add(s, np.full(N, np.inf), s)
    assert pairs.add(s, y, s)
    assert pairs.add(s, -y, s)
    assert (len(pairs), pairs.damped) == (2, 1)
    gradient = np.random.default_rng(0).normal(size=N)
    assert gradient @ pairs.direction(gradient) < 0


def test_pairs_are_judged_relative_to_their_scale():
    hessian, random = quadratic()
    for scale in (1e-12, 1.0, 1e12):
        s = random.normal(size=N) * scale
        assert CurvaturePairs(3).add(s, 1e-9 * hessian @ s, s)


def test_forgotten_pairs_leave_nothing():
    s = np.ones(N)
    pairs = CurvaturePairs(3)
    pairs.add(s, 5 * s, s)
    pairs.clear()
    np.testing.assert_array_equal(pairs.direction(s), -s)
