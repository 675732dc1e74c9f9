"""What an optimizer step costs here and in Keras: CPU time, side by side.

Each table interleaves the two in one process, takes the median over rounds of
the process CPU time, and prints their ratio. Beside the big weights stands the
time in which the same machine copies the bytes that the rule must read and
write: no update can be faster than memory.

    python benchmarks/optimizers.py [big] [many] [compiled] [fit] [table]
        [--rules SGD Adam] [--rounds 7]
"""

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from timing import medians

import keras_trainkit as tk

PAIRS = {
    "SGD": (tk.optimizers.SGD, keras.optimizers.SGD, {}),
    "Momentum": (tk.optimizers.Momentum, keras.optimizers.SGD, {"momentum": 0.9}),
    "Nesterov": (
        tk.optimizers.Nesterov,
        keras.optimizers.SGD,
        {"momentum": 0.9, "nesterov": True},
    ),
    "Adagrad": (tk.optimizers.Adagrad, keras.optimizers.Adagrad, {}),
    "RMSprop": (tk.optimizers.RMSprop, keras.optimizers.RMSprop, {"rho": 0.99}),
    "Adadelta": (tk.optimizers.Adadelta, keras.optimizers.Adadelta, {}),
    "Adam": (tk.optimizers.Adam, keras.optimizers.Adam, {}),
}


def copy_bandwidth():
    """Bytes per CPU second that a copy reads and writes."""
    source = np.ones(2**26, "float32")
    target = np.empty_like(source)
    milliseconds = medians({"copy": lambda: np.copyto(target, source)}, 7, 3)["copy"]
    return 2 * source.nbytes / (milliseconds / 1e3)


def applying(optimizer, shapes, **options):
    generator = np.random.default_rng(0)
    weights = [keras.Variable(generator.normal(size=s).astype("f")) for s in shapes]
    gradients = [tf.constant(generator.normal(size=s), tf.float32) for s in shapes]
    optimizer.build(weights)
    return tf.function(lambda: optimizer.apply(gradients, weights), **options)


def pair(name):
    ours, theirs, arguments = PAIRS[name]
    return ours(), theirs(**{"learning_rate": 0.001, **arguments})


def compare_updates(shapes, rounds, calls, bandwidth=None, **options):
    print("| rule | Keras ms | ours ms | ratio |", end="")
    print(" MB moved | copy ms |" if bandwidth else "")
    print("|---|---|---|---|" + ("---|---|" if bandwidth else ""))
    elements = sum(int(np.prod(shape)) for shape in shapes)
    for name in PAIRS:
        ours, theirs = pair(name)
        found = medians(
            {
                "theirs": applying(theirs, shapes, **options),
                "ours": applying(ours, shapes, **options),
            },
            rounds,
            calls,
        )
        line = f"| {name} | {found['theirs']:.2f} | {found['ours']:.2f} |"
        line += f" {found['ours'] / found['theirs']:.2f} |"
        if bandwidth:
            # Read the gradient; read and write the weights and each slot.
            moved = 4 * elements * (1 + 2 * (1 + len(type(ours).slots)))
            line += f" {moved / 1e6:.0f} | {moved / bandwidth * 1e3:.1f} |"
        print(line, flush=True)


def compare_fits(rounds):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(4096, 64)).astype("f")
    y = generator.integers(0, 10, size=4096)

    def fitting(optimizer, **options):
        keras.utils.set_random_seed(0)
        model = keras.Sequential(
            [keras.Input((64,)), keras.layers.Dense(64, "relu"), keras.layers.Dense(10)]
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer, loss, **options)
        return lambda: model.fit(x, y, batch_size=32, epochs=1, verbose=0)

    print("| rule | graph: Keras ms | ours ms | ratio | XLA: Keras ms | ours | ratio |")
    print("|---|---|---|---|---|---|---|")
    for name in PAIRS:
        line = f"| {name} |"
        for compiled in (False, True):
            ours, theirs = pair(name)
            found = medians(
                {
                    "theirs": fitting(theirs, jit_compile=compiled),
                    "ours": fitting(ours, jit_compile=compiled),
                },
                rounds,
                1,
            )
            line += f" {found['theirs']:.0f} | {found['ours']:.0f} |"
            line += f" {found['ours'] / found['theirs']:.2f} |"
        print(line, flush=True)


def compare_tables(rounds, height=1_000_000, width=64, ids=1024):
    generator = np.random.default_rng(0)
    x = generator.integers(0, height, size=(ids, 1))
    y = generator.normal(size=(ids, 1)).astype("f")

    def stepping(layer, optimizer):
        model = keras.Sequential(
            [keras.Input((1,), dtype="int32"), layer(height, width)]
            + [keras.layers.Flatten(), keras.layers.Dense(1)]
        )
        model.compile(optimizer, "mse")
        return lambda: model.train_on_batch(x, y)

    print("| rule | Keras ms | ours ms | ours / Keras | Keras / ours |")
    print("|---|---|---|---|---|")
    for name in PAIRS:
        lazy = not PAIRS[name][0].rests_at_zero
        ours, theirs = PAIRS[name][0](lazy=lazy), pair(name)[1]
        found = medians(
            {
                "theirs": stepping(keras.layers.Embedding, theirs),
                "ours": stepping(tk.layers.Embedding, ours),
            },
            rounds,
            3,
        )
        theirs_ms, ours_ms = found["theirs"], found["ours"]
        label = f"{name}(lazy=True)" if lazy else name
        print(
            f"| {label} | {theirs_ms:.0f} | {ours_ms:.2f} |"
            f" {ours_ms / theirs_ms:.3f} | {theirs_ms / ours_ms:.0f} |",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rules", nargs="*", choices=PAIRS, default=list(PAIRS))
    arguments = parser.parse_args()
    for name in set(PAIRS) - set(arguments.rules):
        del PAIRS[name]
    tables = arguments.tables or ["big", "many", "compiled", "fit", "table"]
    rounds = arguments.rounds
    if "big" in tables:
        bandwidth = copy_bandwidth()
        print(f"\n4 kernels of 2048 x 2048; copying moves {bandwidth / 1e9:.1f} GB/s\n")
        compare_updates([(2048, 2048)] * 4, rounds, 4, bandwidth)
    if "many" in tables:
        print("\n160 kernels of 64 x 64\n")
        compare_updates([(64, 64)] * 160, rounds, 20)
    if "compiled" in tables:
        print("\nThe whole step under jit_compile=True, 4 kernels of 2048 x 2048\n")
        compare_updates([(2048, 2048)] * 4, rounds, 4, jit_compile=True)
        print("\nThe whole step under jit_compile=True, 160 kernels of 64 x 64\n")
        compare_updates([(64, 64)] * 160, rounds, 20, jit_compile=True)
    if "fit" in tables:
        print("\nAn epoch of fit, MLP 64-64-10, 128 steps of 32\n")
        compare_fits(rounds)
    if "table" in tables:
        print("\ntrain_on_batch, table of 1,000,000 x 64, 1,024 ids\n")
        compare_tables(rounds)


if __name__ == "__main__":
    main()
