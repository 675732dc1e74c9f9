"""What a clueless guess and the best constant lose, against a search for it."""

import math
import types

import keras
import numpy as np
import pytest
from scipy import stats

from keras_trainkit.preflight.initial_loss import (
    UNLUCKY,
    chance_loss,
    expected_losses,
)

RANDOM = np.random.default_rng(0)


def output(kind, target, units=1):
    predicted = np.zeros((len(target), units))
    return types.SimpleNamespace(kind=kind, batch_target=target, predicted=predicted)


def best_constant(loss, low, high):
    return min(loss(guess) for guess in np.linspace(low, high, 20001))


@pytest.mark.parametrize("power", [1, 2])
def test_constants_for_values(power):
    target = RANDOM.normal(3.0, 2.0, (31, 1))
    kind = {1: "mean_absolute_error", 2: "mean_squared_error"}[power]

    def loss(guess):
        return float(np.mean(np.abs(target - guess) ** power))

    blind, best = expected_losses(output(kind, target))
    assert blind == pytest.approx(loss(0.0), rel=1e-12)
    assert best == pytest.approx(best_constant(loss, -5.0, 10.0), rel=1e-4)  # a grid


def test_constants_for_two_classes():
    target = np.array([0, 0, 0, 1])[:, None]

    def loss(share):
        return float(-np.mean(np.log(np.where(target == 1, share, 1 - share))))

    blind, best = expected_losses(output("binary_crossentropy", target))
    assert blind == pytest.approx(math.log(2.0))
    assert best == pytest.approx(best_constant(loss, 0.01, 0.99), rel=1e-6)


@pytest.mark.parametrize("one_hot", [False, True])
def test_constants_for_several_classes(one_hot):
    numbers = np.array([0, 0, 0, 1])
    target = np.eye(5)[numbers] if one_hot else numbers
    kind = ("" if one_hot else "sparse_") + "categorical_crossentropy"
    blind, best = expected_losses(output(kind, target, 5))
    assert blind == pytest.approx(math.log(5.0))
    assert best == pytest.approx(0.5623351446188083)  # of the docstring


def test_other_losses_are_not_known():
    assert expected_losses(output("poisson", np.ones((4, 1)))) is None


ROWS = np.array([[1.0, 2.0], [3.0, 0.0]])  # mean squared length (5 + 9) / 2 = 7
PREDICTED = np.array([[0.5], [-0.25]])


def seen(*heads):
    return types.SimpleNamespace(heads=heads)


def values(kind="mean_squared_error"):
    return types.SimpleNamespace(kind=kind, predicted=PREDICTED)


@pytest.mark.parametrize(
    ("rows", "square"),
    [
        (ROWS, 7 * 2 / (2 + 1)),
        (ROWS[:, None], 7 * 2 / (2 + 1)),  # a sequence of one step
        (10 * ROWS, 4 * 2 * 2 / (2 + 1)),  # not scaled: 4 an input
    ],
    ids=["scaled", "in steps", "not scaled"],
)
def test_bad_luck_is_that_of_one_direction_in_a_thousand_draws(rows, square):
    limit = stats.chi2.isf(1e-3, 1) * square
    heads = seen((keras.layers.Dense(1), rows, PREDICTED))
    found = chance_loss(values(), heads)
    assert found == pytest.approx(limit, rel=0.01)  # the limit is rounded
    assert chance_loss(values("mean_absolute_error"), heads) == pytest.approx(
        math.sqrt(found)
    )


def test_mean_square_of_a_fresh_layer_is_what_bad_luck_is_measured_by():
    random = np.random.default_rng(0)
    rows = random.normal(size=(6, 4))
    variance = 2 / (4 + 3)
    weights = random.normal(0, math.sqrt(variance), (20_000, 4, 3))
    mean = np.mean((rows @ weights) ** 2)
    predicted = np.zeros((6, 3))
    one = types.SimpleNamespace(kind="mean_squared_error", predicted=predicted)
    found = chance_loss(one, seen((keras.layers.Dense(3), rows, predicted)))
    assert found / UNLUCKY == pytest.approx(mean, rel=0.02)  # of 20,000 draws


@pytest.mark.parametrize(
    "head",
    [
        (keras.layers.Conv1D(1, 1), ROWS, PREDICTED),
        (keras.layers.Dense(1), ROWS, PREDICTED[:, 0]),
        (keras.layers.Dense(1), ROWS, PREDICTED + 0.01),
    ],
    ids=["of another kind", "of another shape", "of other numbers"],
)
def test_only_the_layer_that_predicts_can_be_unlucky(head):
    assert chance_loss(values(), seen(head)) == 0.0
    own = (keras.layers.Dense(1), ROWS, PREDICTED)
    assert chance_loss(values(), seen(head, own)) == chance_loss(values(), seen(own))
    assert chance_loss(values("poisson"), seen(own)) == 0.0
    flat = types.SimpleNamespace(kind="mean_squared_error", predicted=np.zeros((2, 1)))
    wider = (keras.layers.Dense(3), ROWS, np.zeros((2, 3)))
    assert chance_loss(flat, seen(wider)) == 0.0
