"""Readings of one or several replicas, as rows for the record."""

from collections.abc import Sequence

import numpy as np

from keras_trainkit.record.series import Series
from keras_trainkit.recording.columns import Column, Merge

Rows = tuple[np.ndarray, np.ndarray]


def merge_replicas(
    columns: Sequence[Column], replicas: Sequence[Rows], weights: np.ndarray
) -> tuple[list[Series], np.ndarray, np.ndarray]:
    """Combines the rows that replicas wrote at the same steps.

    Args:
        columns: What the `k` numbers of a row are.
        replicas: For each replica its `(steps, rows)`, of shapes `(n,)` and
            `(n, k)`.
        weights: Share of the examples that each replica had, shape `(replicas,)`.

    Returns:
        `(series, steps, values)`: what is recorded, update ratios included, the
        steps that every replica wrote, and the values, shape `(n, series)`.
    """
    steps = replicas[0][0]
    for other, _ in replicas[1:]:
        steps = np.intersect1d(steps, other)
    stacked = np.stack(
        [rows[np.searchsorted(own, steps)] for own, rows in replicas]
    ).astype(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        values = [
            _merge(columns, stacked, weights, index) for index in range(len(columns))
        ]
        series = [column.series for column in columns]
        _add_update_ratios(series, values)
    merged = np.stack(values, axis=1) if values else np.empty((len(steps), 0))
    return series, steps, merged.astype(np.float32)


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
        return weights @ numbers
    if column.merge is Merge.VARIANCE:
        # Of all replicas' entries together: within the replicas and between them.
        means = stacked[:, :, index - 1]
        between = weights @ (means - weights @ means) ** 2 if len(weights) > 1 else 0.0
        return np.sqrt(weights @ numbers + between)
    return numbers[0]


def _add_update_ratios(series: list[Series], values: list[np.ndarray]) -> None:
    place = {name: index for index, name in enumerate(series)}
    for name in [name for name in series if name.measure == "update_norm"]:
        moved = values[place[name]]
        size = values[place[name._replace(measure="weight_norm")]]
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(moved == 0.0, 0.0, moved / size)
        series.append(name._replace(measure="update_ratio"))
        values.append(ratio)
