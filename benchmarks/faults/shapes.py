"""Shapes of program, each healthy as it stands here."""

import keras
import numpy as np
from sklearn import datasets

from benchmarks.faults.program import L, Net, Program, split

CLASSES = "sparse_categorical_crossentropy"
YES = "binary_crossentropy"
ACCURACY = ("accuracy",)
SHAPES = {}


def shape(make):
    SHAPES[make.__name__] = make
    return make


def _standard(x):
    return ((x - x.mean(axis=0)) / x.std(axis=0)).astype("f4")


def _digits(seed, form=(64,)):
    x, y = datasets.load_digits(return_X_y=True)
    return split((x / 16.0).astype("f4").reshape(-1, *form), y, seed)


@shape
def digits_dense(seed):
    net = Net(shape=(64,), widths=(64, 64), units=10, end="softmax")
    return Program(*_digits(seed), net, CLASSES, rate=2e-3, epochs=10, metrics=ACCURACY)


@shape
def digits_convolutional(seed):
    net = Net("convolutional", (8, 8, 1), (8, 16), 10, "softmax")
    return Program(
        *_digits(seed, (8, 8, 1)), net, CLASSES, rate=4e-3, epochs=6, metrics=ACCURACY
    )


@shape
def digits_recurrent(seed):
    net = Net("recurrent", (8, 8), (24,), 10, "softmax")
    return Program(*_digits(seed, (8, 8)), net, CLASSES, rate=1e-2, batch=64, epochs=8)


@shape
def digits_batch_normalized(seed):
    net = Net(shape=(64,), widths=(32,) * 8, units=10, end="softmax", normalize=0.9)
    return Program(*_digits(seed), net, CLASSES, rate=4e-3, batch=64, epochs=12)


@shape
def digits_residual(seed):
    net = Net(shape=(64,), widths=(64,) * 28, units=10, end="softmax", skip=True)
    net.kernel = keras.initializers.RandomNormal(stddev=0.02)
    return Program(*_digits(seed), net, CLASSES, rate=1e-3, batch=64, epochs=8)


@shape
def autoencoder(seed):
    x, _, (held, _) = _digits(seed)
    net = Net(shape=(64,), widths=(48, 16, 48), units=64)
    return Program(x, x, (held, held), net, "mse", rate=3e-3, epochs=15, bar=0.6)


@shape
def blobs_784(seed):
    random = np.random.default_rng(seed)
    centers = random.uniform(size=(10, 784)) ** 6
    y = random.integers(10, size=1200)
    x = np.clip(centers[y] + 0.3 * random.normal(size=(1200, 784)), 0, 1)
    net = Net(shape=(784,), widths=(256,), units=10, end="softmax")
    return Program(
        *split(x.astype("f4"), y, seed),
        net,
        CLASSES,
        rate=5e-4,
        epochs=5,
        metrics=ACCURACY,
    )


@shape
def exclusive_or(seed):
    random = np.random.default_rng(seed)
    x = random.integers(2, size=(240, 2)).astype("f4")
    y = (x[:, 0] != x[:, 1]).astype("f4")
    net = Net(shape=(2,), widths=(32,), end="sigmoid")
    return Program(
        *split(x, y, seed), net, YES, rate=2e-2, batch=20, epochs=30, metrics=ACCURACY
    )


@shape
def four_rows(seed):
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], "f4")
    y = np.array([[0], [1], [1], [0]], "f4")
    net = Net(shape=(2,), widths=(8,), end="sigmoid", activation="tanh")
    return Program(x, y, None, net, YES, rate=5e-2, batch=4, epochs=120)


@shape
def binary_majority(seed):
    rows = np.arange(512)
    x = ((rows[:, None] >> np.arange(9)) & 1).astype("f4")
    y = (x.sum(axis=1) >= 5).astype("f4")
    net = Net(shape=(9,), widths=(400,), end="sigmoid")
    return Program(*split(x, y, seed), net, YES, rate=2e-3, epochs=15, metrics=ACCURACY)


@shape
def integer_sums(seed):
    random = np.random.default_rng(seed)
    x = random.integers(10, size=(900, 3))
    y = np.digitize(x.sum(axis=1), [9, 13, 18])
    net = Net(shape=(3,), widths=(48, 24), units=4, end="softmax")
    return Program(
        *split(x.astype("f4"), y, seed),
        net,
        CLASSES,
        rate=5e-3,
        epochs=15,
        metrics=ACCURACY,
    )


@shape
def wide_sine(seed):
    x = np.random.default_rng(seed).uniform(-3, 3, size=(800, 1)).astype("f4")
    net = Net(shape=(1,), widths=(1000,))
    return Program(
        *split(x, np.sin(x), seed), net, "mse", rate=2e-3, epochs=15, bar=0.3
    )


@shape
def small_sine(seed):
    random = np.random.default_rng(seed)
    x = random.uniform(-1, 1, size=(400, 1)).astype("f4")
    y = (np.sin(3 * x) + 0.1 * random.normal(size=x.shape)).astype("f4")
    net = Net(shape=(1,), widths=(16, 16), activation="tanh")
    return Program(*split(x, y, seed), net, "mse", rate=1e-2, epochs=20, bar=0.3)


@shape
def diabetes(seed):
    x, y = datasets.load_diabetes(return_X_y=True)
    net = Net(shape=(10,), widths=(24,))
    data = split(_standard(x), _standard(y), seed)
    return Program(*data, net, "mse", "SGD", 2e-2, batch=16, epochs=15, bar=0.75)


@shape
def prices(seed):
    random = np.random.default_rng(seed)
    x = random.normal(size=(600, 5)).astype("f4")
    y = 3000 + x @ [900.0, -400, 300, 0, 100] + 200 * np.maximum(x[:, 0], 0) ** 2
    net = Net(shape=(5,), widths=(32,))
    data = split(x, y.astype("f4"), seed)
    return Program(*data, net, "mse", rate=0.3, epochs=25, bar=0.3)


@shape
def tiny_targets(seed):
    random = np.random.default_rng(seed)
    x = random.normal(size=(500, 4)).astype("f4")
    y = 1e-3 * (np.tanh(x[:, :1]) - x[:, 1:2] * x[:, 2:3])
    net = Net(shape=(4,), widths=(32, 32))
    data = split(x, y.astype("f4"), seed)
    return Program(*data, net, "mse", rate=1e-3, epochs=25, bar=0.4)


@shape
def keywords(seed):
    random = np.random.default_rng(seed)
    y = random.integers(3, size=1200)
    x = random.integers(30, 200, size=(1200, 16))
    for place in range(3):
        x[np.arange(1200), random.integers(16, size=1200)] = 10 * y + place
    net = Net("text", (16,), (16,), 3, "softmax")
    return Program(
        *split(x, y, seed), net, CLASSES, rate=1e-2, epochs=8, metrics=ACCURACY
    )


@shape
def cancer(seed):
    x, y = datasets.load_breast_cancer(return_X_y=True)
    net = Net(shape=(30,), widths=(16,), end="sigmoid")
    data = split(_standard(x), y.astype("f4"), seed)
    return Program(
        *data, net, YES, "RMSprop", 3e-3, batch=16, epochs=10, metrics=ACCURACY
    )


@shape
def logistic(seed):
    x, y = datasets.load_breast_cancer(return_X_y=True)
    net = Net(shape=(30,), widths=(), end="sigmoid")
    data = split(_standard(x), y.astype("f4"), seed)
    return Program(*data, net, YES, "SGD", 0.1, epochs=12, metrics=ACCURACY)


@shape
def wine(seed):
    x, y = datasets.load_wine(return_X_y=True)
    net = Net(shape=(13,), widths=(24,), units=3, end="softmax", activation="tanh")
    data = split(_standard(x), np.eye(3)[y].astype("f4"), seed)
    return Program(
        *data, net, "categorical_crossentropy", rate=5e-3, batch=16, epochs=20
    )


@shape
def iris_full_batch(seed):
    x, y = datasets.load_iris(return_X_y=True)
    net = Net(shape=(4,), widths=(12,), units=3, end="softmax")
    data = split(_standard(x), y, seed)
    return Program(*data, net, CLASSES, rate=4e-2, batch=150, epochs=60)


@shape
def table_20000(seed):
    random = np.random.default_rng(seed)
    x = random.normal(size=(20_000, 20)).astype("f4")
    y = (x @ random.normal(size=20) + x[:, 0] * x[:, 1] > 0).astype("f4")
    net = Net(shape=(20,), widths=(64, 32), end="sigmoid")
    return Program(
        *split(x, y, seed, 0.1),
        net,
        YES,
        rate=4e-3,
        batch=256,
        epochs=3,
        metrics=ACCURACY,
    )


@shape
def moons(seed):
    x, y = datasets.make_moons(600, noise=0.1, random_state=seed)
    net = Net(shape=(2,), widths=(16, 16), end="sigmoid", activation="tanh")
    data = split(x.astype("f4"), y.astype("f4"), seed)
    return Program(*data, net, YES, "SGD", 0.1, {"momentum": 0.9}, batch=32, epochs=25)


@shape
def circles_one_by_one(seed):
    x, y = datasets.make_circles(320, noise=0.05, factor=0.4, random_state=seed)
    net = Net(shape=(2,), widths=(16,), end="sigmoid")
    data = split(x.astype("f4"), y.astype("f4"), seed)
    return Program(*data, net, YES, "SGD", 0.05, batch=1, epochs=6, metrics=ACCURACY)


@shape
def several_labels(seed):
    random = np.random.default_rng(seed)
    x = random.normal(size=(800, 20)).astype("f4")
    y = (x @ random.normal(size=(20, 12)) > 1.0).astype("f4")
    net = Net(shape=(20,), widths=(64,), units=12, end="sigmoid")
    return Program(*split(x, y, seed), net, YES, rate=5e-3, epochs=15)


@shape
def series(seed):
    random = np.random.default_rng(seed)
    time = np.arange(1000)
    values = (
        np.sin(0.35 * time) + 0.5 * np.sin(0.11 * time) + 0.1 * random.normal(size=1000)
    )
    windows = np.lib.stride_tricks.sliding_window_view(values, 17)
    x, y = windows[:, :16, None].astype("f4"), windows[:, 16:].astype("f4")
    net = Net("series", (16, 1), (12, 16))
    return Program(*split(x, y, seed), net, "mse", rate=3e-3, epochs=10, bar=0.3)


@shape
def counts(seed):
    random = np.random.default_rng(seed)
    x = random.normal(size=(700, 4)).astype("f4")
    y = random.poisson(np.exp(0.5 + 0.6 * x[:, 0] - 0.4 * x[:, 1])).astype("f4")
    net = Net(shape=(4,), widths=(24,), end="exponential")
    # Even perfect rates lose much: counts are noisy.
    return Program(*split(x, y, seed), net, "poisson", rate=3e-3, epochs=15, bar=0.9)


@shape
def two_outputs(seed):
    x, y, (held, truth) = _digits(seed)

    def make():
        inputs = keras.Input((64,))
        body = L.Dense(64, "relu")(inputs)
        return keras.Model(
            inputs,
            {
                "digit": L.Dense(10, "softmax", name="digit")(body),
                "ink": L.Dense(1, name="ink")(body),
            },
        )

    def targets(x, y):
        return {"digit": y, "ink": x.mean(axis=1, keepdims=True)}

    return Program(
        x,
        targets(x, y),
        (held, targets(held, truth)),
        make,
        {"digit": CLASSES, "ink": "mse"},
        rate=3e-3,
        epochs=10,
    )
