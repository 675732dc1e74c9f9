"""Evaluations beside Keras' own leave those as they would have been."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_trainkit import callbacks
from keras_trainkit.keras_model.test_function import evaluated_unnoticed, unshared
from tests import models


class Noisy(keras.layers.Layer):
    """Draws with TensorFlow's own operation, in evaluation too, and counts."""

    def __init__(self):
        super().__init__()
        self.calls = tf.Variable(0.0, trainable=False)

    def call(self, x):
        self.calls.assign_add(1.0)
        return x + 0.1 * tf.random.normal(tf.shape(x)) + 0.01 * self.calls


def noisy(**options):
    model = keras.Sequential([keras.Input((6,)), Noisy(), keras.layers.Dense(1)])
    model.compile("sgd", "mse", **options)
    return model


def data():
    source = np.random.default_rng(0)
    x = source.normal(size=(24, 6)).astype("float32")
    return x, x[:, :1]


WATCHERS = {
    "gap": lambda: callbacks.OverfittingMonitor(examples=8),
    "average": lambda: callbacks.WeightAveraging(
        "exponential", start_epoch=0, at_end="raw"
    ),
}


@pytest.mark.parametrize(
    ("watchers", "eager"),
    [
        (["gap", "average"], False),
        *(
            pytest.param(watchers, eager, marks=pytest.mark.slow)
            for watchers, eager in (
                (["gap"], False),
                (["average"], False),
                (["gap"], True),
                (["average"], True),
                (["gap", "average"], True),
            )
        ),
    ],
)
def test_validation_draws_what_it_would_have_drawn(watchers, eager):
    def validated(*chosen):
        keras.utils.set_random_seed(3)
        model = noisy(run_eagerly=eager, jit_compile=False)
        fitted = model.fit(
            *data(),
            batch_size=8,
            epochs=3,
            verbose=0,
            validation_data=data(),
            callbacks=[WATCHERS[name]() for name in chosen],
        )
        return fitted.history

    bare, watched = validated(), validated(*watchers)
    assert bare["val_loss"] == watched["val_loss"]
    assert bare["loss"] == watched["loss"]
    assert len(set(bare["val_loss"])) == 3


def test_an_evaluation_can_pass_unnoticed():
    results = []
    for asides in (0, 2):
        keras.utils.set_random_seed(3)
        model = noisy(jit_compile=False)
        found = [model.evaluate(*data(), batch_size=8, verbose=0)]
        for _ in range(asides):
            with evaluated_unnoticed(model):
                model.evaluate(*data(), batch_size=8, verbose=0)
        found.append(model.evaluate(*data(), batch_size=8, verbose=0))
        found.append(float(model.layers[0].calls))
        results.append(found)
    assert results[0] == results[1]


@pytest.mark.parametrize("draws", [False, True])
def test_another_function_is_made_only_where_something_is_drawn(draws):
    model = noisy() if draws else models.compiled()
    x, y = data() if draws else models.data()
    batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)
    model.make_test_function()
    own = model.test_function
    found = [unshared(model, own, iter(batches)) for _ in range(2)]
    assert model.test_function is own
    assert found[0] is found[1]
    assert (found[0] is own) == (not draws)
