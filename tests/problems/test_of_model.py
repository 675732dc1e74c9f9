"""Parts of a model's problem: its floating inputs, its penalties, its depth."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_trainkit as tk
from keras_trainkit.problems.double_precision import computes_otherwise, widest_dtype
from keras_trainkit.problems.of_model import (
    depth_of,
    float_leaves,
    has_own_train_step,
    moving_statistics,
    replace_leaves,
    without_regularizers,
)

A, B = np.full((2, 1), 1.0), np.full((2, 1), 2.0, "float32")
NESTED = {"b": B, "a": (np.arange(2), A), "none": None}


def test_floats_are_named_by_their_place_and_put_back_there():
    leaves = dict(float_leaves(NESTED))
    assert set(leaves) == {"input/b", "input/a/1"}
    assert leaves["input/b"] is B
    assert leaves["input/a/1"] is A
    assert float_leaves(A) == [("input", A)]
    fed = [tf.constant(10.0 * value) for value in leaves.values()]
    found = replace_leaves(NESTED, fed, double=True)
    np.testing.assert_array_equal(found["b"], 10.0 * B)
    np.testing.assert_array_equal(found["a"][1], 10.0 * A)
    assert found["a"][0].numpy().tolist() == [0, 1]
    assert found["none"] is None


@pytest.mark.parametrize("double", [False, True])
def test_without_any_to_put_in_only_the_precision_changes(double):
    found = replace_leaves(NESTED, [], double)
    assert found["b"].dtype == (tf.float64 if double else tf.float32)
    assert found["a"][1].dtype == tf.float64
    assert found["a"][0].dtype == tf.int64
    assert found["none"] is None


def test_an_optional_input_may_be_missing_where_inputs_are_checked():
    class Sum(keras.layers.Layer):
        def call(self, x, y=None):
            return x if y is None else x + y

    inputs = {
        "x": keras.Input((2,), name="x"),
        "y": keras.Input((2,), name="y", optional=True),
    }
    hidden = Sum()(inputs["x"], inputs["y"])
    model = keras.Model(inputs, keras.layers.Dense(1)(hidden))
    model.compile("sgd", "mse")
    x = {"x": np.ones((3, 2), "float32"), "y": None}
    check = tk.gradcheck(model, x, np.zeros((3, 1)), wrt="inputs")
    assert check.ok
    assert {entry.parameter for entry in check.entries} == {"input/x"}


def test_penalties_are_off_for_the_time_of_the_context():
    layer = keras.layers.Dense(2, kernel_regularizer=keras.regularizers.L2(0.5))
    layer.build((None, 1))
    kept = [one.regularizer for one in layer.variables]
    assert kept[0] is not None
    with contextlib.suppress(KeyError), without_regularizers(layer.variables):
        assert [one.regularizer for one in layer.variables] == [None, None]
        raise KeyError
    assert [one.regularizer for one in layer.variables] == kept


def test_moving_statistics_leave_the_weights_trainable():
    layer, frozen = (keras.layers.BatchNormalization() for _ in range(2))
    model = keras.Sequential([keras.Input((1,)), layer, frozen])
    frozen.trainable = False
    x = np.array([[1.0], [5.0]], "float32")
    plain = layer(x, training=False)
    with moving_statistics(model):
        np.testing.assert_array_equal(layer(x, training=True), plain)
        assert all(one.trainable for one in (layer.gamma, layer.beta))
    assert layer.trainable
    assert not frozen.trainable
    with moving_statistics(model, enabled=False):
        assert layer.trainable


def test_depth_counts_the_leaves_that_hold_weights():
    inner = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(3), keras.layers.ReLU()]
    )
    model = keras.Sequential([inner, keras.layers.Dense(1)])
    model.build((None, 2))
    assert depth_of(model) == 2
    assert depth_of(keras.layers.ReLU()) == 1


def test_a_train_step_of_ones_own_is_told():
    class Own(keras.Sequential):
        def train_step(self, data):
            return super().train_step(data)

    assert has_own_train_step(Own())
    assert not has_own_train_step(keras.Sequential())


def test_precisions_of_layers_and_variables_are_told():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    assert not computes_otherwise(model, "float32")
    assert computes_otherwise(model, "float64")
    mixed = keras.layers.Dense(1, dtype="mixed_float16")
    mixed.build((None, 2))
    # It computes in the one and holds weights of the other.
    assert computes_otherwise(mixed, "float16")
    assert computes_otherwise(mixed, "float32")
    wide = keras.Variable(0.0, dtype="float64")
    assert widest_dtype([*model.weights, wide]) == "float64"
    assert widest_dtype(model.weights) == widest_dtype([]) == "float32"
