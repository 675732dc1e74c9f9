import numpy as np
import pytest
from scipy import spatial

from keras_trainkit.keras_model.data_statistics import (
    neighbours_alike,
    persistence_answers,
)

RANDOM = np.random.default_rng(0)


def test_neighbours_alike_is_morans_statistic_of_the_five_nearest():
    x = RANDOM.normal(size=(80, 3)) * [1.0, 100.0, 0.01]
    y = x[:, 0] + 0.3 * RANDOM.normal(size=80)
    points = (x - x.mean(axis=0)) / x.std(axis=0)
    _, nearest = spatial.cKDTree(points).query(points, 6)

    def moran(values):
        values = (values - values.mean()) / values.std()
        return np.mean([values[i] * values[nearest[i, 1:]].mean() for i in range(80)])

    random = np.random.default_rng(0)
    chance = [moran(random.permutation(y)) for _ in range(100)]
    expected = (moran(y) - np.mean(chance)) / np.std(chance)
    assert neighbours_alike(x, y) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("kind", ["classes", "values", "several"])
def test_neighbours_tell_right_labels_from_permuted_ones(kind):
    x = RANDOM.uniform(-1, 1, size=(200, 4)).astype("f4")
    y = {
        "classes": np.digitize(x[:, 0], [-0.3, 0.3]),
        "values": np.sin(3 * x[:, :1]),
        "several": (x > 0).astype("f4"),
    }[kind]
    assert neighbours_alike(x, y) > 8
    permuted = [neighbours_alike(x, RANDOM.permutation(y)) for _ in range(40)]
    assert np.abs(permuted).max() < 3.5
    assert np.std(permuted) == pytest.approx(1.0, abs=0.4)


def test_classes_are_no_sizes():
    x = RANDOM.integers(3, size=(120, 1)).astype("f4")
    alike = [
        neighbours_alike(x, np.take(names, x[:, 0].astype(int)))
        for names in ([0, 1, 2], [2, 0, 1], [7, 40, 3])
    ]
    assert np.ptp(alike) < 1e-10


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (np.zeros((50, 2), "f4"), np.arange(50.0)),
        (np.ones((50, 2), int), np.arange(50.0)),
        (RANDOM.normal(size=(50, 2)), np.ones(50)),
        (RANDOM.normal(size=(8, 2)), np.arange(8.0)),
        (RANDOM.normal(size=(50, 2)), np.array(["a"] * 50)),
    ],
    ids=["alike", "whole numbers", "one target", "few", "words"],
)
def test_neighbours_of_what_cannot_be_told_are_nan(x, y):
    assert np.isnan(neighbours_alike(x, y))


def test_a_feature_that_is_not_finite_is_left_out():
    x = RANDOM.normal(size=(60, 2))
    y = x[:, 0]
    x[3, 1] = np.nan
    assert neighbours_alike(x, y) == neighbours_alike(x[:, :1], y) > 5


def test_persistence_repeats_the_last_time_or_a_column():
    series = RANDOM.normal(size=(10, 7, 2))
    (both,) = persistence_answers(series, (10, 2))
    np.testing.assert_array_equal(both, series[:, -1])
    one, other = persistence_answers(series, (10, 1))
    np.testing.assert_array_equal(one[:, 0], series[:, -1, 0])
    np.testing.assert_array_equal(other[:, 0], series[:, -1, 1])
    table = series[:, 0]
    assert [answer.shape for answer in persistence_answers(table, (10, 1))] == [
        (10, 1)
    ] * 2
    assert persistence_answers(table, (10, 2)) == []
    assert persistence_answers([table, table], (10, 1)) == []
    assert persistence_answers(table.astype(int), (10, 1)) == []
