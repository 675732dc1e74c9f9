"""What log space and stages are worth: best validation score for equal epochs.

Digits of scikit-learn, a small MLP, learning rate 1e-6 to 10 and l2 1e-7 to 1. Three
searches of 64 to 66 epochs in all: random in linear space, random in log space (16
trials of 4 epochs each), coarse to fine (18 trials of 1, 8 of 3, 3 of 8). Validation
and test are 30 % of the data each; the test accuracy is that of the model that
validation chose. Prints a Markdown table over the seeds.

    python benchmarks/coarse_to_fine.py --seeds 5 [--searches "coarse to fine"]
"""

import argparse
import tempfile
import time

import keras
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import keras_trainkit as tk

STAGES = [
    tk.search.Stage(18, epochs=1),
    tk.search.Stage(8, epochs=3),
    tk.search.Stage(3, epochs=8),
]
TRIALS, EPOCHS = 16, 4
SEARCHES = ("random, linear space", "random, log space", "coarse to fine")


def builder(logarithmic):
    def build(hp):
        if logarithmic:
            rate = tk.search.log_uniform(hp, "learning_rate", 1e-6, 1e1)
            l2 = tk.search.log_uniform(hp, "l2", 1e-7, 1e0)
        else:
            rate = hp.Float("learning_rate", 1e-6, 1e1)
            l2 = hp.Float("l2", 1e-7, 1e0)
        penalty = keras.regularizers.L2(l2)
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

    return build


def searched(kind, seed, data, directory):
    x, xv, xt, y, yv, yt = data
    place = {"directory": directory, "project_name": f"{kind} {seed}", "seed": seed}
    fit = {"validation_data": (xv, yv), "batch_size": 64, "verbose": 0}
    if kind == "coarse to fine":
        tuner = tk.search.CoarseToFine(builder(True), "val_accuracy", STAGES, **place)
        tuner.search(x, y, **fit)
    else:
        build = builder(kind == "random, log space")
        tuner = tk.search.RandomSearch(
            build,
            "val_accuracy",
            TRIALS,
            max_consecutive_failed_trials=TRIALS + 1,
            **place,
        )
        tuner.search(x, y, epochs=EPOCHS, **fit)
    frame = tk.search.trials_frame(tuner)
    test = tuner.get_best_models()[0].evaluate(xt, yt, verbose=0)[1]
    return frame["score"].max(), test


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--searches", nargs="*", choices=SEARCHES, default=SEARCHES)
    arguments = parser.parse_args()
    seeds = range(arguments.seeds)
    x, y = load_digits(return_X_y=True)
    x, xt, y, yt = train_test_split(x / 16, y, test_size=0.3, random_state=0)
    x, xv, y, yv = train_test_split(x, y, test_size=3 / 7, random_state=0)
    print("| search | validation, mean | worst seed | test, mean | CPU s |")
    print("|---|---|---|---|---|")
    for kind in arguments.searches:
        begin = time.process_time()
        with tempfile.TemporaryDirectory() as directory:
            data = (x, xv, xt, y, yv, yt)
            found = [searched(kind, seed, data, directory) for seed in seeds]
        seconds = (time.process_time() - begin) / len(seeds)
        best, test = np.array(found).T
        print(
            f"| {kind} | {best.mean():.3f} | {best.min():.3f} | {test.mean():.3f} "
            f"| {seconds:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
