"""What watching costs: processor time of `fit` with monitors, over a bare `fit`.

Rounds are interleaved (each round runs every variant once) and each ratio is the
median over the rounds of variant / bare of the same round. Timed is the steady
state, from the end of the first epoch to the end of the last; what a variant adds
to the rest (tracing, the final page) is shown in seconds.

    python benchmarks/monitoring.py [--rounds 5] [--quick]
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import keras_trainkit as tk

layers = keras.layers
BATCH = 128


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


class Clock(keras.callbacks.Callback):
    """Takes the processor time of the steady state."""

    def on_train_begin(self, logs=None):
        self.began = time.process_time()

    def on_epoch_end(self, epoch, logs=None):
        now = time.process_time()
        self.started = now if epoch == 0 else self.started
        self.steady = now - self.started


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


def variants(x, y, directory):
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
        "TensorBoard, histograms, each batch": lambda: [
            keras.callbacks.TensorBoard(
                os.path.join(directory, "board"), histogram_freq=1, update_freq="batch"
            )
        ],
        "get_weights() ratios, each batch": lambda: [WeightCopies()],
        "eager second pass, each batch": lambda: [EagerSecondPass(x, y)],
    }


def measure(build, x, y, epochs, callbacks):
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    model = build()
    model.compile(
        keras.optimizers.Adam(1e-3),
        "sparse_categorical_crossentropy",
        jit_compile=False,
    )
    clock = Clock()
    began = time.process_time()
    model.fit(
        x, y, batch_size=BATCH, epochs=epochs, verbose=0, callbacks=[*callbacks, clock]
    )
    total = time.process_time() - began
    return clock.steady, total - clock.steady


def compare(name, build, shape, steps, epochs, rounds):
    random = np.random.default_rng(0)
    x = random.normal(size=(steps * BATCH, *shape)).astype("float32")
    y = random.integers(0, 10, len(x))
    directory = tempfile.mkdtemp()
    times = {}
    for number in range(rounds):
        makers = list(variants(x, y, directory).items())
        # No variant is always the first of its round, or after the same other.
        start = number * len(makers) // rounds
        for variant, make in makers[start:] + makers[:start]:
            result = measure(build, x, y, epochs, make())
            times.setdefault(variant, []).append(result)
    shutil.rmtree(directory)
    bare = times["bare fit"]
    count = build().count_params()
    per_step = 1e3 * statistics.median(t for t, _ in bare) / (steps * (epochs - 1))
    print(f"\n{name}, {count:,} parameters, {per_step:.2f} ms of CPU a bare step\n")
    print("| variant | ratio to bare | lowest to highest | start-up, s |")
    print("|---|---|---|---|")
    for variant, results in times.items():
        ratios = [
            own / other for (own, _), (other, _) in zip(results, bare, strict=True)
        ]
        start_up = statistics.median(
            own - other for (_, own), (_, other) in zip(results, bare, strict=True)
        )
        print(
            f"| {variant} | {statistics.median(ratios):.3f} "
            f"| {min(ratios):.3f} to {max(ratios):.3f} | {start_up:+.1f} |"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one short round")
    arguments = parser.parse_args()
    rounds = 1 if arguments.quick else arguments.rounds
    # Long runs: TensorFlow takes hundreds of calls to learn which operations are
    # cheap, and those of a rare reading are not called often.
    scale = 1 if arguments.quick else 4
    epochs = 3 if arguments.quick else 25
    compare("MLP", mlp, (784,), 50 * scale, epochs, rounds)
    compare("CNN", cnn, (32, 32, 3), 10 * scale, epochs, rounds)


if __name__ == "__main__":
    main()
