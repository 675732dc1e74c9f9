import itertools

import keras
import pytest

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
        pytest.param(case, marks=[] if case in QUICK else pytest.mark.slow)
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


@pytest.mark.parametrize("specimen", [_dead, _out_of_reach])
def test_nets_that_cannot_learn_are_named(specimen):
    keras.utils.set_random_seed(0)
    layers, loss = specimen()
    x, y = diabetes()
    model = keras.Sequential([keras.Input((10,)), *layers])
    model.compile("adam", loss)
    verdict = check_memorizing(Subject(model, x, 5 + y, seconds=200))
    assert verdict.status in ("warn", "fail"), verdict.why
    assert verdict.findings[0].evidence["last"] > 0
