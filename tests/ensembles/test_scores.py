"""Scores example by example, against scikit-learn on the same predictions."""

import numpy as np
import pytest
from sklearn import metrics

from keras_trainkit.ensembles.scores import class_numbers, find_score, known_kind
from tests.tolerances import FLOAT64

RANDOM = np.random.default_rng(0)
CLASSES = RANDOM.dirichlet(np.ones(4), 50)
NUMBERS = RANDOM.integers(0, 4, 50)
LABELS = RANDOM.uniform(0.01, 0.99, (50, 3))
SET = RANDOM.integers(0, 2, (50, 3))
VALUES, TRUE = RANDOM.normal(size=(2, 50, 2))


@pytest.mark.parametrize(
    "target",
    [NUMBERS, NUMBERS[:, None], np.eye(4)[NUMBERS]],
    ids=["n", "n1", "one_hot"],
)
def test_scores_of_classes(target):
    accuracy = find_score(None, "classes", target, 4)
    assert accuracy.larger_is_better
    assert accuracy.each(target, CLASSES).mean() == pytest.approx(
        metrics.accuracy_score(NUMBERS, CLASSES.argmax(axis=1)), rel=FLOAT64
    )
    loss = find_score("log_loss", "classes", target, 4)
    assert not loss.larger_is_better
    assert loss.each(target, CLASSES).mean() == pytest.approx(
        metrics.log_loss(NUMBERS, CLASSES), rel=1e-6
    )
    assert class_numbers(target, CLASSES).tolist() == NUMBERS.tolist()


def test_scores_of_labels_that_do_not_exclude_each_other():
    accuracy = find_score("accuracy", "labels", SET, 3).each(SET, LABELS)
    assert accuracy.shape == (50,)
    assert accuracy.mean() == pytest.approx(((LABELS > 0.5) == SET).mean(), rel=FLOAT64)
    expected = [metrics.log_loss(SET[:, i], LABELS[:, i]) for i in range(3)]
    found = find_score("log_loss", "labels", SET, 3).each(SET, LABELS).mean()
    assert found == pytest.approx(np.mean(expected), rel=1e-6)


def test_scores_of_values_are_small_at_best():
    score = find_score(None, "values", TRUE, 2)
    assert (score.name, score.larger_is_better) == ("squared_error", False)
    assert score.each(TRUE, VALUES).mean() == pytest.approx(
        metrics.mean_squared_error(TRUE, VALUES), rel=FLOAT64
    )
    absolute = find_score("absolute_error", "values", TRUE, 2).each(TRUE, VALUES)
    assert absolute.mean() == pytest.approx(
        metrics.mean_absolute_error(TRUE, VALUES), rel=FLOAT64
    )


def test_single_values_with_and_without_a_last_axis_are_not_broadcast():
    predicted = np.array([[1.0], [2.0], [3.0]])
    each = find_score(None, "values", predicted[:, 0], 1).each(
        predicted[:, 0], predicted
    )
    assert each.tolist() == [0.0, 0.0, 0.0]


def test_a_function_of_ones_own_is_a_loss_and_averaged_over_an_example():
    def distance(y, p):
        return np.abs(y - p)

    score = find_score(distance, "unknown", TRUE, 2)
    assert (score.name, score.larger_is_better) == ("distance", False)
    np.testing.assert_allclose(
        score.each(TRUE, VALUES), np.abs(TRUE - VALUES).mean(axis=1)
    )


@pytest.mark.parametrize(
    ("target", "units", "expected"),
    [
        (SET[:, :1], 1, "labels"),
        (TRUE[:, :1], 1, "values"),
        (NUMBERS, 4, "classes"),
        (np.eye(4)[NUMBERS], 4, "classes"),
        (TRUE, 2, "values"),
        (TRUE[:, 0], 2, "values"),
    ],
)
def test_what_is_not_known_is_guessed_from_the_targets(target, units, expected):
    assert known_kind("unknown", target, units) == expected
    assert known_kind("labels", target, units) == "labels"


@pytest.mark.parametrize("metric", ["auc", 3, ["accuracy"]], ids=str)
def test_unknown_metrics_are_named(metric):
    with pytest.raises(
        ValueError, match=r"`metric` must be one of .*Received: metric="
    ):
        find_score(metric, "classes", NUMBERS, 4)


@pytest.mark.parametrize("metric", ["accuracy", "log_loss"])
def test_values_have_no_hits(metric):
    with pytest.raises(ValueError, match="where members predict values"):
        find_score(metric, "values", TRUE, 2)
