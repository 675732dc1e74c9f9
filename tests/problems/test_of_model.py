"""Parts of a model's problem: its floating inputs, its penalties, its depth."""

import keras
import numpy as np

import keras_trainkit as tk


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
