import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit.gradcheck.fingerprint import (
    branch_operations,
    fingerprint,
    has_hidden_branches,
)


def marks(function, *points):
    @tf.function
    def traced(x):
        function(x)
        return fingerprint(branch_operations(tf.compat.v1.get_default_graph()))

    return [traced(tf.constant(point, tf.float64)).numpy() for point in points]


IMAGE = np.random.default_rng(0).normal(size=(2, 4, 4, 1))
SWAPPED = IMAGE.copy()
SWAPPED[0, :2, :2, 0] = IMAGE[0, :2, :2, 0][::-1]

KINKS = {
    "relu": (tf.nn.relu, [0.5, -0.5], [0.5, 0.5]),
    "relu6": (tf.nn.relu6, [5.0, 1.0], [7.0, 1.0]),
    "leaky": (tf.nn.leaky_relu, [0.5, -0.5], [-0.5, -0.5]),
    "abs": (tf.abs, [0.5, -0.5], [0.5, 0.5]),
    "maximum": (lambda x: tf.maximum(x, 0.2), [0.5, 0.1], [0.1, 0.1]),
    "clip": (lambda x: tf.clip_by_value(x, 0.0, 1.0), [0.5, 0.5], [1.5, 0.5]),
    "where": (lambda x: tf.where(x > 0.0, x, 2 * x), [0.5, 0.5], [-0.5, 0.5]),
    "max": (tf.reduce_max, [0.5, 0.4], [0.4, 0.5]),
    "top k": (lambda x: tf.math.top_k(x, 1), [0.5, 0.4], [0.4, 0.5]),
    "round": (tf.round, [0.4, 0.4], [0.6, 0.4]),
    "max pool": (lambda x: tf.nn.max_pool2d(x, 2, 2, "VALID"), IMAGE, SWAPPED),
}


@pytest.mark.parametrize("kind", KINKS, ids=str)
def test_fingerprint_changes_with_one_decision_and_only_then(kind):
    function, left, right = KINKS[kind]
    same, again, other = marks(function, left, 1.0001 * np.asarray(left), right)
    assert len(same)
    assert np.abs(same - again).max() < 1e-9
    assert np.abs(same - other).max() > 1e-2


def test_a_smooth_function_has_no_fingerprint():
    (found,) = marks(lambda x: tf.tanh(x) * tf.exp(x), [1.0, 2.0])
    assert found.shape == (0,)


def test_loops_are_known_to_hide_branches():
    hidden = []

    @tf.function
    def loop(x):
        tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, tf.abs(y)), (0, x))
        hidden.append(has_hidden_branches(tf.compat.v1.get_default_graph()))

    loop(tf.constant(1.0))
    assert hidden == [True]
