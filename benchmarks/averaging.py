"""What averaging costs, and what averaged weights are worth.

Cost: processor time of `fit` with a callback over a bare `fit`, from the end of the
first epoch to the end of the last. Rounds are interleaved (each runs every variant
once); each ratio is the median over the rounds of variant / bare of the same round.

Accuracy: of the last and of the averaged weights on held-out digits, over several
seeds of the initial weights and of the order of the data, all with one split.

    python benchmarks/averaging.py [--part cost|accuracy] [--rounds 5] [--seeds 10]
"""

import argparse
import os
import statistics

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from monitoring import BATCH, Clock, mlp
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from keras_trainkit.callbacks import WeightAveraging

layers = keras.layers
RATE = 0.05
CROSSENTROPY = "sparse_categorical_crossentropy"


def cnn():
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


class HostAverage(keras.callbacks.Callback):
    """A running mean as scripts keep it: all weights to the host at every batch."""

    def on_train_begin(self, logs=None):
        self.count = 0

    def on_train_batch_end(self, batch, logs=None):
        weights = self.model.get_weights()
        self.count += 1
        if self.count == 1:
            self.average = weights
        for mean, weight in zip(self.average, weights, strict=True):
            mean += (weight - mean) / self.count


def averaging(every):
    return lambda: [WeightAveraging("mean", 0, every, validate=False, at_end="raw")]


VARIANTS = {
    "bare fit": (list, {}),
    "bare fit again (noise)": (list, {}),
    "WeightAveraging, every step": (averaging(1), {}),
    "WeightAveraging, every 10th step": (averaging(10), {}),
    "WeightAveraging, each epoch": (averaging("epoch"), {}),
    "SwapEMAWeights, use_ema=True": (
        lambda: [keras.callbacks.SwapEMAWeights()],
        {"use_ema": True},
    ),
    "get_weights() mean, every step": (lambda: [HostAverage()], {}),
}


def measure(build, x, y, epochs, callbacks, options):
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    model = build()
    optimizer = keras.optimizers.Adam(1e-3, **options)
    model.compile(optimizer, CROSSENTROPY, jit_compile=False)
    clock = Clock()
    model.fit(
        x, y, batch_size=BATCH, epochs=epochs, verbose=0, callbacks=[*callbacks, clock]
    )
    return clock.steady


def compare(name, build, shape, steps, epochs, rounds):
    random = np.random.default_rng(0)
    x = random.normal(size=(steps * BATCH, *shape)).astype("float32")
    y = random.integers(0, 10, len(x))
    times = {}
    for _ in range(rounds):
        for variant, (make, options) in VARIANTS.items():
            result = measure(build, x, y, epochs, make(), options)
            times.setdefault(variant, []).append(result)
    bare = times["bare fit"]
    per_step = 1e3 * statistics.median(bare) / (steps * (epochs - 1))
    count = build().count_params()
    print(f"\n{name}, {count:,} parameters, {per_step:.2f} ms of CPU a bare step\n")
    print("| variant | ratio to bare | lowest to highest |")
    print("|---|---|---|")
    for variant, results in times.items():
        ratios = [own / other for own, other in zip(results, bare, strict=True)]
        print(
            f"| {variant} | {statistics.median(ratios):.3f} "
            f"| {min(ratios):.3f} to {max(ratios):.3f} |"
        )


def digits():
    x, y = load_digits(return_X_y=True)
    x = (x / 16.0).astype("float32")
    return train_test_split(x, y, test_size=0.5, random_state=0, stratify=y)


def digits_net(normalized):
    between = [layers.BatchNormalization] if normalized else []
    hidden = [
        layer
        for _ in range(2)
        for layer in (
            layers.Dense(64, use_bias=not normalized),
            *[make() for make in between],
            layers.Activation("relu"),
        )
    ]
    return keras.Sequential(
        [keras.Input((64,)), *hidden, layers.Dense(10, activation="softmax")]
    )


def seed_scores(normalized, seed, epochs):
    x, x_test, y, y_test = digits()
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    model = digits_net(normalized)
    model.compile(
        keras.optimizers.SGD(RATE, momentum=0.9), CROSSENTROPY, metrics=["accuracy"]
    )
    options = {"at_end": "raw", "validate": False}
    mean = WeightAveraging("mean", **options, name="mean")
    moving = WeightAveraging("exponential", decay=0.99, **options, name="moving")
    model.fit(x, y, batch_size=32, epochs=epochs, verbose=0, callbacks=[mean, moving])
    scores = [model.evaluate(x_test, y_test, verbose=0)[1]]
    for average in (mean, moving):
        with average.applied():
            scores.append(model.evaluate(x_test, y_test, verbose=0)[1])
    return [100 * score for score in scores]


def accuracy(seeds, epochs):
    print(
        f"\nDigits, half held out, SGD({RATE}, momentum=0.9), {epochs} epochs, "
        f"{seeds} seeds: "
        "test accuracy in percent, mean and standard deviation over the seeds\n"
    )
    print("| net | last weights | mean | exponential | gain of the mean | better in |")
    print("|---|---|---|---|---|---|")
    for normalized, name in ((False, "MLP"), (True, "MLP with BatchNorm")):
        scores = np.array(
            [seed_scores(normalized, seed, epochs) for seed in range(seeds)]
        )
        cells = [
            f"{scores[:, i].mean():.2f} ± {scores[:, i].std(ddof=1):.2f}"
            for i in range(3)
        ]
        gain = scores[:, 1] - scores[:, 0]
        print(
            f"| {name} | {' | '.join(cells)} "
            f"| {gain.mean():+.2f} ± {gain.std(ddof=1):.2f} "
            f"| {np.sum(gain > 0)} of {seeds} |"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--part", choices=["cost", "accuracy"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--quick", action="store_true", help="one short round")
    arguments = parser.parse_args()
    quick = arguments.quick
    if arguments.part != "accuracy":
        rounds = 1 if quick else arguments.rounds
        compare("MLP", mlp, (784,), 50 if quick else 150, 4, rounds)
        compare("CNN with BatchNorm", cnn, (32, 32, 3), 10 if quick else 20, 3, rounds)
    if arguments.part != "cost":
        accuracy(2 if quick else arguments.seeds, 5 if quick else 30)


if __name__ == "__main__":
    main()
