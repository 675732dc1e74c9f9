import keras
import numpy as np
import pytest

from keras_trainkit.keras_model.layers import could_learn
from keras_trainkit.keras_model.received_spread import received_spread
from tests import models

L = keras.layers
X = (100 * np.random.default_rng(0).normal(size=(64, 4))).astype("float32")


def adapted():
    layer = L.Normalization()
    layer.adapt(X)
    return layer


class Halved(L.Layer):
    """Scales by weights that are not trained."""

    def build(self, shape):
        self.scale = self.add_weight(
            shape=(), initializer=keras.initializers.Constant(0.01), trainable=False
        )

    def call(self, inputs):
        return inputs * self.scale


SCALED = {
    "normalization": lambda: [adapted()],
    "rescaling": lambda: [L.Rescaling(0.01)],
    "batch_normalization": lambda: [L.BatchNormalization()],
    "plain_batch_normalization": lambda: [L.BatchNormalization(scale=False)],
    "layer_normalization": lambda: [L.Flatten(), L.LayerNormalization()],
    "own": lambda: [Halved()],
    "inside": lambda: [keras.Sequential([adapted()])],
}
UNSCALED = {
    "nothing": lambda: [],
    "shapes": lambda: [L.Reshape((2, 2)), L.Flatten(), L.Dropout(0.5)],
    "not_adapted": lambda: [L.Rescaling(1.0)],
    "later": lambda: [L.Dense(4), L.BatchNormalization()],
    "recurrent": lambda: [L.Reshape((2, 2)), L.LSTM(3)],
}


@pytest.mark.parametrize("name", [*SCALED, *UNSCALED])
def test_what_the_first_layer_that_learns_receives_decides(name):
    layers = (SCALED | UNSCALED)[name]()
    model = keras.Sequential([keras.Input((4,)), *layers, L.Dense(2)])
    before = models.weights_of(model)
    spread = received_spread(model, X)
    assert (0.5 < spread < 2.0) if name in SCALED else (50.0 < spread < 200.0)
    assert models.same(before, models.weights_of(model))
    assert all("call" not in vars(layer) for layer in model.layers)


def test_an_input_beside_the_scaled_one_is_seen():
    one, other = keras.Input((4,)), keras.Input((4,))
    added = L.Dense(3)(L.Rescaling(0.01)(one)) + L.Dense(3)(other)
    model = keras.Model([one, other], added)
    assert received_spread(model, [X, 2 * X]) == pytest.approx(np.std(2 * X), rel=1e-5)
    assert received_spread(model, [X, X / 100]) < 2.0


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (L.Normalization, False),
        (Halved, False),
        (lambda: L.Dropout(0.5), False),
        (lambda: L.Dense(2), True),
        (lambda: L.Dense(2, trainable=False), True),
        (lambda: L.Bidirectional(L.LSTM(2)), True),
    ],
)
def test_frozen_layers_could_learn_and_statistics_could_not(layer, expected):
    layer = layer()
    shape = (None, 3, 2) if isinstance(layer, L.Bidirectional) else (None, 2)
    layer.build(shape)
    layer.trainable = False
    assert could_learn(layer) is expected
