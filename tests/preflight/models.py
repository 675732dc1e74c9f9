"""Healthy models on real data, and what makes them sick."""

import keras
import numpy as np
from sklearn.datasets import load_diabetes, load_digits

L = keras.layers


def digits(rows=400):
    x, y = load_digits(return_X_y=True)
    return (x[:rows] / 16).astype("float32"), y[:rows]


def classifier(*layers, loss="sparse_categorical_crossentropy", **options):
    layers = layers or (
        L.Dense(48, "relu", kernel_regularizer=keras.regularizers.L2(1e-4)),
        L.BatchNormalization(),
        L.Dropout(0.3),
        L.Dense(10, "softmax"),
    )
    model = keras.Sequential([keras.Input((64,)), *layers])
    model.compile("adam", loss, metrics=["accuracy"], **options)
    return model


def diabetes():
    x, y = load_diabetes(return_X_y=True)
    x = x / x.std(axis=0)
    return x.astype("float32"), ((y - y.mean()) / y.std()).astype("float32")


def regressor(activation="relu", last=None):
    layers = [keras.Input((10,)), L.Dense(32, activation), L.Dense(1, last)]
    model = keras.Sequential(layers)
    model.compile("adam", "mse")
    return model


def two_heads():
    inputs = {
        "image": keras.Input((64,), name="image"),
        "ids": keras.Input((3,), dtype="int32", name="ids"),
    }
    table = L.Flatten()(L.Embedding(7, 4)(inputs["ids"]))
    hidden = L.Dense(32, "relu")(L.Concatenate()([inputs["image"], table]))
    outputs = {
        "digit": L.Dense(10, name="digit")(hidden),
        "even": L.Dense(1, "sigmoid", name="even")(hidden),
    }
    model = keras.Model(inputs, outputs)
    model.compile(
        "adam",
        {
            "digit": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            "even": "binary_crossentropy",
        },
    )
    x, y = digits()
    ids = np.random.default_rng(0).integers(0, 7, (len(x), 3))
    return (
        model,
        {"image": x, "ids": ids},
        {"digit": y, "even": (y % 2).reshape(-1, 1).astype("float32")},
    )


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden = L.Dense(32, "relu")
        self.scores = L.Dense(10, "softmax")

    def call(self, x):
        return self.scores(self.hidden(x))


def subclassed():
    model = Subclassed()
    model.compile("adam", "sparse_categorical_crossentropy")
    return model
