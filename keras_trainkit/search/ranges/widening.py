"""The range to try when the best values sit at an end of the present one."""

import math

from keras_trainkit.search.engine.keras_tuner import HyperParameter, Int
from keras_trainkit.search.ranges.positions import UPPER, is_logarithmic, on_step


def widened(hp: HyperParameter, end: str) -> tuple[float, float]:
    """Ends of a range with more room at one end, in numbers that read well.

    In log space by a third of its decades, one at least; in linear space by half of
    its width, shares no further than halfway to 1, and nothing below 0.

    Args:
        hp: A range.
        end: `LOWER` or `UPPER`.
    """
    low, high = hp.min_value, hp.max_value
    upper = end == UPPER
    if hp.sampling == "log":
        factor = 10 ** max(1.0, math.log10(high / low) / 3)
        beyond = _readable(high * factor if upper else low / factor)
    elif upper:
        beyond = high + (high - low) / 2
        if low >= 0 and high < 1:
            beyond = min(beyond, (high + 1) / 2)
    else:
        beyond = low - (high - low) / 2
        if low >= 0:
            beyond = max(beyond, 0.0)
    if hp.step is not None:
        beyond = on_step(hp, beyond)
    elif isinstance(hp, Int):
        beyond = max(1, round(beyond)) if hp.sampling == "log" else round(beyond)
    return (low, beyond) if upper else (beyond, high)


def next_value(hp: HyperParameter, end: str) -> float:
    """A value to follow the last of a scale, as far from it as the one before.

    Shares near 1, such as momenta, come nearer to 1 by a factor; values listed by
    factors go on by a factor; others by a difference.

    Args:
        hp: A scale.
        end: `LOWER` or `UPPER`.
    """
    last, before = hp.values[:-3:-1] if end == UPPER else hp.values[:2]
    if end == UPPER and 0.5 < last < 1 and hp.values[0] >= 0:
        return 1 - _readable((1 - last) ** 2 / (1 - before))
    if is_logarithmic(hp):
        following = last * last / before
    else:
        following = 2 * last - before
        if hp.values[0] >= 0:
            following = max(following, 0)
    return round(following) if isinstance(last, int) else _readable(following)


def _readable(value: float) -> float:
    """Rounds to one digit."""
    return float(f"{value:.0e}")
