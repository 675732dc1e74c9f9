"""What do several nets know together that one does not?

Nets that differ in their seeds only, on a tenth of the digits: their accuracy apart
and together, whether the gain is beyond noise, and one small net that learns from all.

    python examples/05_ensembles.py --out pictures
"""

import argparse
import pathlib

import keras
import matplotlib
from matplotlib import pyplot
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import keras_trainkit as tk


def build(units=64):
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dense(units, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    loss = "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(0.003), loss, metrics=["accuracy"])
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("."))
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    matplotlib.use("Agg")
    members, epochs = (3, 2) if arguments.quick else (10, 30)

    x, y = load_digits(return_X_y=True)
    x, x_test, y, y_test = train_test_split(
        x / 16, y, train_size=180, random_state=0, stratify=y
    )

    fit = {"x": x, "y": y, "epochs": epochs, "batch_size": 16}
    ensemble = tk.ensembles.Ensemble.from_seeds(build, members, fit=fit)
    report = ensemble.report(x_test, y_test)
    print(report)

    student = build(units=16)
    tk.ensembles.distill(
        ensemble, student, x, y, epochs=2 * epochs, batch_size=16, verbose=0
    )
    alone = build(units=16)
    alone.fit(x, y, epochs=2 * epochs, batch_size=16, verbose=0)
    for name, model in (("taught by the ensemble", student), ("by labels", alone)):
        accuracy = model.evaluate(x_test, y_test, verbose=0)[1]
        print(f"16 units, {name}: {accuracy:.4f}")

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4), layout="constrained")
    report.plot(axes=left)
    matrix = right.imshow(100 * report.disagreement, cmap="Blues", vmin=0)
    right.set(xlabel="member", ylabel="member", title="disagreement, %")
    figure.colorbar(matrix, ax=right)
    arguments.out.mkdir(parents=True, exist_ok=True)
    figure.savefig(arguments.out / "ensembles.png")


if __name__ == "__main__":
    main()
