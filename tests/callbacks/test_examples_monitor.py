import keras
import numpy as np
import pytest

from keras_trainkit import callbacks
from tests import models
from tests.tolerances import FLOAT32


def fitted(model, data, **options):
    monitor = callbacks.ExamplesMonitor(16)
    options = {"batch_size": 16, "epochs": 2, "verbose": 0} | options
    model.fit(*data, callbacks=[monitor], **options)
    return monitor.record


@pytest.mark.parametrize("options", [{}, {"jit_compile": True}, {"run_eagerly": True}])
def test_examples_are_those_first_trained_on(options):
    keras.utils.set_random_seed(0)
    model = models.sequential()
    model.compile("sgd", "sparse_categorical_crossentropy", **options)
    x, y = models.data()
    record = fitted(model, (x, y), shuffle=False)
    expected = model.evaluate(x[:16], y[:16], verbose=0)
    last = record.values("example_loss")[2][-1]
    np.testing.assert_allclose(last, expected, rtol=FLOAT32)
    assert record.metadata["task"]["loss"] == "sparse_categorical_crossentropy"
    assert record.metadata["task"]["examples"] == 16


def test_model_without_a_loss_of_its_own_trains_on():
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.last = keras.layers.Dense(1)

        def call(self, x):
            return self.last(x)

        def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
            return keras.ops.mean(y_pred**2)

    model = Own()
    model.compile("sgd")
    record = fitted(model, (np.ones((32, 3), "f4"), np.ones(32)))
    assert "example_loss" not in record.measures
    assert len(record.values("epoch_loss")[2]) == 2


def test_task_says_what_is_dropped_and_frozen():
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4, trainable=False),
            keras.layers.Dropout(0.9),
            keras.layers.Dense(1, "tanh"),
        ]
    )
    model.compile("sgd", "mse")
    x = np.linspace(-50, 50, 48, dtype="f4").reshape(16, 3)
    record = fitted(model, (x, x[:, 0]))
    task = record.metadata["task"]
    assert task["activation"] == "tanh"
    assert (task["dropout"], task["frozen_layers"]) == (0.9, 1)
    assert task["trainable_weights"] == 5
    assert record.values("input_high")[2][-1] == 50.0
    assert record.values("input_spread")[2][-1] == pytest.approx(np.std(x))
