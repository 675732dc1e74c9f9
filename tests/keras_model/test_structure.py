import keras
import numpy as np

from keras_trainkit.keras_model.structure import (
    layers_of_alike_units,
    narrowest_layer,
)

L = keras.layers


def model_of(*layers, inputs=(8, 8, 1)):
    return keras.Sequential([keras.Input(inputs), *layers])


def test_units_alike_are_those_of_constant_kernels_and_stay_so_when_trained():
    keras.utils.set_random_seed(0)
    model = model_of(
        L.Conv2D(4, 3, activation="relu", kernel_initializer="ones", name="same"),
        L.Flatten(),
        L.Dense(6, "tanh", kernel_initializer="zeros", name="zero"),
        L.Dense(5, "tanh", name="random"),
        L.Dense(3, "softmax", name="end"),
    )
    assert layers_of_alike_units(model) == ["same", "zero"]
    model.compile("adam", "sparse_categorical_crossentropy")
    random = np.random.default_rng(0)
    model.fit(random.normal(size=(64, 8, 8, 1)), random.integers(3, size=64), verbose=0)
    assert "same" in layers_of_alike_units(model)
    assert "random" not in layers_of_alike_units(model)


def test_single_units_frozen_and_other_weights_are_left_out():
    frozen = L.Dense(4, kernel_initializer="ones", trainable=False)
    model = model_of(
        frozen,
        L.BatchNormalization(),
        L.Dense(1, kernel_initializer="ones"),
        inputs=(3,),
    )
    assert layers_of_alike_units(model) == []


def test_narrowest_layer_is_the_hidden_one_with_fewest_units():
    model = model_of(L.Dense(9), L.Dense(2, name="code"), L.Dense(1), inputs=(3,))
    assert narrowest_layer(model) == ("code", 2)
    assert narrowest_layer(model_of(L.Dense(1), inputs=(3,))) is None
