"""The shape of the loss curve, which says much about the learning rate."""

import dataclasses
from typing import Literal

import numpy as np

from keras_trainkit.record.training_record import TrainingRecord

Shape = Literal["unknown", "diverging", "high", "low", "good", "flat"]

# Fewer steps tell nothing about a shape.
_FEWEST_STEPS = 20
# Ends of the curve that are compared, as shares of its length.
_SHARE = 0.1
# At a rate that is too high, batches differ this much.
_LARGE_WIGGLE = 0.2
# At a rate that is too high, many late batches are worse than untrained ones were. A
# few can be by chance, e.g. those at the end of an epoch that hold few examples.
_WORSE_SHARE = 0.1


@dataclasses.dataclass(frozen=True)
class LossCurve:
    """The shape of a loss curve, with the numbers it was judged by.

    Args:
        shape: "diverging" (not finite, or it ends well above its start), "high"
            (a fast fall, then a plateau with swings above its start), "low" (falls
            steadily and is still falling at the end), "flat" (no change beyond the
            noise), "good" (none of these), or "unknown" (fewer than 20 steps).
        steps: Steps that were judged.
        start: Median loss of the first tenth of the steps.
        end: Median loss of the last tenth.
        wiggle: Spread of the batch losses around the smoothed curve in the last
            half, as a share of the loss there; falls with a larger batch.
        late_share: Share of the whole fall that came in the last third.
    """

    shape: Shape
    steps: int
    start: float
    end: float
    wiggle: float
    late_share: float


def describe_loss_curve(record: TrainingRecord) -> LossCurve:
    """Judges the shape of the batch losses of a run.

    Args:
        record: A record with the measure `loss`.

    Returns:
        The shape; "unknown" while there are fewer than 20 steps.

    Reference:
        [CS231n notes, loss function](https://cs231n.github.io/neural-networks-3/#loss)
    """
    _, _, losses = record.values("loss")
    count = len(losses)
    finite = losses[np.isfinite(losses)]
    if count and not np.isfinite(losses[-1]):
        start = (
            float(np.median(finite[: max(1, len(finite) // 10)]))
            if len(finite)
            else float("nan")
        )
        nan = float("nan")
        return LossCurve("diverging", count, start, float(losses[-1]), nan, nan)
    if len(finite) < _FEWEST_STEPS:
        nan = float("nan")
        end = float(finite[-1]) if len(finite) else nan
        return LossCurve("unknown", count, end, end, nan, nan)
    edge = max(3, int(len(finite) * _SHARE))
    start, end = float(np.median(finite[:edge])), float(np.median(finite[-edge:]))
    smoothed = smooth(finite, max(5, len(finite) // 20))
    half = len(finite) // 2
    level = float(np.median(np.abs(smoothed[half:]))) or 1.0
    noise = float(np.std(finite[half:] - smoothed[half:]))
    wiggle = noise / level
    best = float(smoothed.min())
    late = float(smoothed[-(len(finite) // 3)] - smoothed[-1])
    fall = float(smoothed[0] - best)
    late_share = late / fall if fall > 0 else 0.0
    shape: Shape = "good"
    if end > start + max(4.0 * noise, 0.5 * abs(start)):
        shape = "diverging"
    elif (
        late < noise
        and smoothed[0] > level + noise
        and wiggle > _LARGE_WIGGLE
        and end > 0.3 * start
        and np.mean(finite[half:] > start) > _WORSE_SHARE
    ):
        shape = "high"
    elif abs(start - end) < 0.5 * noise:
        shape = "flat"
    elif late_share > 0.25 and end > 0.2 * start:
        shape = "low"
    return LossCurve(shape, count, start, end, wiggle, late_share)


def smooth(values: np.ndarray, width: int) -> np.ndarray:
    """Running mean over about `width` values, shorter at the two ends."""
    width = max(1, min(width, len(values)))
    total = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
    places = np.arange(len(values))
    low = np.maximum(0, places - width // 2)
    high = np.minimum(len(values), places + width - width // 2)
    return (total[high] - total[low]) / (high - low)
