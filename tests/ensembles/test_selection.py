"""Greedy selection keeps what helps."""

import numpy as np
import pytest

from keras_trainkit.ensembles import Ensemble
from tests.ensembles.test_ensemble import constant
from tests.tolerances import FLOAT32


def data():
    return np.zeros((4, 2), "float32"), np.array([[1.0], [1.0], [1.0], [1.0]])


def values(*numbers):
    return [constant([number], "mse") for number in numbers]


def test_members_are_added_only_while_validation_improves():
    candidates = values(1.75, 0.5, 5.0)
    ensemble = Ensemble.from_selection(candidates, *data())
    # From 0.5 to the means 1.125 and 0.917, which no other brings nearer to 1.
    assert ensemble.members == (candidates[1], candidates[0], candidates[1])
    reached = ensemble.evaluate(*data(), verbose=0)
    assert reached == pytest.approx((1 - 2.75 / 3) ** 2, abs=FLOAT32)


def test_a_perfect_candidate_stands_alone():
    candidates = values(3.0, 1.0, 2.0)
    ensemble = Ensemble.from_selection(candidates, *data())
    assert ensemble.members == (candidates[1],)


def test_number_of_members_is_limited():
    ensemble = Ensemble.from_selection(values(1.75, 0.5), *data(), members=2)
    assert len(ensemble.members) == 2
    with pytest.raises(ValueError, match="`members` must be an integer >= 1"):
        Ensemble.from_selection(values(0.0, 1.25), *data(), members=0)


def test_order_of_candidates_does_not_change_the_score():
    candidates = values(0.0, 1.7, 5.0, 0.4, -2.0)
    scores = {
        Ensemble.from_selection(order, *data()).evaluate(*data(), verbose=0)
        for order in (candidates, candidates[::-1])
    }
    assert len(scores) == 1


def test_classes_are_selected_by_log_loss_or_as_told():
    rows = [[0.9, 0.1], [0.3, 0.7], [0.6, 0.4]]
    candidates = [constant(row, "sparse_categorical_crossentropy") for row in rows]
    x, y = np.zeros((5, 2)), np.array([0, 0, 0, 1, 1])
    ensemble = Ensemble.from_selection(candidates, x, y)
    assert ensemble.predict(x, verbose=0)[0, 0] == pytest.approx(0.6, abs=0.02)
    by_accuracy = Ensemble.from_selection(candidates, x, y, metric="accuracy")
    assert by_accuracy.members == (candidates[0],)


def test_candidates_without_a_finite_score_are_refused():
    with pytest.raises(ValueError, match="must have a model with a finite score"):
        Ensemble.from_selection(values(np.nan), *data())
