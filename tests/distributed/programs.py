"""Programs that train on a cluster; each prints what it found as JSON.

They run in processes of their own, for who connects to a cluster stays connected.
"""

import json
import os
import signal
import sys
import threading
import time

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

import keras_trainkit as tk
from keras_trainkit.second_order.objective import Objective

X, Y = load_digits(return_X_y=True)
X = (X / 16).astype("float32")
HELD_OUT = (X[1500:], Y[1500:])
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
FALLING = keras.optimizers.schedules.InverseTimeDecay(0.25, 100, 1.0)


def build(optimizer=None):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(10, kernel_regularizer=keras.regularizers.L2(1e-4)),
        ]
    )
    model.compile(optimizer or tk.optimizers.Adagrad(0.05), LOSS, metrics=["accuracy"])
    return model


def dataset(context):
    part = tf.data.Dataset.from_tensor_slices((X[:1500], Y[:1500]))
    part = part.shard(context.num_input_pipelines, context.input_pipeline_id)
    return part.shuffle(1500).batch(32)


class Slow(keras.layers.Layer):
    """Takes its time, so that something can happen between a fetch and a push."""

    def call(self, inputs):
        many = inputs[:1, :1] * tf.ones((700, 700))
        for _ in range(4):
            many = tf.linalg.matmul(many, many) / 700.0
        return inputs + 0.0 * many[0, 0]


def build_slow():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((64,)), Slow(), keras.layers.Dense(10)])
    model.compile(tk.optimizers.Adagrad(0.05), LOSS)
    return model


class Subclassed(keras.Model):
    """Built by its first batch; two inputs of a dictionary, one an id."""

    def __init__(self):
        super().__init__()
        self.embedding = keras.layers.Embedding(20, 4)
        self.hidden = keras.layers.Dense(8, activation="tanh")
        self.last = keras.layers.Dense(1)

    def call(self, inputs):
        joined = tf.concat([self.embedding(inputs["id"]), inputs["value"]], axis=-1)
        self.add_loss(1e-3 * tf.reduce_mean(joined**2))
        return self.last(self.hidden(joined))


def build_subclassed():
    keras.utils.set_random_seed(1)
    model = Subclassed()
    model.compile(keras.optimizers.Adam(0.02), "mse")
    return model


def table():
    random = np.random.default_rng(0)
    ids = random.integers(0, 20, 256)
    values = random.normal(size=(256, 3)).astype("float32")
    target = (values.sum(axis=1) + ids / 10.0).astype("float32")[:, None]
    rows = tf.data.Dataset.from_tensor_slices(({"id": ids, "value": values}, target))
    weights = tf.data.Dataset.from_tensors(tf.ones((16,))).repeat()
    pairs = tf.data.Dataset.zip((rows.batch(16), weights))
    return pairs.map(lambda row, weight: (*row, weight))


def failing(context):
    def check(x, y):
        with tf.control_dependencies([tf.debugging.assert_less(y, 5, "five is out")]):
            return tf.identity(x), y

    return dataset(context).unbatch().take(100).map(check).batch(8)


def learning(directory):
    """Progress, counts, shards, checkpoints, callbacks and errors."""
    found = {}
    path = os.path.join(directory, "state.npz")
    with tk.distributed.Cluster(workers=2, servers=2) as cluster:
        common = {"cluster": cluster}
        downpour = tk.distributed.Downpour(build, dataset, checkpoint=path, **common)
        history = downpour.fit(
            200, steps_per_epoch=100, validation_data=HELD_OUT, warm_start=3, verbose=0
        ).history
        found["history"] = history
        frame = downpour.record.to_frame()
        found["updates"] = sorted(frame[frame.measure == "loss"].step.tolist())
        found["staleness"] = frame[frame.measure == "staleness"].value.tolist()
        found["workers"] = sorted(frame[frame.measure == "steps_per_second"].layer)
        again = tk.distributed.Downpour(build, dataset, checkpoint=path, **common)
        same = zip(again.model.weights, downpour.model.weights, strict=True)
        found["same"] = all(np.array_equal(a.numpy(), b.numpy()) for a, b in same)
        found["rest"] = again.fit(220, steps_per_epoch=100, verbose=0).epoch
        found["iterations"] = int(again.model.optimizer.iterations.numpy())

        falling = tk.distributed.Downpour(
            lambda: build(keras.optimizers.SGD(FALLING)),
            dataset,
            push_every=2,
            fetch_every=3,
            **common,
        )
        falling.fit(120, verbose=0)
        found["rate"] = float(falling.model.optimizer.learning_rate)

        rates = []
        keeps_time = keras.callbacks.LearningRateScheduler(lambda epoch: 0.5**epoch)
        watches = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda *_: rates.append(
                float(simple._served.optimizer.learning_rate.value.numpy())
            )
        )
        stops = keras.callbacks.EarlyStopping("loss", patience=0, min_delta=100.0)
        simple = tk.distributed.Downpour(build_subclassed, table, **common)
        before = simple.model.evaluate(table(), verbose=0)
        found["epochs"] = simple.fit(
            100, callbacks=[keeps_time, watches, stops], verbose=0
        ).epoch
        found["rates"] = rates
        found["gain"] = simple.model.evaluate(table(), verbose=0) / before

        try:
            tk.distributed.Downpour(build, failing, **common).fit(500, verbose=0)
        except Exception as error:
            found["error"] = f"{type(error).__name__}: {error}"
    return found


def killing(directory):
    """A worker is killed, then the server."""
    found = {}
    path = os.path.join(directory, "state.npz")
    with tk.distributed.Cluster(workers=2, patience=60) as cluster:
        numbers = cluster.process_numbers()
        downpour = tk.distributed.Downpour(
            build_slow, dataset, cluster=cluster, checkpoint=path
        )
        ends_early(numbers["worker"][0], downpour, 80)
        downpour.fit(120, steps_per_epoch=60, verbose=0)
        found["updates"] = downpour._updates()
        found["staleness"] = downpour.record.to_frame(measure="staleness").value.max()
        ends_early(numbers["ps"][0], downpour, 130)
        try:
            downpour.fit(1000, steps_per_epoch=500, verbose=0)
        except RuntimeError as error:
            found["error"] = str(error)
    with np.load(path) as file:
        found["kept"] = len(file.files)
    return found


def regression():
    keras.utils.set_random_seed(0)
    penalty = keras.regularizers.L2(1e-4)
    model = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(16, activation="tanh", kernel_regularizer=penalty),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(10),
        ]
    )
    model.compile(loss=LOSS)
    return model


def parts(directory):
    """L-BFGS whose gradient comes in parts, while a worker is killed."""
    data = {"x": X[:1500], "y": Y[:1500], "max_evaluations": 25}
    found = {}
    with tk.distributed.Cluster(workers=2, patience=60) as cluster:
        models = [regression() for _ in range(3)]
        tk.second_order.minimize(models[0], **data)
        objective = Objective(regression(), X[:1500], Y[:1500])
        random = np.random.default_rng(0).normal(size=objective.packing.total)
        here = objective.flat.value_and_gradient(tf.constant(random, tf.float32))
        cluster.open(objective)
        there = cluster.value_and_gradient(random)
        cluster.close()
        found["value"] = [float(here[0]), float(there[0])]
        scale = np.abs(here[1]).max()
        found["gradient"] = float(np.abs(here[1] - there[1]).max() / scale)
        tk.second_order.minimize(models[1], **data, cluster=cluster)
        killed = cluster.process_numbers()["worker"][0]
        kills = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, _: epoch == 5 and os.kill(killed, signal.SIGKILL)
        )
        result = tk.second_order.minimize(
            models[2], **data, cluster=cluster, callbacks=[kills]
        )
        found["loss"] = result.loss
    found["after"] = models[0].evaluate(*HELD_OUT, verbose=0)
    weights = [[v.numpy() for v in model.trainable_variables] for model in models]
    same = zip(weights[1], weights[2], strict=True)
    found["same"] = all(np.array_equal(one, other) for one, other in same)
    near = zip(weights[0], weights[1], strict=True)
    found["far"] = float(max(np.abs(one - other).max() for one, other in near))
    with tk.distributed.Cluster(workers=1) as cluster:
        found["later"] = models[0].evaluate(*HELD_OUT, verbose=0)
        own = tf.Variable(1.0)
        foreign = regression()
        foreign.compile(loss=lambda y, p: own * tf.reduce_mean(p**2))
        try:
            tk.second_order.minimize(foreign, **data, cluster=cluster)
        except ValueError as error:
            found["error"] = str(error)
    return found


def ends_early(process, downpour, updates):
    def wait():
        while downpour._updates() < updates:
            time.sleep(0.05)
        os.kill(process, signal.SIGKILL)

    threading.Thread(target=wait, daemon=True).start()


def holding(directory):
    """Starts a cluster, tells who its processes are and waits to be ended."""
    with tk.distributed.Cluster(workers=1) as cluster:
        print(json.dumps(cluster.process_numbers()), flush=True)
        time.sleep(120)
    return {}


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](sys.argv[2])), flush=True)
