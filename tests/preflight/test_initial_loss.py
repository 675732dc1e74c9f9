"""What a clueless guess and the best constant lose, against a search for it."""

import math
import types

import numpy as np
import pytest

from keras_trainkit.preflight.initial_loss import expected_losses

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
