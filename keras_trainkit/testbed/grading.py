"""From the last values of some runs to a grade."""

from typing import NamedTuple

import numpy as np

LIMIT = 1e10
"""A run whose value exceeds it has diverged; scores below its negative count as it."""

POOR = 0.1
FAR_BETTER = 2.0
_UNRELIABLE = 0.25

GRADES = (
    "raised",
    "diverged",
    "partly diverged",
    "poor",
    "unreliable",
    "good",
    "far better",
)
"""From bad to good; the last two pass."""

DIVERGING = GRADES[1:3]
PASSING = GRADES[5:]


class Scores(NamedTuple):
    """The medians over the runs of some tests.

    Args:
        values: Median of the last expected values of the runs that did not
            diverge, NaN if more than half did; shape `(tests,)`.
        runs: The value of each, NaN where it diverged, shape `(tests, seeds)`.
    """

    values: np.ndarray
    runs: np.ndarray


def scores(last: np.ndarray, valid: np.ndarray) -> Scores:
    """Returns the scores of some tests.

    Args:
        last: Expected value at the last point of each run, `(tests, seeds)`.
        valid: Whether all values on the way were finite or low enough.
    """
    valid = valid & (last <= LIMIT)  # NaN is not
    runs = np.where(valid, last, np.nan)
    enough = valid.sum(axis=1) >= valid.shape[1] / 2
    values = np.full(len(runs), np.nan)
    # The median by hand: between minus infinity and a number it is the former.
    for row in np.flatnonzero(enough):
        ordered = np.sort(runs[row][valid[row]])
        middle = ordered[[(len(ordered) - 1) // 2, len(ordered) // 2]]
        values[row] = np.maximum(middle, -LIMIT).mean()
    return Scores(values, runs)


def progress(values: np.ndarray, start: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Returns how far values came from the start, in units of the best SGD.

    Args:
        values: Expected values, of any shape that `start` can be broadcast to.
        start: Expected values at the start.
        best: Scores of the best SGD, below `start`.

    Returns:
        0 at the start, 1 at the best SGD; NaN where `values` is.
    """
    return (np.maximum(values, -LIMIT) - start) / (best - start)


def grades(found: Scores, start: np.ndarray, best: np.ndarray) -> np.ndarray:
    """Returns the index in `GRADES` of each test.

    Args:
        found: The scores.
        start: Expected values at the start, shape `(tests,)`.
        best: Scores of the best SGD, shape `(tests,)`.
    """
    relative = progress(found.values, start, best)
    each = progress(found.runs, start[:, None], best[:, None])
    seeds = found.runs.shape[1]
    lost = np.isnan(found.runs).any(axis=1)
    with np.errstate(invalid="ignore"):
        weak = (each < POOR).sum(axis=1) > _UNRELIABLE * seeds
    choices = [
        (np.isnan(relative), "diverged"),
        (relative <= POOR, "poor"),
        (lost, "partly diverged"),
        (weak, "unreliable"),
        (relative > FAR_BETTER, "far better"),
    ]
    return np.select(
        [condition for condition, _ in choices],
        [GRADES.index(grade) for _, grade in choices],
        GRADES.index("good"),
    )
