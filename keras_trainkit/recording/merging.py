"""Readings of one or several replicas, as rows for the record."""

from collections.abc import Sequence

import numpy as np

from keras_trainkit.record.series import Series
from keras_trainkit.recording.columns import EXAMPLES, Column, Merge

Rows = tuple[np.ndarray, np.ndarray]


def merge_replicas(
    columns: Sequence[Column], replicas: Sequence[Rows]
) -> tuple[np.ndarray, dict[Series, np.ndarray]]:
    """Combines the rows that replicas wrote at the same steps.

    Replicas are weighed by the column of their examples, if there is one.

    Args:
        columns: What the `k` numbers of a row are.
        replicas: For each replica its `(steps, rows)`, of shapes `(n,)` and
            `(n, k)`.

    Returns:
        `(steps, readings)`: the steps that every replica wrote, and the float64
        values of each series, shape `(n,)`.
    """
    steps = replicas[0][0]
    for other, _ in replicas[1:]:
        steps = np.intersect1d(steps, other)
    stacked = np.stack(
        [rows[np.searchsorted(own, steps)] for own, rows in replicas]
    ).astype(np.float64)
    weights = _weights(columns, stacked)
    with np.errstate(invalid="ignore", over="ignore"):
        return steps, {
            column.series: _merge(columns, stacked, weights, index)
            for index, column in enumerate(columns)
        }


def _weights(columns: Sequence[Column], stacked: np.ndarray) -> np.ndarray:
    """The share of the examples that each replica had, shape `(replicas, n)`."""
    counts = np.ones(stacked.shape[:2])
    if EXAMPLES in columns and stacked.shape[0] > 1:
        counts = stacked[:, :, list(columns).index(EXAMPLES)]
        counts = np.where(counts.sum(axis=0) > 0.0, counts, 1.0)
    shares: np.ndarray = counts / counts.sum(axis=0)
    return shares


def _merge(
    columns: Sequence[Column], stacked: np.ndarray, weights: np.ndarray, index: int
) -> np.ndarray:
    column = columns[index]
    numbers = stacked[:, :, index]
    if column.half_square:
        numbers = np.sqrt(2.0 * column.scale * numbers)
    if column.merge is Merge.SUM:
        return numbers.sum(axis=0)
    if column.merge is Merge.MEAN:
        return _mean(numbers, weights)
    if column.merge is Merge.VARIANCE:
        # Of all replicas' entries together: within the replicas and between them.
        means = stacked[:, :, index - 1]
        between = (means - _mean(means, weights)) ** 2 if len(means) > 1 else 0.0
        return np.sqrt(_mean(numbers + between, weights))
    return numbers[0]


def _mean(numbers: np.ndarray, weights: np.ndarray) -> np.ndarray:
    # A replica without examples has no mean: NaN, which nothing is made of.
    mean: np.ndarray = np.where(weights > 0.0, weights * numbers, 0.0).sum(axis=0)
    return mean
