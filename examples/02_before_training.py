"""What do the checks before training say of one healthy and three sick models?"""

import argparse
import pathlib

import keras
import matplotlib
import tensorflow as tf
from sklearn.datasets import load_digits

import keras_trainkit as tk

matplotlib.use("agg")
from matplotlib import pyplot

L = keras.layers


@tf.custom_gradient
def leaky_square(x):
    """Squares, but its author wrote the derivative as 2.02 x."""
    return x * x, lambda upstream: upstream * 2.02 * x


def compiled(*layers, loss="sparse_categorical_crossentropy"):
    model = keras.Sequential([keras.Input((64,)), *layers])
    model.compile("adam", loss)
    return model


def models():
    """Yields a name, a model and what its data are changed by."""
    yield (
        "healthy",
        compiled(
            L.Dense(64, "relu", kernel_regularizer=keras.regularizers.L2(1e-4)),
            L.Dropout(0.2),
            L.Dense(10, "softmax"),
        ),
        lambda x, y: (x, y),
    )
    yield (
        "wrong gradient",
        compiled(L.Dense(64), L.Lambda(leaky_square), L.Dense(10, "softmax")),
        lambda x, y: (x, y),
    )
    yield (
        "one softmax unit",
        compiled(
            L.Dense(64, "relu"), L.Dense(1, "softmax"), loss="binary_crossentropy"
        ),
        lambda x, y: (x, y % 2),
    )
    yield (
        "raw pixels, labels from 1",
        compiled(L.Dense(64, "relu"), L.Dense(10, "softmax")),
        lambda x, y: (x * 255, y + 1),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("."))
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(0)
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype("float32")
    rows = 300 if options.quick else 1400
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4), layout="constrained")
    for number, (name, model, change) in enumerate(models()):
        data = change(x[:rows], y[:rows])
        held_out = change(x[rows:], y[rows:])
        report = tk.preflight(
            model,
            *data,
            validation_data=held_out,
            skip=["machine"] if options.quick else [],
        )
        failed = [v.name for v in report.verdicts if v.status == "fail"]
        print(f"--- {name}: {'fails ' + ', '.join(failed) if failed else 'passes'}")
        if not options.quick:
            print(report, "\n")
        if number < 2:
            check = tk.gradcheck(model, *data)
            print(f"largest relative error {check.max_relative_error:.1e}")
            check.plot(entries=4, ax=axes[number])
            axes[number].set_title(f"{name}: {'passed' if check.ok else 'FAILED'}")
    figure.savefig(options.out / "before_training.png", dpi=110)


if __name__ == "__main__":
    main()
