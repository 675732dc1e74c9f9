"""Rows of replicas become one row, as NumPy would have it from all examples."""

import numpy as np
import pytest

from keras_trainkit.record.series import Series
from keras_trainkit.recording.columns import EXAMPLES, Column, Merge, column, suspect
from keras_trainkit.recording.merging import merge_replicas
from tests.tolerances import FLOAT64

MEAN = column("mean")
NORM = Column(Series("norm"), Merge.FIRST, half_square=True, scale=4.0)
SPREAD = Column(Series("spread"), Merge.VARIANCE)


def rows(steps, *columns):
    return np.array(steps), np.stack(columns, axis=1).astype(np.float32)


def test_replicas_are_weighed_by_their_examples():
    random = np.random.default_rng(0)
    parts = [random.integers(0, 9, count).astype(float) for count in (3, 5, 8)]
    replicas = [rows([7], [len(p)], [p.mean()], [p.var()]) for p in parts]
    steps, found = merge_replicas([EXAMPLES, MEAN, SPREAD], replicas)
    whole = np.concatenate(parts)
    assert steps.tolist() == [7]
    assert found[EXAMPLES.series] == [16.0]
    assert found[MEAN.series] == pytest.approx(whole.mean(), rel=1e-6)
    assert found[SPREAD.series] == pytest.approx(whole.std(), rel=1e-6)


def test_without_examples_each_replica_counts_alike():
    replicas = [rows([0], [1.0]), rows([0], [4.0])]
    assert merge_replicas([MEAN], replicas)[1][MEAN.series] == [2.5]


def test_a_replica_without_examples_has_no_part():
    replicas = [rows([0, 1], [2, 0], [3.0, np.nan]), rows([0, 1], [0, 4], [np.nan, 5])]
    found = merge_replicas([EXAMPLES, MEAN], replicas)[1]
    assert found[MEAN.series].tolist() == [3.0, 5.0]


def test_what_agrees_is_taken_once_and_counts_are_added():
    shared, own = suspect("dense", "kernel", "weight"), suspect("dense", "", "output")
    replicas = [rows([0], [3.0], [1.0]), rows([0], [3.0], [2.0])]
    found = merge_replicas([shared, own], replicas)[1]
    assert found[shared.series] == [3.0]
    assert found[own.series] == [3.0]


def test_half_sums_of_squares_become_norms_of_all_entries():
    entries = np.array([3.0, 4.0], np.float32)  # a quarter of them was read
    found = merge_replicas([NORM], [rows([0], [np.sum(entries**2) / 2])])[1]
    assert found[NORM.series][0] == pytest.approx(10.0, rel=FLOAT64)


def test_only_steps_that_every_replica_wrote_are_kept():
    replicas = [rows([1, 2, 4], [1.0, 2, 4]), rows([2, 3, 4], [20.0, 30, 40])]
    steps, found = merge_replicas([MEAN], replicas)
    assert steps.tolist() == [2, 4]
    assert found[MEAN.series].tolist() == [11.0, 22.0]


def test_infinite_readings_stay_what_they_are():
    replicas = [rows([0], [1], [np.inf]), rows([0], [1], [1.0])]
    assert merge_replicas([EXAMPLES, MEAN], replicas)[1][MEAN.series] == [np.inf]
