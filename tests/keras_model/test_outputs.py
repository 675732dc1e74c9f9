"""Outputs and losses say what they are."""

import keras
import pytest

from keras_trainkit.keras_model.outputs import (
    last_activation,
    loss_family,
    loss_name,
    loss_option,
)

layers, losses = keras.layers, keras.losses


@pytest.mark.parametrize(
    ("last", "name"),
    [
        (lambda: layers.Dense(2, activation="softmax"), "softmax"),
        (layers.Softmax, "softmax"),
        (layers.ReLU, "relu"),
        (lambda: layers.Dense(2), "linear"),
        (layers.Flatten, ""),
        (
            lambda: keras.Sequential(
                [keras.Input((2,)), layers.Dense(2), layers.Activation("tanh")]
            ),
            "tanh",
        ),
    ],
)
def test_the_last_activation_is_named(last, name):
    inputs = keras.Input((2,))
    assert last_activation(last()(inputs)) == name


def test_a_tensor_that_carries_logits_came_from_either():
    output = layers.Dense(2, activation="softmax")(keras.ops.ones((1, 3)))
    assert last_activation(None, output) == "either"
    assert last_activation(None) == ""


@pytest.mark.parametrize(
    ("loss", "family"),
    [
        (losses.BinaryCrossentropy(), "labels"),
        (losses.BinaryFocalCrossentropy(), "labels"),
        (losses.SparseCategoricalCrossentropy(), "classes"),
        (losses.kl_divergence, "classes"),
        (losses.MeanSquaredError(), "values"),
        (losses.huber, "values"),
        (lambda y, p: p, None),
    ],
)
def test_the_family_of_a_loss_is_told(loss, family):
    assert loss_family(loss) == family


def test_options_and_name_of_a_loss_are_read():
    loss = losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.25)
    assert loss_name(loss) == "binary_crossentropy"
    assert loss_option(loss, "from_logits") is True
    assert loss_option(loss, "label_smoothing") == 0.25
    assert loss_option(loss, "gamma") is None
