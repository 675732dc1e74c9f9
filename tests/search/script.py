"""A search to be killed: `script.py KIND DIRECTORY TRIALS [END]`.

END is `trial:N` (SIGKILL in the middle of the training of trial N, once),
`write:N` (SIGKILL at the N-th file written, half of it on the disk) or `fail`.
"""

import os
import signal
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np

from keras_trainkit import search
from keras_trainkit.search.engine import oracle

kind, directory, trials, *end = sys.argv[1:]
moment, _, place = end[0].partition(":") if end else ("", "", "")
generator = np.random.default_rng(0)
x = generator.normal(size=(48, 2)).astype("float32")
y = (x[:, :1] > 0).astype("float32")


def build(hp):
    rate = hp.Float("rate", 1e-3, 1e1, sampling="log")
    units = hp.Choice("units", [1, 3])
    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(units), keras.layers.Dense(1, "sigmoid")]
    )
    optimizer = keras.optimizers.Adam(rate)
    model.compile(optimizer, "binary_crossentropy", run_eagerly=True)
    return model


def die():
    os.kill(os.getpid(), signal.SIGKILL)


class End(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        print("training", flush=True)
        if moment == "fail":
            raise ValueError("a mistake in the model")

    def on_train_batch_end(self, batch, logs=None):
        mark = os.path.join(directory, "died")
        running = os.path.join(directory, "p", f"trial_{place}", "record.sqlite")
        if moment == "trial" and os.path.exists(running) and not os.path.exists(mark):
            with open(mark, "w", encoding="utf-8") as file:
                file.write(os.environ.get("KERASTUNER_TUNER_ID", ""))
            die()


if moment == "write":
    write, count = oracle.write_state, 0

    def write_or_die(path, content):
        global count
        count += 1
        if count == int(place):
            with open(f"{path}.new", "w", encoding="utf-8") as file:
                file.write('{"half": ')
            die()
        write(path, content)

    oracle.write_state = write_or_die

tuners = {
    "random": lambda **rest: search.RandomSearch(max_trials=int(trials), **rest),
    "bayesian": lambda **rest: search.BayesianOptimization(
        max_trials=int(trials), num_initial_points=3, **rest
    ),
    "hyperband": lambda **rest: search.Hyperband(max_epochs=3, **rest),
    "grid": lambda **rest: search.GridSearch(points=2, **rest),
}
tuner = tuners[kind](
    hypermodel=build,
    objective="val_loss",
    seed=0,
    directory=directory,
    project_name="p",
    max_consecutive_failed_trials=3,
)
tuner.search(x, y, epochs=2, validation_split=0.25, callbacks=[End()], verbose=0)
print("best", tuner.get_best_hyperparameters()[0].values)
