"""What pages and docstrings speak of without making it: data, models, runs."""

import atexit
import functools
import shutil
import tempfile

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

import keras_trainkit as tk
from keras_trainkit.record import Measure
from keras_trainkit.recording import Instrument, column

L = keras.layers
LOSS = "sparse_categorical_crossentropy"


def digits():
    x, y = load_digits(return_X_y=True)
    return (x / 16 - 0.5).astype("float32"), y.astype("int64")


def model():
    """Its layers have the names that the pages speak of."""
    net = keras.Sequential(
        [
            keras.Input((64,)),
            L.Reshape((8, 8, 1)),
            L.Conv2D(4, 3, strides=2, activation="relu", name="conv2d"),
            L.Flatten(),
            L.BatchNormalization(),
            L.Dropout(0.1),
            L.Dense(10, "softmax", name="output"),
        ],
        name="digits",
    )
    net.compile("adam", LOSS, metrics=["accuracy"])
    return net


class Confidence(Instrument):
    """As in the guide: how sure the model is of its answers."""

    measures = (Measure("confidence", of="layer", unit="fraction"),)
    channel = "layers"

    def read(self, seen):
        largest = tf.reduce_max(seen.output("output"), axis=-1)
        return [(column("confidence", "output"), tf.reduce_mean(largest))]


def small():
    layers = [keras.Input((64,)), L.Dense(8, "relu"), L.Dense(10, "softmax")]
    net = keras.Sequential(layers)
    _compile(net, "adam")
    return net


def build_model(hp=None):
    net = small()
    if hp is not None:
        rate = tk.search.log_uniform(hp, "learning_rate", 1e-4, 1e-1)
        _compile(net, keras.optimizers.Adam(rate))
    return net


def _compile(net, optimizer):
    # To trace it would take longer than its few steps.
    net.compile(optimizer, LOSS, metrics=["accuracy"], run_eagerly=True)


def monitor():
    """A recorded run, in `runs/digits` as the pages have it."""
    place, watched = _recorded()
    shutil.copytree(place, "runs/digits", dirs_exist_ok=True)
    return watched


@functools.cache
def _recorded():
    """One run for all that speak of one; its file lies elsewhere."""
    place = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    watching = tk.callbacks.TrainingMonitor(place, histograms=True)
    x, y = digits()
    options = {"epochs": 3, "validation_split": 0.25, "verbose": 0}
    model().fit(x[:96], y[:96], callbacks=[watching], **options)
    return place, watching


def tuner(x, y):
    search = tk.search.RandomSearch(
        build_model, "val_accuracy", max_trials=4, seed=0, directory="runs"
    )
    search.search(x, y, epochs=1, validation_split=0.25, verbose=0)
    return search


def checkpoints(x, y):
    keep = keras.callbacks.ModelCheckpoint("runs/digits/{epoch}.keras")
    small().fit(x, y, epochs=3, verbose=0, callbacks=[keep])


def models(x, y):
    nets = [small() for _ in range(3)]
    for net in nets:
        net.fit(x, y, verbose=0)
    return nets


def names(wanted):
    """Returns the stand-ins of these names, made only as far as they are wanted."""
    x, y = digits()
    sets = {
        "x": x[:96],
        "y": y[:96],
        "x_val": x[96:160],
        "y_val": y[96:160],
        "x_test": x[160:224],
        "y_test": y[160:224],
    }
    sets |= {"xv": sets["x_val"], "yv": sets["y_val"]}
    made = {name: value for name, value in sets.items() if name in wanted}
    train = sets["x"], sets["y"]
    makers = {
        "model": model,
        "small": small,
        "build_model": lambda: build_model,
        "monitor": monitor,
        "tuner": lambda: tuner(*train),
        "models": lambda: models(*train),
        "checkpoints": lambda: checkpoints(*train),
        "one": small,
        "two": small,
        "three": small,
        "ensemble": lambda: tk.ensembles.Ensemble(models(*train)),
        "hp": keras_tuner_space,
        "loss": lambda: LOSS,
        "Confidence": lambda: Confidence,
        "Measure": lambda: Measure,
        "column": lambda: column,
    }
    return made | {name: make() for name, make in makers.items() if name in wanted}


def keras_tuner_space():
    import keras_tuner

    return keras_tuner.HyperParameters()


LIBRARIES = {"keras": keras, "np": np, "tf": tf, "tk": tk}
ALL = "x y x_val y_val x_test y_test xv yv model small build_model monitor tuner models"
