"""What an ensemble gains on digits, and what its predictions cost.

python benchmarks/ensembles.py [accuracy] [predict] [batched]
"""

import argparse
import os
import statistics
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from timing import medians

import keras_trainkit as tk

BATCH, EPOCHS, CYCLES = 32, 20, 5


def digits(seed, examples):
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype("f")
    parts = train_test_split(
        x, y, train_size=examples, test_size=898, random_state=seed, stratify=y
    )
    x, x_test, y, y_test = parts
    return (x, y), (x_test, y_test)


def build(rate=0.001, optimizer=keras.optimizers.Adam, width=64, **options):
    model = keras.Sequential(
        [keras.Input((64,))]
        + [keras.layers.Dense(width, "relu") for _ in range(2)]
        + [keras.layers.Dense(10, "softmax")]
    )
    loss = "sparse_categorical_crossentropy"
    model.compile(optimizer(rate, **options), loss, metrics=["accuracy"])
    return model


def accuracy(model, test):
    return model.evaluate(*test, batch_size=1024, verbose=0)[1]


def independent(train, test, seed):
    """Accuracies of 1, 5 and 10 members that differ in their seeds."""
    fit = {"x": train[0], "y": train[1], "epochs": EPOCHS, "batch_size": BATCH}
    ensemble = tk.ensembles.Ensemble.from_seeds(build, 10, fit=fit, seed=seed)
    members = ensemble.members
    single = float(np.mean([accuracy(member, test) for member in members]))
    student = build()
    keras.utils.set_random_seed(seed)
    tk.ensembles.distill(
        ensemble, student, *train, epochs=EPOCHS, batch_size=BATCH, verbose=0
    )
    return {
        "1 member (mean of ten)": single,
        "5 members": accuracy(tk.ensembles.Ensemble(members[:5]), test),
        "10 members": accuracy(ensemble, test),
        "10 members, majority vote": accuracy(
            tk.ensembles.Ensemble(members, vote="majority"), test
        ),
        "1 student of the ten": accuracy(student, test),
    }


def snapshots(train, test, seed, peak=0.05):
    """Accuracies of one training with a cyclic rate, its last net and its cycles."""
    steps = EPOCHS * -(-len(train[0]) // BATCH)
    period = steps // CYCLES
    rate = tk.schedules.CosineRestarts(peak, period=period)
    keras.utils.set_random_seed(seed)
    model = build(rate, keras.optimizers.SGD, momentum=0.9)
    with tempfile.TemporaryDirectory() as directory:
        saver = tk.ensembles.SnapshotSaver(directory)
        model.fit(*train, epochs=EPOCHS, batch_size=BATCH, verbose=0, callbacks=[saver])
        ensemble = tk.ensembles.Ensemble.from_checkpoints(saver.paths)
    return {
        f"last snapshot, rate up to {peak}": accuracy(ensemble.members[-1], test),
        f"{CYCLES} snapshots, rate up to {peak}": accuracy(ensemble, test),
    }


def restless_snapshots(train, test, seed):
    """The same with a rate that leaves every minimum."""
    return snapshots(train, test, seed, peak=0.2)


# Each gives accuracies by name for training data, test data and a seed. The first
# name of a group is what the others of the group are compared with.
GROUPS = (independent, snapshots, restless_snapshots)


def compare_accuracy(seeds, examples, groups=GROUPS):
    found = {}
    for seed in range(seeds):
        train, test = digits(seed, examples)
        for group in groups:
            for name, value in group(train, test, seed).items():
                found.setdefault(group, {}).setdefault(name, []).append(100 * value)
        keras.utils.clear_session()
    print("| model | accuracy % | over | gain | standard deviation | better in |")
    print("|---|---|---|---|---|---|")
    for names in found.values():
        base = next(iter(names))
        for name, values in names.items():
            line = f"| {name} | {statistics.mean(values):.2f} |"
            if name == base:
                print(f"{line} | | | |")
                continue
            gains = [a - b for a, b in zip(values, names[base], strict=True)]
            spread = statistics.stdev(gains) if len(gains) > 1 else 0.0
            better = sum(gain > 0 for gain in gains)
            print(
                f"{line} {base} | {statistics.mean(gains):+.2f} | {spread:.2f} |"
                f" {better} of {seeds} |"
            )


def compare_predict(rounds):
    print("| members | examples | batch | 10 calls, CPU ms | one ensemble | ratio |")
    print("|---|---|---|---|---|---|")
    for width in (64, 512):
        members = [build(width=width) for _ in range(10)]
        ensemble = tk.ensembles.Ensemble(members)
        for examples, batch in ((32, 32), (1797, 32), (1797, 256)):
            x = np.random.default_rng(0).normal(size=(examples, 64)).astype("f")

            def calls(x=x, batch=batch, members=members):
                each = [m.predict(x, batch_size=batch, verbose=0) for m in members]
                return np.mean(each, axis=0)

            def one(x=x, batch=batch, ensemble=ensemble):
                return ensemble.predict(x, batch_size=batch, verbose=0)

            np.testing.assert_allclose(calls(), one(), atol=1e-6)
            found = medians({"calls": calls, "one": one}, rounds)
            print(
                f"| MLP 64-{width}-{width}-10 | {examples} | {batch} |"
                f" {found['calls']:.1f} | {found['one']:.1f} |"
                f" {found['one'] / found['calls']:.2f} |",
                flush=True,
            )


def compare_batched(rounds):
    """Members one by one in a graph, against their weights stacked in it."""
    print("| members | batch | one by one, CPU ms | vectorized_map | stacked matmul |")
    print("|---|---|---|---|---|")
    for width in (64, 512):
        members = [build(width=width) for _ in range(10)]
        first = members[0]
        count = len(first.trainable_variables)

        @tf.function(reduce_retracing=True)
        def one_by_one(x, members=members):
            return tf.reduce_mean(tf.stack([member(x) for member in members]), 0)

        @tf.function(reduce_retracing=True)
        def vectorized(x, members=members, first=first, count=count):
            stacked = [
                tf.stack([variable.value for variable in values])
                for values in zip(*(m.variables for m in members), strict=True)
            ]
            outputs = tf.vectorized_map(
                lambda w: first.stateless_call(w[:count], w[count:], x)[0], stacked
            )
            return tf.reduce_mean(outputs, 0)

        @tf.function(reduce_retracing=True)
        def stacked_matmul(x, members=members):
            hidden = tf.repeat(x[None], len(members), 0)
            for layers in zip(*(member.layers for member in members), strict=True):
                kernel = tf.stack([layer.kernel.value for layer in layers])
                bias = tf.stack([layer.bias.value for layer in layers])[:, None]
                hidden = layers[0].activation(tf.matmul(hidden, kernel) + bias)
            return tf.reduce_mean(hidden, 0)

        ways = (one_by_one, vectorized, stacked_matmul)
        for batch in (1, 32, 256, 1797):
            x = tf.random.normal((batch, 64))
            repeat = max(1, 500 // batch)
            functions = {
                way: lambda way=way, x=x, n=repeat: [way(x) for _ in range(n)]
                for way in ways
            }
            times = medians(functions, rounds)
            words = " | ".join(f"{times[way] / repeat:.2f}" for way in ways)
            print(f"| MLP 64-{width}-{width}-10 | {batch} | {words} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seeds", type=int, default=10)
    arguments = parser.parse_args()
    tables = arguments.tables or ["accuracy", "predict", "batched"]
    if "accuracy" in tables:
        for examples in (898, 180):
            print(f"\nDigits, {examples} examples to train on, 898 to test\n")
            compare_accuracy(arguments.seeds, examples)
    if "predict" in tables:
        print("\nTen members: ten calls of predict against one ensemble\n")
        compare_predict(arguments.rounds)
    if "batched" in tables:
        print("\nTen members in one graph\n")
        compare_batched(arguments.rounds)


if __name__ == "__main__":
    main()
