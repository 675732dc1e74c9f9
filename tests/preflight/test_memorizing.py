import itertools

import keras
import numpy as np
import pytest

from keras_trainkit.preflight import memorizing
from keras_trainkit.preflight.memorizing import check_memorizing
from keras_trainkit.preflight.subject import Subject
from tests.preflight.models import diabetes, digits

L = keras.layers
WIDTHS = ([10], [16], [10, 10], [32, 16], [12, 12, 12])
ACTIVATIONS = ("sigmoid", "tanh", "relu", "softplus", "elu")
HEALTHY = list(itertools.product(WIDTHS, ACTIVATIONS, ("class", "number")))
QUICK = (0, 21)  # one of each task, of those that Adam alone did not learn


def healthy(widths, activation, task, seed):
    keras.utils.set_random_seed(seed)
    x, y = digits() if task == "class" else diabetes()
    last = L.Dense(10, "softmax") if task == "class" else L.Dense(1)
    hidden = [L.Dense(width, activation) for width in widths]
    model = keras.Sequential([keras.Input(x.shape[1:]), *hidden, last])
    model.compile(
        "adam", "sparse_categorical_crossentropy" if task == "class" else "mse"
    )
    return Subject(model, x, y, seed=seed)


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=[] if case in QUICK else pytest.mark.long)
        for case in range(len(HEALTHY))
    ],
    ids=lambda case: "-".join(map(str, HEALTHY[case])),
)
def test_healthy_nets_learn_twenty_examples_by_heart(case):
    verdict = check_memorizing(healthy(*HEALTHY[case], seed=case))
    assert verdict.status == "pass", verdict.why


def _dead():
    dead = L.Dense(16, "relu", bias_initializer=keras.initializers.Constant(-100.0))
    return [dead, L.Dense(1)], "mse"


def _out_of_reach():
    return [L.Dense(16, "relu"), L.Dense(1, "sigmoid")], "mse"


@pytest.mark.parametrize(
    "specimen", [pytest.param(_dead, marks=pytest.mark.slow), _out_of_reach]
)
def test_nets_that_cannot_learn_are_named(specimen, monkeypatch):
    monkeypatch.setattr(memorizing, "STEPS", 200)  # these come no further in more
    keras.utils.set_random_seed(0)
    layers, loss = specimen()
    x, y = diabetes()
    model = keras.Sequential([keras.Input((10,)), *layers])
    model.compile("adam", loss)
    verdict = check_memorizing(Subject(model, x, 5 + y, seconds=200))
    assert verdict.status in ("warn", "fail"), verdict.why
    assert verdict.findings[0].evidence["last"] > 0


def _small(kind):
    random = np.random.default_rng(1)
    x = random.normal(size=(200, 3)).astype("float32")
    score = x @ np.array([1, -1, 0.5]) + random.normal(size=200)
    if kind == "logistic":
        return [L.Dense(1, "sigmoid")], "binary_crossentropy", x, (score > 0) * 1.0
    if kind == "linear":
        return [L.Dense(1)], "mse", x, score**2
    if kind == "without_bias":
        return [L.Dense(1, use_bias=False)], "mse", x, score + 10
    if kind == "hinge":
        return [L.Dense(1)], "hinge", x, np.sign(score)
    if kind == "one_convolution":
        x = random.normal(size=(200, 6, 6, 2)).astype("float32")
        return [L.Conv2D(1, 1)], "mse", x, random.normal(size=(200, 6, 6, 1))
    x = random.normal(size=(200, 7, 3)).astype("float32")
    labels = random.integers(0, 4, (200, 7))
    return [L.Dense(4, "softmax")], "sparse_categorical_crossentropy", x, labels


@pytest.mark.parametrize(
    "kind",
    [
        "logistic",
        *(
            pytest.param(kind, marks=pytest.mark.slow)
            for kind in (
                "hinge",
                "per_token",
                "linear",
                "without_bias",
                "one_convolution",
            )
        ),
    ],
)
def test_models_that_are_only_small_are_warned_of_at_most(kind, monkeypatch):
    if kind == "logistic":
        monkeypatch.setattr(memorizing, "STEPS", 200)  # L-BFGS ends before
    keras.utils.set_random_seed(0)
    layers, loss, x, y = _small(kind)
    model = keras.Sequential([keras.Input(x.shape[1:]), *layers])
    model.compile("adam", loss)
    verdict = check_memorizing(Subject(model, x, y, seconds=60))
    assert verdict.status == "warn", verdict.why
    assert "cannot fit 20 examples by heart" in verdict.findings[0].message
    assert "too few units" in verdict.findings[0].advice


class Rounded(L.Layer):
    def call(self, x):
        return keras.ops.round(x)


def test_what_no_gradient_reaches_fails(monkeypatch):
    monkeypatch.setattr(memorizing, "STEPS", 100)  # more would move it no further
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((10,)), L.Dense(1), Rounded()])
    model.compile("adam", "mse")
    verdict = check_memorizing(Subject(model, *diabetes(), seconds=60))
    assert verdict.status == "fail", verdict.why


@pytest.mark.parametrize(
    ("spoil", "loss", "why"),
    [
        (
            lambda x: x,
            lambda y, predicted: -keras.ops.mean((y - predicted) ** 2, -1),
            "below zero at the start",
        ),
        (np.ones_like, "mse", "the same inputs"),
    ],
    ids=["sign", "all alike"],
)
def test_what_says_nothing_of_learning_is_no_pass(spoil, loss, why):
    x, y = diabetes()
    model = keras.Sequential([keras.Input((10,)), L.Dense(8, "relu"), L.Dense(1)])
    model.compile("adam", loss)
    verdict = check_memorizing(Subject(model, spoil(x), y))
    assert verdict.status == "not judged"
    assert why in verdict.why
