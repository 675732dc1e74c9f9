"""The few numbers of an epoch that join Keras' logs."""

import math

import numpy as np

from keras_trainkit.record.series import Series
from keras_trainkit.record.training_record import TrainingRecord

# A healthy update ratio.
_HEALTHY = 1e-3
_MEASURES = {
    "update_norm",
    "weight_norm",
    "gradient_norm",
    "dead_fraction",
    "overfitting_gap",
}


def summary_of_epoch(
    record: TrainingRecord, epoch: int, first_block: int = 0
) -> dict[str, float]:
    """Sums up what was measured in an epoch.

    Args:
        record: The record.
        epoch: The epoch.
        first_block: The first block of the record to look at.

    Returns:
        `update_ratio` and `gradient_norm` of all variables together,
        `update_ratio_worst` of the layer whose ratio is farthest from 1e-3, in
        decades, `dead_fraction` of the worst layer and `overfitting_gap` of the
        loss; each only if there is a reading of this epoch.
    """
    readings = _readings(record, epoch, first_block)
    found = {}
    squares = {
        measure: _mean_squares(readings, measure)
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
        for series, values in readings.items()
        if series.measure == "dead_fraction"
    ]
    if dead:
        found["dead_fraction"] = float(max(dead))
    gaps = readings.get(Series("overfitting_gap", metric="loss"))
    if gaps is not None:
        found["overfitting_gap"] = float(gaps[-1])
    return found


def _readings(
    record: TrainingRecord, epoch: int, first_block: int
) -> dict[Series, np.ndarray]:
    """All values of the epoch that are summed up, by series."""
    parts: dict[Series, list[np.ndarray]] = {}
    for block in record.blocks(first_block):
        rows = block.epochs == epoch
        for place, series in enumerate(block.columns):
            if series.measure in _MEASURES:
                present = rows
                if block.present is not None:
                    present = rows & block.present[:, place]
                if present.any():
                    values = block.values[present, place].astype(np.float64)
                    parts.setdefault(series, []).append(values)
    return {series: np.concatenate(values) for series, values in parts.items()}


def _mean_squares(readings: dict[Series, np.ndarray], measure: str) -> dict[str, float]:
    """Of each layer the mean square over the epoch, its variables together."""
    found: dict[str, float] = {}
    for series, values in readings.items():
        if series.measure == measure:
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
