"""How often `tk.diagnose` raises an alarm, on healthy runs and on faulty ones.

Every run is a real `fit` with a `TrainingMonitor`. An alarm is a finding of severity
"warning" or "error". A run of the healthy kind counts only if it learnt: its
validation loss must come below a share of what the best constant answer gives, so
that a silent diagnosis of a broken run is not praised. The healthy kinds include odd
ones that must stay silent. Beside the counts stand the words of the first finding
and, as the trivial baseline, a rule that always cries.

    python benchmarks/diagnosis.py [--seeds 10] [--quick]
"""

import argparse
import os
from collections import Counter

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from scipy import stats
from sklearn.datasets import load_diabetes, load_digits

import keras_trainkit as tk

layers = keras.layers
HEALTHY, FAULTY = {}, {}


class Run:
    """A run that is about to be made.

    Args:
        model: The model, not compiled.
        optimizer: Its optimizer.
        data: `(x, y)`, of which the last fifth validates.
        loss: The loss.
        epochs: Epochs to train.
        batch: Examples a step.
        bar: Share of the constant answer's loss that a healthy run comes below.
    """

    def __init__(
        self,
        model,
        optimizer,
        data,
        loss="sparse_categorical_crossentropy",
        epochs=12,
        batch=32,
        bar=0.5,
    ):
        self.model, self.optimizer, self.data = model, optimizer, data
        self.loss, self.epochs, self.batch, self.bar = loss, epochs, batch, bar


def healthy(make):
    HEALTHY[make.__name__] = make
    return make


def faulty(make):
    FAULTY[make.__name__] = make
    return make


def digits(seed, shape=(64,), scale=16.0):
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(x))
    return (x[order] / scale).astype("f4").reshape(-1, *shape), y[order]


def dense(*widths, shape=(64,), activation="relu", end=10, **options):
    return keras.Sequential(
        [
            keras.Input(shape),
            *(layers.Dense(width, activation, **options) for width in widths),
            layers.Dense(end, "softmax" if end == 10 else None),
        ]
    )


def convolutional():
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(10, "softmax"),
        ]
    )


adam = keras.optimizers.Adam
sgd = keras.optimizers.SGD


@healthy
def dense_net(seed):
    return Run(dense(64, 64), adam(2e-3), digits(seed))


@healthy
def dense_net_with_momentum(seed):
    return Run(dense(64, 64), sgd(0.05, momentum=0.9), digits(seed))


@healthy
def convolutional_net(seed):
    return Run(convolutional(), adam(2e-3), digits(seed, (8, 8, 1)))


@healthy
def sparse_activations(seed):
    kept = keras.regularizers.L1(1e-4)
    return Run(dense(256, 128, activity_regularizer=kept), adam(1e-3), digits(seed))


@healthy
def batches_of_four(seed):
    return Run(dense(64), sgd(0.02), digits(seed), epochs=6, batch=4)


@healthy
def imbalanced_classes(seed):
    x, y = digits(seed)
    kept = (y == 0) | (np.arange(len(y)) % 8 == 0)
    return Run(dense(64), adam(2e-3), (x[kept], (y[kept] == 0) * 1), epochs=30)


@healthy
def regression_on_large_targets(seed):
    x, y = load_diabetes(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(x))
    data = (20 * x[order]).astype("f4"), 1e3 * y[order].astype("f4")
    model = dense(32, shape=(10,), end=1)
    return Run(model, adam(30.0), data, "mse", epochs=40, bar=0.8)


@healthy
def warm_up(seed):
    rate = keras.optimizers.schedules.CosineDecay(
        1e-6, 400, warmup_target=2e-3, warmup_steps=150
    )
    return Run(dense(64, 64), adam(rate), digits(seed))


@healthy
def far_more_weights_than_examples(seed):
    return Run(dense(1024, 1024), adam(5e-4), digits(seed))


@healthy
def frozen_backbone(seed):
    data = digits(seed, (8, 8, 1))
    backbone = convolutional()
    backbone.compile(adam(2e-3), "sparse_categorical_crossentropy")
    backbone.fit(*data, epochs=4, verbose=0)
    body = keras.Sequential(backbone.layers[:-1])
    body.trainable = False
    model = keras.Sequential(
        [keras.Input((8, 8, 1)), body, layers.Dense(10, "softmax")]
    )
    return Run(model, adam(5e-3), data)


@healthy
def fine_tuning_at_a_tiny_rate(seed):
    data = digits(seed)
    model = dense(64, 64)
    model.compile(adam(2e-3), "sparse_categorical_crossentropy")
    model.fit(*data, epochs=8, validation_split=0.2, verbose=0)
    return Run(model, adam(1e-5), data, epochs=6)


@healthy
def autoencoder(seed):
    x, _ = digits(seed)
    model = dense(32, 8, 32, end=64)
    return Run(model, adam(3e-3), (x, x), "mse", epochs=25)


@healthy
def one_epoch(seed):
    return Run(dense(64), adam(5e-3), digits(seed), epochs=1, batch=8)


@healthy
def two_sigmoid_layers(seed):
    return Run(dense(64, 64, activation="sigmoid"), adam(5e-3), digits(seed), epochs=20)


@healthy
def strong_dropout(seed):
    model = keras.Sequential(
        [
            keras.Input((64,)),
            layers.Dense(256, "relu"),
            layers.Dropout(0.5),
            layers.Dense(256, "relu"),
            layers.Dropout(0.5),
            layers.Dense(10, "softmax"),
        ]
    )
    return Run(model, adam(1e-3), digits(seed), epochs=15)


@healthy
def ten_layers_with_batch_normalization(seed):
    stack = [keras.Input((64,))]
    for _ in range(10):
        stack += [layers.Dense(64), layers.BatchNormalization(), layers.ReLU()]
    model = keras.Sequential([*stack, layers.Dense(10, "softmax")])
    return Run(model, adam(2e-3), digits(seed), epochs=15)


@healthy
def recurrent_net(seed):
    model = keras.Sequential(
        [keras.Input((8, 8)), layers.LSTM(48), layers.Dense(10, "softmax")]
    )
    return Run(model, adam(5e-3), digits(seed, (8, 8)), epochs=15)


@faulty
def rate_100_times_too_high_adam(seed):
    return Run(dense(64, 64), adam(0.2), digits(seed))


@faulty
def rate_100_times_too_high_momentum(seed):
    return Run(dense(64, 64), sgd(5.0, momentum=0.9), digits(seed))


@faulty
def rate_1000_times_too_low(seed):
    return Run(dense(64, 64), sgd(2e-5), digits(seed))


@faulty
def twelve_sigmoid_layers(seed):
    return Run(dense(*[64] * 12, activation="sigmoid"), sgd(0.1), digits(seed))


@faulty
def biases_of_minus_three(seed):
    start = keras.initializers.Constant(-3.0)
    return Run(dense(64, 64, bias_initializer=start), adam(2e-3), digits(seed))


@faulty
def all_weights_zero(seed):
    start = "zeros"
    return Run(dense(64, 64, kernel_initializer=start), adam(2e-3), digits(seed))


@faulty
def weights_of_spread_five(seed):
    start = keras.initializers.RandomNormal(stddev=5.0)
    return Run(dense(64, 64, kernel_initializer=start), adam(2e-3), digits(seed))


@faulty
def labels_of_other_examples(seed):
    x, y = digits(seed)
    return Run(
        dense(64, 64), adam(2e-3), (x, np.random.default_rng(seed).permutation(y))
    )


@faulty
def hundred_examples_by_heart(seed):
    x, y = digits(seed)
    return Run(dense(256, 256), adam(3e-3), (x[:100], y[:100]), epochs=80)


@faulty
def inputs_a_thousand_times_too_large(seed):
    return Run(dense(64, 64), sgd(0.1), digits(seed, scale=16e-3))


@faulty
def loss_with_the_sign_flipped(seed):
    def loss(y, p):
        return -keras.losses.sparse_categorical_crossentropy(y, p)

    return Run(dense(64, 64), adam(2e-3), digits(seed), loss)


@faulty
def one_input_not_a_number(seed):
    x, y = digits(seed)
    x[17, 5] = np.nan
    return Run(dense(64, 64), adam(2e-3), (x, y))


def made(make, seed):
    """Trains; returns the findings that are alarms, and whether it learnt."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    run = make(seed)
    run.model.compile(run.optimizer, run.loss, jit_compile=False)
    monitor = tk.callbacks.TrainingMonitor()
    history = run.model.fit(
        *run.data,
        epochs=run.epochs,
        batch_size=run.batch,
        validation_split=0.2,
        verbose=0,
        callbacks=[monitor],
    )
    y = run.data[1]
    if run.loss == "mse":
        constant = float(np.var(y, axis=0).mean())
    else:
        shares = np.bincount(y) / len(y)
        constant = float(stats.entropy(shares))
    learnt = min(history.history["val_loss"]) < run.bar * constant
    findings = tk.diagnose(monitor.record)
    return [one for one in findings if one.severity != "info"], learnt


def tried(kinds, seeds, must_learn):
    print("| run | alarms | of | first finding |\n|---|---|---|---|")
    alarms = runs = 0
    for name, make in kinds.items():
        verdicts = [made(make, seed) for seed in seeds]
        counted = [found for found, learnt in verdicts if learnt or not must_learn]
        words = Counter(found[0].message for found in counted if found)
        first = words.most_common(1)[0][0] if words else ""
        raised = sum(map(bool, counted))
        alarms, runs = alarms + raised, runs + len(counted)
        label = name.replace("_", " ")
        print(f"| {label} | {raised} | {len(counted)} | {first} |", flush=True)
    interval = stats.binomtest(alarms, runs).proportion_ci(0.95)
    print(
        f"\n{alarms} of {runs}: {alarms / runs:.1%} (95 % interval "
        f"{interval.low:.1%} to {interval.high:.1%}); always crying: 100 %.\n"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--quick", action="store_true", help="one seed")
    arguments = parser.parse_args()
    # The rules were chosen with the first seeds in view, which would flatter them.
    seeds = range(100, 101 if arguments.quick else 100 + arguments.seeds)
    print("Healthy runs that learnt\n")
    tried(HEALTHY, seeds, must_learn=True)
    print("Faulty runs\n")
    tried(FAULTY, seeds, must_learn=False)


if __name__ == "__main__":
    main()
