"""What it costs to begin: the first fit of a model, and later ones, with and without.

Keras traces the step when it is first called, and so does whatever watches it. Shown
is the processor time of a first `fit` of a few steps, bare and with
`TrainingMonitor()`, each in a process of its own; the time of later fits of two steps,
bare and watched by turns; and how the process grows over many.

    python benchmarks/beginning.py [--models digits_cnn transformer] [--fits 200]
"""

import argparse
import gc
import json
import os
import resource
import subprocess
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

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


MODELS = {
    "digits_cnn": digits_cnn,
    "transformer": transformer,
    "bidirectional_lstm": bidirectional_lstm,
    "dense_150": lambda: dense(150),
    "mobilenet_v2": mobilenet_v2,
    "dense_1000": lambda: dense(1000),
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


def measure(*arguments):
    """One measurement in a process of its own."""
    command = [sys.executable, __file__, "--measure", *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(ended.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--models", nargs="*", default=list(MODELS), choices=MODELS)
    parser.add_argument("--fits", type=int, default=200, help="later fits")
    parser.add_argument("--measure", nargs="*", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        kind, name, number = arguments.measure
        result = {"first": first, "later": later}[kind](name, int(number))
        print(json.dumps(result))
        return
    print("| model | first fit, s bare | watched | ratio |")
    print("|---|---|---|---|")
    for name in arguments.models:
        bare, watched = (measure("first", name, kind) for kind in (0, 1))
        ratio = watched / bare
        print(f"| {name} | {bare:.1f} | {watched:.1f} | {ratio:.2f} |", flush=True)
    if arguments.fits:
        bare, watched, growth = measure("later", "digits_cnn", arguments.fits)
        print(
            f"\nA later fit of two steps: {1e3 * bare:.1f} ms bare, "
            f"{1e3 * watched:.1f} watched, ratio {watched / bare:.2f}; "
            f"the process grows by {1e3 * growth:.1f} kB a fit"
        )


if __name__ == "__main__":
    main()
