"""Makes long series short enough to draw without losing what stands out in them."""

import numpy as np

POINTS = 600


def decimate(
    steps: np.ndarray, values: np.ndarray, points: int = POINTS
) -> tuple[np.ndarray, np.ndarray]:
    """Keeps the rows of a series that a drawing of limited width can show.

    The series is cut into buckets of equal length; each gives its smallest and its
    largest finite reading and the first of each kind of non-finite one (NaN,
    infinity, minus infinity). Nothing is averaged: a spike of one step stays.

    Args:
        steps: Steps, shape `(n,)`.
        values: Readings at these steps, shape `(n,)`; NaN and infinity allowed.
        points: Most rows to keep, >= 7.

    Returns:
        `(steps, values)` of at most `points` rows, all of them rows of the input,
        in their order, the first and the last among them.
    """
    count = len(values)
    if count <= points:
        return steps, values
    finite = np.isfinite(values)
    kinds = 2 if finite.all() else 5
    width = -(-count // ((points - 2) // kinds))
    keep: np.ndarray = np.zeros(count, bool)
    keep[[0, -1]] = True
    if kinds == 2:
        keep[_places(-values, width)] = True
        keep[_places(values, width)] = True
    else:
        keep[_places(np.where(finite, -values, -np.inf), width)] = True
        keep[_places(np.where(finite, values, -np.inf), width)] = True
        keep &= finite
        keep[[0, -1]] = True
        for kind in (np.isnan(values), values == np.inf, values == -np.inf):
            places = _places(kind, width)
            keep[places[kind[places]]] = True
    return steps[keep], values[keep]


def smooth(
    steps: np.ndarray, values: np.ndarray, points: int = 300
) -> tuple[np.ndarray, np.ndarray, int]:
    """Returns a centred running mean, weighted by a triangle, of the finite readings.

    Args:
        steps: Steps, shape `(n,)`.
        values: Readings at these steps, shape `(n,)`.
        points: Most points of the smoothed curve.

    Returns:
        `(steps, means, window)`: the curve, NaN where no reading was finite, and
        the number of readings that its window spans; both arrays are empty for
        fewer than eight readings, where nothing is worth smoothing.
    """
    count = len(values)
    if count < 8:
        return steps[:0], values[:0], 0
    width = -(-count // points)
    starts = np.arange(0, count, width)
    finite = np.isfinite(values)
    with np.errstate(over="ignore"):
        sums = np.add.reduceat(np.where(finite, values, 0.0), starts)
    counts = np.add.reduceat(finite.astype(np.float64), starts)
    half = max(1, len(starts) // 25)
    weights = 1.0 - np.abs(np.arange(-half, half + 1)) / (half + 1)
    totals = np.convolve(counts, weights, mode="same")
    means = np.convolve(sums, weights, mode="same")[: len(starts)]
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(counts > 0, means / totals[: len(starts)], np.nan)
    centres = np.minimum(starts + (width - 1) // 2, count - 1)
    return steps[centres], means, (2 * half + 1) * width


def _places(values: np.ndarray, width: int) -> np.ndarray:
    """Row of the largest value in each bucket of `width` rows, the first of equals."""
    starts = np.arange(0, len(values), width)
    buckets = len(values) // width
    places: np.ndarray = np.empty(len(starts), np.intp)
    values[: buckets * width].reshape(buckets, width).argmax(1, places[:buckets])
    if buckets < len(starts):
        places[-1] = values[buckets * width :].argmax()
    return places + starts
