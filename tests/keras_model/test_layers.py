"""One walk over the layers of a model."""

import keras

from keras_trainkit.keras_model.layers import (
    all_layers,
    is_leaf,
    measured_layers,
    normalizing_layers,
    short_name,
)
from tests import models

layers = keras.layers


def nested():
    inner = keras.Sequential([keras.Input((4,)), layers.Dense(4, name="same")])
    inputs = keras.Input((3, 4))
    hidden = layers.TimeDistributed(inner, name="timed")(inputs)
    hidden = layers.Bidirectional(layers.LSTM(2), name="both")(hidden)
    hidden = layers.BatchNormalization(name="norm")(hidden)
    hidden = layers.BatchNormalization(name="frozen", trainable=False)(hidden)
    return keras.Model(inputs, layers.Dense(1, name="same")(hidden))


def test_all_layers_reach_cells_wrapped_and_hidden_ones():
    model = nested()
    names = [layer.name for layer in all_layers(model)]
    assert names.count("same") == 2
    assert "lstm_cell" in names
    assert model in all_layers(model)
    assert any(
        type(layer).__name__ == "Functional"
        for layer in all_layers(models.sequential())
    )
    assert all_layers("no layer") == []


def test_leaves_hold_no_layers():
    model = nested()
    assert is_leaf(model.get_layer("norm"))
    assert not is_leaf(model.get_layer("timed"))


def test_frozen_layers_keep_no_statistics():
    assert [layer.name for layer in normalizing_layers(nested())] == ["norm"]


def test_measured_layers_are_told_apart_by_their_paths():
    measured = {layer.label: layer for layer in measured_layers(nested())}
    assert {"timed", "norm", "same"} <= set(measured)
    kernels = [short_name(v, measured["timed"]) for v in measured["timed"].variables]
    assert kernels == ["kernel", "bias"]
    shared = layers.Dense(2, name="shared")
    inputs = keras.Input((2,))
    twice = keras.Model(inputs, shared(shared(inputs)))
    assert [layer.label for layer in measured_layers(twice)] == ["shared"]
