"""Which learning rate and which L2 penalty suit this net?

Three stages from coarse to fine: 36 trials of one epoch over seven decades each, 16
of four epochs where the best of these lie, 8 of sixteen epochs at the end. Digits of
scikit-learn, a small MLP. Saves a picture of the stages and the page of the search.

    python examples/04_search.py --out pictures
"""

import argparse
import pathlib
import tempfile

import keras
import matplotlib
from matplotlib import patches, pyplot
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import keras_trainkit as tk

STAGES = [
    tk.search.Stage(36, epochs=1),
    tk.search.Stage(16, epochs=4),
    tk.search.Stage(8, epochs=16),
]
QUICK = [tk.search.Stage(4, epochs=1), tk.search.Stage(2, epochs=1, carry=1)]


def build_model(hp):
    rate = tk.search.log_uniform(hp, "learning_rate", 1e-6, 1e1)
    strength = tk.search.log_uniform(hp, "l2", 1e-7, 1e0)
    penalty = keras.regularizers.L2(strength)
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(64, activation="relu", kernel_regularizer=penalty),
            keras.layers.Dense(10, kernel_regularizer=penalty),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(rate, 0.9), loss, metrics=["accuracy"])
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("."))
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    matplotlib.use("Agg")
    arguments.out.mkdir(parents=True, exist_ok=True)

    x, y = load_digits(return_X_y=True)
    x, xv, y, yv = train_test_split(x / 16, y, test_size=0.3, random_state=0)
    with tempfile.TemporaryDirectory() as directory:
        tuner = tk.search.CoarseToFine(
            build_model,
            "val_accuracy",
            QUICK if arguments.quick else STAGES,
            seed=0,
            directory=directory,
            project_name="digits",
        )
        tuner.search(x, y, validation_data=(xv, yv), batch_size=64)
        frame, ranges = tk.search.trials_frame(tuner), tuner.ranges
        tk.search.report(tuner, arguments.out / "search.html")
        warnings = tk.search.edge_warnings(tuner)

    best = frame.sort_values("score", ascending=False).iloc[0]
    print(f"best validation accuracy {best.score:.3f}")
    print(f"with learning rate {best.learning_rate:.2g} and l2 {best.l2:.2g}")
    print(*warnings, sep="\n")

    figure, axes = pyplot.subplots(figsize=(7, 5), layout="constrained")
    for stage, rows in ranges.groupby("stage"):
        rate, l2 = rows.set_index("hyperparameter").loc[["learning_rate", "l2"]].iloc
        color = f"C{stage - 1}"
        size = (rate.high - rate.low, l2.high - l2.low)
        words = f"stage {stage}, epochs: {rate.epochs}"
        box = {"fill": False, "edgecolor": color, "linewidth": 2, "label": words}
        axes.add_patch(patches.Rectangle((rate.low, l2.low), *size, **box))
    dots = axes.scatter(frame.learning_rate, frame.l2, c=frame.score, cmap="viridis")
    axes.loglog()
    axes.set(xlabel="learning rate", ylabel="l2", title="from coarse to fine")
    figure.legend(loc="outside lower center", ncols=3)
    figure.colorbar(dots, label="validation accuracy")
    figure.savefig(arguments.out / "search.png")


if __name__ == "__main__":
    main()
