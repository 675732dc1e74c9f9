"""A tiny search: two features, one layer, one epoch."""

import os

import keras
import numpy as np
import pytest

from keras_trainkit import search


@pytest.fixture(autouse=True, scope="module")
def quick_disk():
    """A killed process needs no wait for the disk; a loss of power would."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="session")
def data():
    generator = np.random.default_rng(0)
    x = generator.normal(size=(48, 2)).astype("float32")
    return x, (x[:, :1] > 0).astype("float32")


def build(hp):
    rate = hp.Float("rate", 1e-3, 1e1, sampling="log")
    return net(keras.optimizers.Adam(rate), hp.Choice("units", [1, 3]))


def net(optimizer, units):
    model = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(units, "tanh"),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(1, "sigmoid"),
        ]
    )
    model.compile(
        optimizer,
        "binary_crossentropy",
        metrics=["accuracy"],
        run_eagerly=True,  # tracing would take a second a training
    )
    return model


TUNERS = {
    "random": (search.RandomSearch, {"max_trials": 4}),
    "bayesian": (
        search.BayesianOptimization,
        {"max_trials": 5, "num_initial_points": 3},
    ),
    "hyperband": (search.Hyperband, {"max_epochs": 3, "factor": 3}),
    "grid": (search.GridSearch, {"points": 2}),
    "coarse_to_fine": (
        search.CoarseToFine,
        {"stages": [search.Stage(3, epochs=1), search.Stage(2, epochs=2, carry=1)]},
    ),
}


def make(kind, directory, hypermodel=build, objective="val_loss", **settings):
    tuner, arguments = TUNERS[kind]
    settings = {"seed": 0, **arguments, **settings}
    return tuner(
        hypermodel, objective, directory=directory, project_name="p", **settings
    )


def run(tuner, data, **settings):
    settings = {"epochs": 1, "validation_split": 0.25, "verbose": 0, **settings}
    if isinstance(tuner, search.CoarseToFine):
        del settings["epochs"]  # its stages have them
    tuner.search(*data, **settings)
    return search.trials_frame(tuner, histories=True)
