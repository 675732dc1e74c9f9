"""One walk over the layers of a model."""

import keras

from keras_trainkit.keras_model.layers import (
    all_layers,
    is_leaf,
    leaf_layers,
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


class CellOfLayers(layers.Layer):
    """A cell of the user's own, with a layer inside."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.state_size = self.output_size = 2
        self.dense = layers.Dense(2, name="in_cell")

    def build(self, shape):
        self.dense.build((None, shape[-1] + 2))

    def call(self, inputs, states):
        outputs = self.dense(keras.ops.concatenate([inputs, states[0]], -1))
        return outputs, [outputs]


def test_recurrent_layers_are_leaves_and_their_cells_are_not():
    inputs = keras.Input((3, 4))
    hidden = layers.GRU(2, return_sequences=True, name="gru")(inputs)
    stacked = layers.StackedRNNCells([layers.LSTMCell(2), layers.LSTMCell(2)])
    hidden = layers.RNN(stacked, return_sequences=True, name="stack")(hidden)
    own = layers.RNN(CellOfLayers(), return_sequences=True, name="own")
    both = layers.Bidirectional(layers.LSTM(2, name="lstm"))
    model = keras.Model(inputs, both(own(hidden)))
    names = [layer.name for layer in leaf_layers(model) if layer.variables]
    assert sorted(names) == ["backward_lstm", "forward_lstm", "gru", "own", "stack"]


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
