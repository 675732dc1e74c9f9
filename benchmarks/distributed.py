"""What several processes are worth: throughput, its costs, and learning.

Throughput: steps a second of wall time by `fit` in one process and by `Downpour` with
1, 2 and 4 workers, on a step as it is and on one made dear by a sleep, which stands for
a model that takes longer, so that workers can be seen to add up on few cores. CPU is
that of all processes together, for each step.

Learning: loss of held-out digits after the same number of batches, with the seconds
that they took, for `fit` with SGD, `Downpour` with SGD and Adagrad, and L-BFGS whose
gradient is computed in parts (an evaluation of it counts as a pass over the data).

    python benchmarks/distributed.py [--steps 200] [--sleep 0.02]
"""

import argparse
import os
import resource
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf
from sklearn.datasets import load_digits

import keras_trainkit as tk

X, Y = load_digits(return_X_y=True)
X = (X / 16).astype("float32")
TRAINING, HELD_OUT = (X[:1500], Y[:1500]), (X[1500:], Y[1500:])
BATCH = 32


class Sleep(keras.layers.Layer):
    """Waits in each step, as a model that takes longer would."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds

    def call(self, inputs):
        if not self.seconds:
            return inputs
        waited = tf.numpy_function(self._wait, [inputs[:1, :1]], tf.float32)
        return inputs + 0.0 * tf.reshape(waited, [])

    def _wait(self, value):
        time.sleep(self.seconds)
        return value[0, 0]


def model(optimizer, seconds=0.0):
    keras.utils.set_random_seed(0)
    built = keras.Sequential(
        [
            keras.Input((64,)),
            Sleep(seconds),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    built.compile(optimizer, loss, jit_compile=False)
    return built


def dataset(context):
    rows = tf.data.Dataset.from_tensor_slices(TRAINING)
    rows = rows.shard(context.num_input_pipelines, context.input_pipeline_id)
    return rows.shuffle(1500).batch(BATCH)


def cpu():
    """Processor seconds of this process and of its children that have ended."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    found = [resource.getrusage(kind) for kind in kinds]
    return sum(one.ru_utime + one.ru_stime for one in found)


def whole():
    rows = tf.data.Dataset.from_tensor_slices(TRAINING).shuffle(1500)
    return rows.repeat().batch(BATCH)


def throughput(steps, seconds):
    print(f"\nsleep of {seconds} s in each step; {steps} steps")
    print(f"{'variant':<24}{'steps/s':>9}{'CPU ms/step':>13}{'staleness':>11}")
    single = model(tk.optimizers.Adagrad(0.05), seconds)
    single.fit(whole(), steps_per_epoch=5, verbose=0)
    begin, used = time.perf_counter(), cpu()
    single.fit(whole(), steps_per_epoch=steps, verbose=0)
    row("fit, one process", steps, time.perf_counter() - begin, cpu() - used, 0.0)
    for workers in (1, 2, 4):
        used = cpu()
        with tk.distributed.Cluster(workers=workers) as cluster:
            downpour = tk.distributed.Downpour(
                lambda: model(tk.optimizers.Adagrad(0.05), seconds),
                dataset,
                cluster=cluster,
            )
            downpour.fit(10 * workers, verbose=0)
            begin = time.perf_counter()
            downpour.fit(steps + 10 * workers, steps_per_epoch=10**6, verbose=0)
            took = time.perf_counter() - begin
            stale = downpour.record.values("staleness")[2].mean()
        row(f"Downpour, {workers} workers", steps, took, cpu() - used, stale)
    print("CPU of Downpour holds the start of its processes too.")


def row(name, steps, seconds, used, stale):
    print(
        f"{name:<24}{steps / seconds:>9.1f}{1000 * used / steps:>13.1f}{stale:>11.2f}"
    )


def learning(steps):
    print(f"\nheld-out loss after {steps} batches of {BATCH}")
    print(f"{'method':<24}{'loss':>9}{'seconds':>10}")
    single = model(keras.optimizers.SGD(0.1))
    begin = time.perf_counter()
    single.fit(whole(), steps_per_epoch=steps, verbose=0)
    tell("fit, SGD", single, begin)
    with tk.distributed.Cluster(workers=2) as cluster:
        for name, rule in (
            ("SGD", lambda: keras.optimizers.SGD(0.1)),
            ("Adagrad", lambda: tk.optimizers.Adagrad(0.05)),
        ):
            downpour = tk.distributed.Downpour(
                lambda rule=rule: model(rule()), dataset, cluster=cluster
            )
            begin = time.perf_counter()
            downpour.fit(steps, verbose=0)
            tell(f"Downpour, {name}", downpour.model, begin)
        full = model("sgd")
        begin = time.perf_counter()
        passes = max(2, steps * BATCH // len(TRAINING[0]))
        tk.second_order.minimize(
            full, *TRAINING, max_evaluations=passes, cluster=cluster, verbose=0
        )
        tell("L-BFGS in parts", full, begin)


def tell(name, trained, begin):
    took = time.perf_counter() - begin
    loss = trained.evaluate(*HELD_OUT, verbose=0)
    print(f"{name:<24}{loss:>9.4f}{took:>10.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--sleep", type=float, default=0.02)
    arguments = parser.parse_args()
    learning(4 * arguments.steps)
    for pause in (0.0, arguments.sleep):
        throughput(arguments.steps, pause)
