"""Everything that a function returns becomes one number in which nothing cancels."""

import contextlib

import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit.problems.problem import (
    has_floats,
    inlined_functions,
    projection,
    with_floats,
)
from tests.tolerances import EXACT, FLOAT64


def weights_of(shape, seed, before=()):
    """The weights that a projection gives to each entry of an output."""
    size = int(np.prod(shape))
    units = np.eye(size).reshape(size, *shape)
    found = [float(projection([*before, tf.constant(unit)], seed)) for unit in units]
    return np.array(found).reshape(shape)


def test_projection_weighs_every_entry_by_a_number_of_its_own():
    weights = weights_of((4, 5), seed=3)
    assert len(np.unique(weights)) == 20
    assert np.all((np.abs(weights) >= 0.5) & (np.abs(weights) < 1.5))
    assert 3 < np.sum(weights < 0) < 17
    values = np.random.default_rng(0).normal(size=(4, 5))
    np.testing.assert_allclose(
        projection(tf.constant(values), 3), np.sum(weights * values), rtol=FLOAT64
    )


def test_projection_depends_on_the_seed_and_the_place_only():
    weights = weights_of((6,), seed=0)
    np.testing.assert_array_equal(weights_of((6,), seed=0), weights)
    assert not np.any(weights_of((6,), seed=1) == weights)
    second = weights_of((6,), seed=0, before=[tf.zeros([6])])
    assert not np.any(second == weights)
    # What is no float takes no place.
    integers = [tf.ones([6], tf.int32), "text"]
    np.testing.assert_array_equal(weights_of((6,), 0, before=integers), weights)


def test_projection_adds_up_over_a_nested_output():
    one, other = np.arange(3.0), np.array([[2.0]])
    total = projection({"a": tf.constant(one), "b": (tf.constant(other), 1)}, 2)
    assert total.dtype == tf.float64
    expected = weights_of((3,), 2) @ one
    expected += 2.0 * weights_of((1, 1), 2, before=[tf.zeros([3])])[0, 0]
    np.testing.assert_allclose(total, expected, rtol=FLOAT64)


@pytest.mark.parametrize("value", [2.5, tf.constant(2.5), (tf.constant(2.5), 3)])
def test_projection_of_one_number_is_the_number(value):
    found = projection(value, 0)
    assert found.dtype == tf.float64
    assert float(found) == 2.5


def test_projection_of_no_floats_is_zero_and_they_are_told():
    assert float(projection((tf.constant(3), "text"), 0)) == EXACT
    assert not has_floats((tf.constant(3), "text", 4, None))
    assert has_floats({"a": 1, "b": 0.5})
    assert has_floats([tf.constant(1.0, tf.bfloat16)])


@pytest.mark.parametrize(
    ("value", "dtype", "expected"),
    [
        (np.ones(2, "float32"), tf.float64, tf.float64),
        (np.ones(2, "float64"), "float16", tf.float16),
        (np.ones(2, "float32"), None, tf.float32),
        (np.ones(2, "int32"), tf.float64, tf.int32),
        (np.array([True, True]), tf.float64, tf.bool),
    ],
    ids=["wider", "narrower", "as it is", "integers", "booleans"],
)
def test_only_floats_change_their_precision(value, dtype, expected):
    found = with_floats(value, dtype)
    assert found.dtype == expected
    np.testing.assert_array_equal(found, value)


def test_functions_are_inlined_for_the_time_of_the_context():
    with contextlib.suppress(KeyError), inlined_functions():
        assert tf.config.functions_run_eagerly()
        raise KeyError
    assert not tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        with inlined_functions():
            pass
        assert tf.config.functions_run_eagerly()
    finally:
        tf.config.run_functions_eagerly(False)
