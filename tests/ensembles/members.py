"""Members for ensembles, of every kind of output."""

import keras
import pytest

from tests import models

layers = keras.layers


def classifier(units=6, activation="softmax", classes=3):
    return keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(units, activation="relu"),
            layers.Dense(classes, activation=activation),
        ]
    )


def compiled(
    model, loss="sparse_categorical_crossentropy", metrics=("accuracy",), **options
):
    model.compile("adam", loss, metrics=list(metrics), **options)
    return model


def regressor():
    return compiled(classifier(activation=None, classes=1), "mse", ["mae"])


def several(build=classifier, count=3):
    return [build() for _ in range(count)]


@keras.saving.register_keras_serializable(package="tests")
class Registered(keras.Model):
    """A subclassed model that Keras can save."""

    def __init__(self, units=6, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.first = layers.Dense(units, activation="relu")
        self.normal = layers.BatchNormalization()
        self.last = layers.Dense(3, activation="softmax")

    def call(self, inputs, training=False):
        return self.last(self.normal(self.first(inputs), training=training))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def nested():
    inner = keras.Sequential([keras.Input((8,)), layers.Dense(6, activation="relu")])
    inputs = keras.Input((8,))
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(inner(inputs)))


KINDS = {
    "sequential": models.sequential,
    "functional": models.functional,
    "subclassed": Registered,
    "nested": nested,
    "shared": models.shared,
    "regularized": models.regularized,
    "convolutional": models.convolutional,
    "recurrent": models.recurrent,
    "attention": models.attention,
}


def kinds(*quick):
    """All `KINDS` for `parametrize`; those that are not `quick` are marked slow."""
    return [
        pytest.param(build, id=name, marks=() if name in quick else pytest.mark.slow)
        for name, build in KINDS.items()
    ]
