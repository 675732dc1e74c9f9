"""What watching costs: processor time of `fit` with monitors, over a bare `fit`.

The fits of all variants go on by turns, an epoch each, in an order drawn anew for each
round, so that a machine that grows slower or faster meanwhile is so for all. A ratio
is the time of all epochs but the first three over that of the bare fit; its interval
comes from drawing the rounds anew (paired bootstrap). What a variant adds at the start
(tracing) and at the end (the final page) is shown in seconds.

    python benchmarks/monitoring.py [mlp] [cnn] [--rounds 40] [--own] [--quick]

14 rounds of our own variants take three minutes for the MLP on a quiet machine, 40 of
all about a quarter of an hour. In much of it nothing runs: where many fits are open,
TensorFlow waits for seconds when an epoch's iterator ends, until the thread that tunes
its pipeline wakes up. That is no processor time.
"""

import argparse
import os
import random
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import keras_trainkit as tk

layers = keras.layers
BATCH = 128
# Epochs in which steps are traced and TensorFlow learns which operations are cheap.
WARM_UP = 3


def mlp():
    return keras.Sequential(
        [
            keras.Input((784,)),
            layers.Dense(320, activation="relu"),
            layers.Dense(160, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


def cnn():
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


class Turns:
    """Lets the fits of all variants go on by turns, each in a thread of its own.

    In each round every fit has one epoch, in an order that is drawn anew.
    """

    def __init__(self, count):
        self._random = random.Random(0)
        self._count = count
        self._order = []
        self._condition = threading.Condition()
        self._draw()

    def wait(self, number):
        with self._condition:
            self._condition.wait_for(lambda: self._order[:1] == [number])

    def pass_on(self):
        with self._condition:
            self._order.pop(0)
            if not self._order:
                self._draw()
            self._condition.notify_all()

    def _draw(self):
        self._order = self._random.sample(range(self._count), self._count)


class Clock(keras.callbacks.Callback):
    """Takes the processor time of each epoch; the others run between them."""

    def __init__(self, turns, number):
        super().__init__()
        self.turns, self.number, self.times = turns, number, []

    def start(self):
        self.turns.wait(self.number)
        self.started = time.process_time()

    def on_epoch_end(self, epoch, logs=None):
        self.times.append(time.process_time() - self.started)
        if epoch + 1 < self.params["epochs"]:
            self.turns.pass_on()
            self.start()

    def end(self):
        self.total = sum(self.times[:-1]) + time.process_time() - self.started
        self.turns.pass_on()


class WeightCopies(keras.callbacks.Callback):
    """Update ratios as scripts do it: all weights to the host at every batch."""

    def on_train_begin(self, logs=None):
        self.before = self.model.get_weights()

    def on_train_batch_end(self, batch, logs=None):
        after = self.model.get_weights()
        self.ratios = [
            np.linalg.norm(new - old) / (np.linalg.norm(old) + 1e-12)
            for old, new in zip(self.before, after, strict=True)
        ]
        self.before = after


class EagerSecondPass(keras.callbacks.Callback):
    """Activations and gradients by an eager pass of its own at every batch."""

    def __init__(self, x, y):
        super().__init__()
        self.x, self.y = tf.constant(x[:BATCH]), tf.constant(y[:BATCH])

    def on_train_batch_end(self, batch, logs=None):
        with tf.GradientTape() as tape:
            value, outputs = self.x, []
            for layer in self.model.layers:
                value = layer(value, training=True)
                outputs.append(value)
            loss = self.model.compute_loss(self.x, self.y, value)
        gradients = tape.gradient(loss, self.model.trainable_variables)
        self.norms = [float(tf.norm(gradient)) for gradient in gradients]
        self.spreads = [float(tf.math.reduce_std(value)) for value in outputs]


def all_measures(every):
    callbacks = tk.callbacks
    return [
        callbacks.LossMonitor(),
        callbacks.UpdateRatioMonitor(every=every),
        callbacks.LayerStatisticsMonitor(every=every, sample="auto"),
    ]


def variants(directory):
    callbacks = tk.callbacks
    return {
        "bare fit": list,
        "bare fit again (noise)": list,
        "LossMonitor": lambda: [callbacks.LossMonitor()],
        "UpdateRatioMonitor, each step": lambda: [callbacks.UpdateRatioMonitor()],
        "all measures, each step": lambda: all_measures(every=1),
        "all measures, each 10th step": lambda: all_measures(every=10),
        'TrainingMonitor(directory, every="auto")': lambda: [
            callbacks.TrainingMonitor(os.path.join(directory, "run"))
        ],
    }


def peers(x, y, directory):
    """Other ways to look at the same things."""
    return {
        "TensorBoard, histograms, each batch": lambda: [
            keras.callbacks.TensorBoard(
                os.path.join(directory, "board"), histogram_freq=1, update_freq="batch"
            )
        ],
        "get_weights() ratios, each batch": lambda: [WeightCopies()],
        "eager second pass, each batch": lambda: [EagerSecondPass(x, y)],
    }


def fit(build, x, y, epochs, callbacks, clock):
    """Trains from first to last; without its turn it does nothing."""
    clock.start()
    try:
        keras.utils.set_random_seed(0)
        model = build()
        model.compile(
            keras.optimizers.Adam(1e-3),
            "sparse_categorical_crossentropy",
            jit_compile=False,
        )
        model.fit(
            x,
            y,
            batch_size=BATCH,
            epochs=epochs,
            verbose=0,
            callbacks=[*callbacks, clock],
        )
    finally:
        clock.end()


def compare(name, build, shape, steps, epochs, own):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(steps * BATCH, *shape)).astype("float32")
    y = generator.integers(0, 10, len(x))
    with tempfile.TemporaryDirectory() as directory:
        makers = variants(directory)
        makers |= {} if own else peers(x, y, directory)
        turns = Turns(len(makers))
        clocks = [Clock(turns, number) for number in range(len(makers))]
        with ThreadPoolExecutor(len(makers)) as pool:
            runs = [
                pool.submit(fit, build, x, y, epochs, make(), clock)
                for make, clock in zip(makers.values(), clocks, strict=True)
            ]
            for run in runs:
                run.result()
    times = np.array([clock.times[WARM_UP:] for clock in clocks])
    rest = np.array([clock.total for clock in clocks]) - times.sum(axis=1)
    print(
        f"\n{name}, {build().count_params():,} parameters, "
        f"{1e3 * times[0].mean() / steps:.2f} ms of CPU a bare step\n"
    )
    print("| variant | ratio to bare | 95 % interval | start and end, s |")
    print("|---|---|---|---|")
    draws = generator.integers(0, times.shape[1], (10_000, times.shape[1]))
    for variant, own, extra in zip(makers, times, rest - rest[0], strict=True):
        drawn = own[draws].mean(axis=1) / times[0][draws].mean(axis=1)
        low, high = np.quantile(drawn, [0.025, 0.975])
        print(
            f"| {variant} | {own.mean() / times[0].mean():.3f} "
            f"| {low:.3f} to {high:.3f} | {extra:+.1f} |",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("models", nargs="*", help="mlp, cnn; both by default")
    parser.add_argument("--rounds", type=int, default=40, help="epochs of each fit")
    parser.add_argument("--own", action="store_true", help="leave the peers out")
    parser.add_argument("--quick", action="store_true", help="few and short rounds")
    arguments = parser.parse_args()
    rounds = 6 if arguments.quick else arguments.rounds
    scale = 1 if arguments.quick else 4
    if "mlp" in (arguments.models or ["mlp"]):
        compare("MLP", mlp, (784,), 25 * scale, rounds, arguments.own)
    if "cnn" in (arguments.models or ["cnn"]):
        compare("CNN", cnn, (32, 32, 3), 10 * scale, rounds, arguments.own)


if __name__ == "__main__":
    main()
