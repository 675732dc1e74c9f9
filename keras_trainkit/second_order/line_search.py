"""A step length that lowers the loss enough and leaves a flatter slope."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

SUFFICIENT = 1e-4  # of the decrease that the first slope promises
FLATTER = 0.9  # of the first slope, that the last one may have left
LONGEST = 1e10  # times the first trial, beyond which the loss has no minimum


class Trial(NamedTuple):
    """The loss at one step length.

    Args:
        length: The step's length, in lengths of the direction.
        value: The loss there; NaN and infinity count as too far.
        slope: The derivative along the direction there.
        state: What the caller wants back with it.
    """

    length: float
    value: float
    slope: float
    state: Any = None

    @property
    def finite(self) -> bool:
        """Whether value and slope are numbers."""
        return math.isfinite(self.value) and math.isfinite(self.slope)


def strong_wolfe(
    evaluate: Callable[[float], Trial],
    start: Trial,
    length: float,
    *,
    rounding: float,
    evaluations: int = 25,
) -> Trial:
    """Searches a step length that satisfies the strong Wolfe conditions.

    Where the loss changes by no more than its rounding, a value at most that much
    above the first one counts as lower, and the slopes decide.

    Args:
        evaluate: Gives the trial at a length.
        start: The trial at length 0, with a negative slope.
        length: The first length tried, > 0.
        rounding: Relative error of a value, >= 0.
        evaluations: Largest number of trials, int >= 1.

    Returns:
        The trial that satisfies the conditions, or else the lowest one found; the
        start itself if none is lower.

    Reference:
        [Nocedal and Wright, 2006, algorithms 3.5 and
        3.6](https://doi.org/10.1007/978-0-387-40065-5)
    """
    slack = rounding * abs(start.value)

    def low_enough(trial: Trial) -> bool:
        promised = SUFFICIENT * trial.length * start.slope
        return trial.value <= start.value + promised or (
            # Within the rounding of the values, the slope is the better witness.
            trial.value <= start.value + slack
            and trial.slope <= (1 - 2 * SUFFICIENT) * abs(start.slope)
        )

    def flat_enough(trial: Trial) -> bool:
        return abs(trial.slope) <= -FLATTER * start.slope

    best, before, longest = start, start, LONGEST * length
    for count in range(1, evaluations + 1):
        trial = evaluate(length)
        if not trial.finite:
            # Too far, by an unknown measure: come back towards what was finite.
            length = before.length + 0.1 * (length - before.length)
            longest = min(longest, trial.length)
            continue
        best = min(best, trial, key=lambda one: one.value)
        bracketed = not low_enough(trial) or (
            before.length > 0 and trial.value >= before.value + slack
        )
        if bracketed:
            return _zoom(
                evaluate,
                before,
                trial,
                best,
                low_enough,
                flat_enough,
                slack,
                evaluations - count,
            )
        if flat_enough(trial):
            return trial
        if trial.slope >= 0:
            return _zoom(
                evaluate,
                trial,
                before,
                best,
                low_enough,
                flat_enough,
                slack,
                evaluations - count,
            )
        guess = _cubic(before, trial)
        low, high = 1.1 * trial.length, 10 * trial.length
        length = min(max(guess, low), high) if math.isfinite(guess) else high
        if length >= longest:
            length = (trial.length + longest) / 2
        before = trial
        if length > LONGEST * max(1.0, best.length):
            break
    return best


def _zoom(
    evaluate: Callable[[float], Trial],
    low: Trial,
    high: Trial,
    best: Trial,
    low_enough: Callable[[Trial], bool],
    flat_enough: Callable[[Trial], bool],
    slack: float,
    evaluations: int,
) -> Trial:
    """Narrows an interval whose lower end satisfies the decrease."""
    widths = [abs(high.length - low.length)]
    for _ in range(evaluations):
        width = abs(high.length - low.length)
        if width <= 1e-12 * max(low.length, high.length):
            break
        guess = _cubic(low, high)
        left, right = sorted((low.length, high.length))
        # Not at an end, and by halves if three turns did not shrink it enough.
        slow = len(widths) > 2 and width > 0.66 * widths[-3]
        if not math.isfinite(guess) or slow:
            guess = (left + right) / 2
        guess = min(max(guess, left + 0.1 * width), right - 0.1 * width)
        widths.append(width)
        trial = evaluate(guess)
        if not trial.finite:
            high = trial._replace(value=math.inf)
            continue
        best = min(best, trial, key=lambda one: one.value)
        if not low_enough(trial) or trial.value > low.value + slack:
            high = trial
            continue
        if flat_enough(trial):
            return trial
        if trial.slope * (high.length - low.length) >= 0:
            high = low
        low = trial
    return low if low.length > 0 and low.value <= best.value + slack else best


def _cubic(one: Trial, other: Trial) -> float:
    """Returns the minimiser of the cubic through two values and slopes."""
    if not (one.finite and other.finite) or one.length == other.length:
        return math.nan
    gap = other.length - one.length
    mean = one.slope + other.slope - 3 * (other.value - one.value) / gap
    square = mean * mean - one.slope * other.slope
    if square < 0:
        return math.nan
    root = math.copysign(math.sqrt(square), gap)
    below = other.slope - one.slope + 2 * root
    if below == 0:
        return math.nan
    return other.length - gap * (other.slope + root - mean) / below
