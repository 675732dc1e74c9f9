"""The few numbers of an epoch that join Keras' logs."""

import math

import numpy as np

from keras_trainkit.record.series import Series
from keras_trainkit.record.training_record import TrainingRecord

# A healthy update ratio.
_HEALTHY = 1e-3


def summary_of_epoch(record: TrainingRecord, epoch: int) -> dict[str, float]:
    """Sums up what was measured in an epoch.

    Args:
        record: The record.
        epoch: The epoch.

    Returns:
        `update_ratio` and `gradient_norm` of all variables together,
        `update_ratio_worst` of the layer whose ratio is farthest from 1e-3, in
        decades, `dead_fraction` of the worst layer and `overfitting_gap` of the
        loss; each only if there is a reading of this epoch.
    """
    found = {}
    squares = {
        measure: _mean_squares(record, measure, epoch)
        for measure in ("update_norm", "weight_norm", "gradient_norm")
    }
    moved, sizes = squares["update_norm"], squares["weight_norm"]
    if moved:
        found["update_ratio"] = _ratio(sum(moved.values()), sum(sizes.values()))
        # Layer by layer the same quantity: the worst is no nearer than the whole.
        ratios = [_ratio(moved[layer], sizes[layer]) for layer in moved]
        found["update_ratio_worst"] = max(ratios, key=_distance)
    if squares["gradient_norm"]:
        found["gradient_norm"] = math.sqrt(sum(squares["gradient_norm"].values()))
    dead = [
        values[-1]
        for series in record.select("dead_fraction")
        if len(values := _of_epoch(record, series, epoch))
    ]
    if dead:
        found["dead_fraction"] = float(max(dead))
    gaps = _of_epoch(record, Series("overfitting_gap", metric="loss"), epoch)
    if len(gaps):
        found["overfitting_gap"] = float(gaps[-1])
    return found


def _mean_squares(record: TrainingRecord, measure: str, epoch: int) -> dict[str, float]:
    """Of each layer the mean square over the epoch, its variables together."""
    found: dict[str, float] = {}
    for series in record.select(measure):
        values = _of_epoch(record, series, epoch)
        if len(values):
            with np.errstate(over="ignore", invalid="ignore"):
                square = float(np.mean(values**2))
            found[series.layer] = found.get(series.layer, 0.0) + square
    return found


def _ratio(moved: float, size: float) -> float:
    if not moved:
        return 0.0
    return math.sqrt(moved / size) if size else math.inf


def _distance(ratio: float) -> float:
    if not (ratio > 0.0 and math.isfinite(ratio)):
        return math.inf
    return abs(math.log10(ratio) - math.log10(_HEALTHY))


def _of_epoch(record: TrainingRecord, series: Series, epoch: int) -> np.ndarray:
    _, epochs, values = record.values(*series)
    return values[epochs == epoch]
