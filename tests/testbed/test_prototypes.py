"""Each shape is its formula, and chains hold together."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit.testbed.catalogue import catalogue
from keras_trainkit.testbed.problem import Problem
from keras_trainkit.testbed.prototypes import PROTOTYPES, chain
from keras_trainkit.testbed.segments import evaluate, tables
from tests.tolerances import EXACT, FLOAT64

POINTS = np.linspace(-0.7, 1.9, 53)
HALF = math.sqrt(0.5)


def scaled(curve, begin=0.0, slope=-1.0):
    """Shifts and scales a curve so that it begins at (0, 200) with a slope."""
    tiny = 1e-6
    steep = (curve(begin + tiny) - curve(begin - tiny)) / (2 * tiny)
    return lambda x: 200 + slope / steep * (curve(begin + x) - curve(begin))


def joint(slope, after):
    """Where the way along two lines from 0 to 1 has its middle."""
    left, right = math.hypot(1, slope), math.hypot(1, after)
    return right / (left + right)


def lines(after):
    middle = joint(-1.0, after)
    return lambda x: 200 - np.minimum(x, middle) + after * np.maximum(x - middle, 0)


def gauss(x):
    return -np.exp(-(x**2))


def laplace(x):
    return -np.exp(-np.abs(x))


C_FAR = 2 / (8 - math.sqrt(2))
C_NEAR = 1 / (HALF - 0.1)
EXPECTED = {
    "line": lambda x: 200 - x,
    "relu": lines(0.0),
    "abs": lines(1.0),
    "cliff": lines(10.0),
    "ridge": lines(-10.0),
    "bend": lambda x: 200 - np.maximum(x - joint(0.0, -1.0), 0),
    "exponential": scaled(lambda x: 1000.0**-x),
    "quad_bowl": scaled(lambda x: (x - 0.5) ** 2),
    "quad_convex": scaled(lambda x: (x - 1 / 0.9) ** 2),
    "gauss_nonconvex": scaled(lambda x: gauss(x / C_FAR - 4)),
    "gauss_convex": scaled(lambda x: gauss(x / C_NEAR - HALF)),
    "gauss_bowl": scaled(lambda x: gauss(x / 5 - 0.1)),
    "laplace_nonconvex": scaled(lambda x: laplace(7 * x - 8)),
    "laplace_convex": scaled(lambda x: laplace(0.9 * x - 1)),
    "laplace_bowl": scaled(lambda x: laplace(x / 5 - 0.1)),
}


def values_and_slopes(segments, points):
    joints, rows = map(tf.constant, tables([segments]))
    found = evaluate(tf.constant(np.atleast_2d(points)), joints, rows)
    return [part.numpy()[0] for part in found]


@pytest.mark.parametrize("name", PROTOTYPES)
def test_shape_is_its_formula(name):
    values, _ = values_and_slopes(chain((name,), 0, 1, 200, -1), POINTS)
    np.testing.assert_allclose(values, EXPECTED[name](POINTS), rtol=1e-7)


def test_functions_begin_as_their_scale_says():
    for problem in catalogue()[::4]:
        for segments, scale in zip(problem.functions(), problem.scales, strict=True):
            value, slope = segments[0].at(scale.begin)
            assert value == pytest.approx(scale.value, rel=FLOAT64)
            if not problem.shapes[0].startswith("bend"):
                assert slope == pytest.approx(scale.slope, rel=FLOAT64)


def test_slopes_are_derivatives():
    step, offset = 2.0**-20, 2.0**-13  # no joint lies within a step of these points
    functions = {problem.functions()[0] for problem in catalogue()}
    joints, rows = map(tf.constant, tables(list(functions)))
    points = tf.constant([np.linspace(0, 1, 41) + offset] * len(functions))
    _, slopes = evaluate(points, joints, rows)
    after, before = (evaluate(points + h, joints, rows)[0] for h in (step, -step))
    numeric = (after - before) / (2 * step)
    np.testing.assert_allclose(slopes, numeric, rtol=1e-4, atol=1e-5)


def test_chains_are_continuous_and_shapes_are_equally_wide():
    for problem in catalogue()[:3648:16]:
        (segments,) = problem.functions()
        for left, right in itertools.pairwise(segments):
            end, begin = left.at(right.begin)[0], right.at(right.begin)[0]
            assert end == pytest.approx(begin, rel=FLOAT64)
    three = chain(("quad_convex", "line", "exponential"), -1, 2, 0, -1)
    assert [segment.begin for segment in three] == [-1, 0, 1]


def test_saddle_curves_upwards_where_the_shape_says_so():
    values, slopes = values_and_slopes(chain(("quad_convex",), 0, 1, 0, 1), POINTS)
    assert slopes[POINTS.searchsorted(1.0)] == pytest.approx(10.0, rel=0.05)
    values, _ = values_and_slopes(chain(("quad_bowl",), 0, 1, 0, 1), POINTS)
    assert values.max() == pytest.approx(0.25)  # a hill


def test_infinite_points_have_limits_and_nan_stays_nan():
    points = np.array([-np.inf, np.inf, np.nan])
    for name in PROTOTYPES:
        values, slopes = values_and_slopes(chain((name,), 0, 1, 200, -1), points)
        assert not np.isnan(values[:2]).any(), name
        assert not np.isnan(slopes[:2]).any(), name
        assert np.isnan(values[2])
        assert np.isnan(slopes[2])
    values, _ = values_and_slopes(chain(("exponential",), 0, 1, 200, 1), points)
    assert values[0] == -np.inf


def test_chain_padded_to_the_longest_gives_the_same():
    short, long = chain(("abs",), 0, 1, 0, -1), chain(("relu", "bend"), 0, 1, 0, -1)
    joints, rows = map(tf.constant, tables([short, long]))
    together, _ = evaluate(tf.constant(np.stack([POINTS, POINTS])), joints, rows)
    alone, _ = values_and_slopes(short, POINTS)
    np.testing.assert_allclose(together[0], alone, rtol=EXACT, atol=EXACT)


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ("wall", "must be one of line, relu"),
        ("abs-bend", "stands first or follows 'relu'"),
        ("relu-cliff", "'cliff' cannot begin flat"),
        ([], "`shape` must be a name"),
        (["abs", 3], "`shape` must be a name"),
    ],
)
def test_impossible_shape_is_refused(shape, words):
    with pytest.raises(ValueError, match=words):
        Problem(shape)
