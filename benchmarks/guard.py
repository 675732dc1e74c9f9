"""What `TrainingGuard` saves in a wide search, and whether it kills good trials.

Rates and initial deviations are drawn in log space, as a first search would. Every
trial is trained to its end with a guard beside it whose stop is only noted, so that its
score is known too.

    python benchmarks/guard.py [--trials 40] [--epochs 8]
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from sklearn.datasets import load_digits

import keras_trainkit as tk


class Onward(keras.callbacks.Callback):
    """Notes the epoch in which the guard stops, and lets training go on."""

    def __init__(self, guard):
        super().__init__()
        self.guard, self.stopped, self.why = guard, None, None

    def on_epoch_end(self, epoch, logs=None):
        if self.guard.stopped_because and self.stopped is None:
            self.stopped, self.why = epoch, self.guard.finding.code
        self.model.stop_training = False


def trial(number, epochs, data):
    random = np.random.default_rng([7, number])
    rate, deviation = 10 ** random.uniform(-5, 1.5), 10 ** random.uniform(-3, 1)
    keras.utils.clear_session()
    keras.utils.set_random_seed(number)
    start = keras.initializers.RandomNormal(stddev=deviation)
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(48, "relu", kernel_initializer=start),
            keras.layers.Dense(48, "relu", kernel_initializer=start),
            keras.layers.Dense(10, "softmax"),
        ]
    )
    model.compile(
        keras.optimizers.SGD(rate, momentum=0.9), "sparse_categorical_crossentropy"
    )
    guard = tk.callbacks.TrainingGuard(every=10)
    onward = Onward(guard)
    history = model.fit(
        *data[0],
        validation_data=data[1],
        epochs=epochs,
        batch_size=64,
        verbose=0,
        callbacks=[guard, onward],
    )
    score = min(history.history["val_loss"])
    return score if np.isfinite(score) else np.inf, onward.stopped, onward.why


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--epochs", type=int, default=8)
    arguments = parser.parse_args()
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y = (x[order] / 16).astype("f4"), y[order]
    data = (x[:1300], y[:1300]), (x[1300:], y[1300:])
    found = []
    for number in range(arguments.trials):
        found.append(trial(number, arguments.epochs, data))
        score, stopped, why = found[-1]
        print(number, f"{score:.3f}", stopped, why, flush=True)
    ranked = sorted(found, key=lambda one: one[0])
    best = ranked[: max(1, len(found) // 5)]
    stopped = [score for score, at, _ in found if at is not None]
    saved = sum(arguments.epochs - 1 - at for _, at, _ in found if at is not None)
    share = saved / (arguments.epochs * len(found))
    killed = sum(at is not None for _, at, _ in best)
    print(f"{len(stopped)} of {len(found)} trials stopped, {share:.0%} of epochs saved")
    print(f"of the best fifth ({len(best)}, to {best[-1][0]:.3f}): {killed} stopped")
    print(f"the best that was stopped came to {min(stopped, default=np.nan):.3f}")


if __name__ == "__main__":
    main()
