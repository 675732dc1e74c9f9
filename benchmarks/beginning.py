"""What it costs to begin, to begin again, and to go on for long.

Keras traces the step when it is first called, and so does whatever watches it. Shown
is the processor time of a first `fit` of a few steps, bare and with
`TrainingMonitor()`, each in a process of its own; the time of later fits of two steps,
bare and watched by turns, and how the process grows over many; and how it grows over a
long fit of a tiny model that is read in every step.

    python benchmarks/beginning.py first [digits_cnn transformer ...]
    python benchmarks/beginning.py later [--fits 200]
    python benchmarks/beginning.py steps [--steps 200000]
    python benchmarks/beginning.py profile digits_cnn
"""

import argparse
import cProfile
import gc
import json
import os
import pstats
import resource
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

import keras_trainkit as tk

layers = keras.layers
STEPS = 8
BATCH = 16


def digits_cnn():
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


def transformer():
    inputs = keras.Input((16,), dtype="int32")
    hidden = layers.Embedding(100, 32)(inputs)
    for _ in range(2):
        seen = layers.MultiHeadAttention(2, 16)(hidden, hidden)
        hidden = layers.LayerNormalization()(hidden + seen)
        more = layers.Dense(32)(layers.Dense(64, activation="gelu")(hidden))
        hidden = layers.LayerNormalization()(hidden + more)
    hidden = layers.GlobalAveragePooling1D()(hidden)
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(hidden))


def bidirectional_lstm():
    return keras.Sequential(
        [
            keras.Input((16, 8)),
            layers.Bidirectional(layers.LSTM(32, return_sequences=True)),
            layers.Bidirectional(layers.LSTM(32)),
            layers.Dense(10, activation="softmax"),
        ]
    )


def mobilenet_v2():
    return keras.applications.MobileNetV2((32, 32, 3), weights=None, classes=10)


def dense(count):
    hidden = [layers.Dense(16, activation="relu") for _ in range(count)]
    last = layers.Dense(10, activation="softmax")
    return keras.Sequential([keras.Input((16,)), *hidden, last])


class Chain(layers.Layer):
    """Layers in a loop: a graph of a thousand is too deep for Keras' recursions."""

    def __init__(self, count):
        super().__init__()
        self.parts = [layers.Dense(16, activation="relu") for _ in range(count)]

    def call(self, x):
        for part in self.parts:
            x = part(x)
        return x


def chain(count):
    last = layers.Dense(10, activation="softmax")
    return keras.Sequential([keras.Input((16,)), Chain(count), last])


MODELS = {
    "digits_cnn": digits_cnn,
    "transformer": transformer,
    "bidirectional_lstm": bidirectional_lstm,
    "dense_150": lambda: dense(150),
    "mobilenet_v2": mobilenet_v2,
    "dense_1000": lambda: chain(1000),
}


def compiled(build):
    keras.utils.set_random_seed(0)
    model = build()
    model.compile("adam", "sparse_categorical_crossentropy", jit_compile=False)
    return model


def data_for(model, steps):
    generator = np.random.default_rng(0)
    shape = steps * BATCH, *model.input_shape[1:]
    if model.inputs[0].dtype == "int32":
        x = generator.integers(0, 100, shape)
    else:
        x = generator.normal(size=shape).astype("float32")
    return x, generator.integers(0, 10, len(x))


def seconds(model, data, callbacks):
    began = time.process_time()
    model.fit(*data, batch_size=BATCH, verbose=0, callbacks=callbacks)
    return time.process_time() - began


def megabytes():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def first(name, watched):
    """The first fit of a model, with the libraries warm."""
    other = compiled(lambda: dense(1))
    seconds(other, data_for(other, 2), [tk.callbacks.TrainingMonitor()])
    model = compiled(MODELS[name])
    monitors = [tk.callbacks.TrainingMonitor()] if watched else []
    return seconds(model, data_for(model, STEPS), monitors)


def later(name, fits):
    """Fits of two steps, by turns, and what the watched ones leave behind."""
    models = [compiled(MODELS[name]) for _ in range(2)]
    data = data_for(models[0], 2)
    monitor = tk.callbacks.TrainingMonitor()
    times = [[], []]
    for number in range(fits):
        if number == fits // 10:
            before = megabytes()
        for kind, (model, monitors) in enumerate(
            zip(models, ([], [monitor]), strict=True)
        ):
            times[kind].append(seconds(model, data, monitors))
    settled = [np.median(own[fits // 10 :]) for own in times]
    per_fit = (megabytes() - before) / (fits - fits // 10)
    return *settled, per_fit


class Growth(keras.callbacks.Callback):
    """Notes the size of the process at the end of each epoch, in MB."""

    def __init__(self):
        super().__init__()
        self.sizes = []

    def on_epoch_end(self, epoch, logs=None):
        self.sizes.append(megabytes())


def long_fit(steps, watched, directory):
    """Sizes of the process after each tenth of the steps, and CPU seconds."""
    model = keras.Sequential([keras.Input((4,)), layers.Dense(4), layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
    x = np.random.default_rng(0).normal(size=(BATCH, 4)).astype("float32")
    data = tf.data.Dataset.from_tensors((x, x[:, :1])).repeat()
    growth = Growth()
    monitors = []
    if watched:
        monitors = [tk.callbacks.TrainingMonitor(directory, every=1)]
    began = time.process_time()
    model.fit(
        data,
        steps_per_epoch=steps // 10,
        epochs=10,
        verbose=0,
        callbacks=[*monitors, growth],
    )
    return growth.sizes, time.process_time() - began


def profile(name):
    """Where the time of a watched first fit goes."""
    other = compiled(lambda: dense(1))
    seconds(other, data_for(other, 2), [tk.callbacks.TrainingMonitor()])
    model = compiled(MODELS[name])
    data = data_for(model, STEPS)
    profiler = cProfile.Profile()
    profiler.enable()
    seconds(model, data, [tk.callbacks.TrainingMonitor()])
    profiler.disable()
    pstats.Stats(profiler).sort_stats("cumulative").print_stats(70)


def measure(*arguments):
    """One measurement in a process of its own."""
    what, *numbers = map(str, arguments)
    command = [sys.executable, __file__, what, "--measure", *numbers]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(ended.stdout.splitlines()[-1])


def show_first(names):
    print("| model | first fit, s bare | watched | ratio |")
    print("|---|---|---|---|")
    for name in names:
        bare, watched = (measure("first", name, kind) for kind in (0, 1))
        ratio = watched / bare
        print(f"| {name} | {bare:.1f} | {watched:.1f} | {ratio:.2f} |", flush=True)


def show_later(fits):
    bare, watched, growth = measure("later", "digits_cnn", fits)
    print(
        f"A later fit of two steps: {1e3 * bare:.1f} ms bare, "
        f"{1e3 * watched:.1f} watched, ratio {watched / bare:.2f}; over {fits} fits "
        f"the process grows by {1e3 * growth:.1f} kB a fit"
    )


def show_steps(steps):
    for watched in (0, 1):
        sizes, taken = measure("steps", steps, watched)
        parts = ", ".join(f"{size - sizes[0]:.1f}" for size in sizes[1:])
        print(
            f"{'watched' if watched else 'bare'}: {1e6 * taken / steps:.0f} us of CPU "
            f"a step; MB more after each tenth of {steps:,} steps than after the "
            f"first: {parts}",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["first", "later", "steps", "profile"])
    parser.add_argument("models", nargs="*", help=", ".join(MODELS))
    parser.add_argument("--fits", type=int, default=200, help="later fits")
    parser.add_argument("--steps", type=int, default=200_000, help="of the long fit")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        name, number = arguments.measure
        print(json.dumps(measured(arguments.what, name, int(number))))
    elif arguments.what == "first":
        show_first(arguments.models or list(MODELS))
    elif arguments.what == "later":
        show_later(arguments.fits)
    elif arguments.what == "steps":
        show_steps(arguments.steps)
    else:
        profile(*arguments.models)


def measured(what, name, number):
    if what == "first":
        return first(name, number)
    if what == "later":
        return later(name, number)
    with tempfile.TemporaryDirectory() as directory:
        return long_fit(int(name), number, os.path.join(directory, "run"))


if __name__ == "__main__":
    main()
