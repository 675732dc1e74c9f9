"""The range of a hyperparameter in the space where it is drawn uniformly.

A position says where in its range a value lies: 0 at the lower end, 1 at the upper
one, by factors if the hyperparameter is sampled in log space.
"""

import math
from typing import Any

from keras_trainkit.search.engine.keras_tuner import (
    Boolean,
    Choice,
    Fixed,
    Float,
    HyperParameter,
    Int,
)

UPPER, LOWER = "upper", "lower"


def is_range(hp: HyperParameter) -> bool:
    """Whether the values have an order and a distance: a `Float` or an `Int`."""
    return isinstance(hp, Float | Int) and hp.min_value < hp.max_value


def is_scale(hp: HyperParameter) -> bool:
    """Whether it is a `Choice` of three or more numbers in rising order."""
    if not isinstance(hp, Choice) or not hp.ordered or len(hp.values) < 3:
        return False
    return list(hp.values) == sorted(set(hp.values))


def is_logarithmic(hp: HyperParameter) -> bool:
    """Whether factors count, not differences: sampled in log space, or so listed."""
    if is_range(hp):
        return hp.sampling == "log"
    if not is_scale(hp) or hp.values[0] <= 0:
        return False
    ratios = [b / a for a, b in zip(hp.values, hp.values[1:], strict=False)]
    return min(ratios) >= 1.5


def options(hp: HyperParameter) -> list[Any]:
    """The values of a hyperparameter that has no distances; `[]` of a range."""
    if isinstance(hp, Boolean):
        return [False, True]
    if isinstance(hp, Fixed):
        return [hp.value]
    return list(hp.values) if isinstance(hp, Choice) else []


def position(hp: HyperParameter, value: Any) -> float:
    """Where a value lies between the ends, in [0, 1] unless it is outside the range.

    Args:
        hp: A range or a scale.
        value: One of its values, or one beyond its ends.
    """
    if is_scale(hp):
        return hp.values.index(value) / (len(hp.values) - 1)
    low, high = hp.min_value, hp.max_value
    if hp.sampling == "log":
        return math.log(value / low) / math.log(high / low)
    if hp.sampling == "reverse_log":
        return 1.0 - math.log((high + low - value) / low) / math.log(high / low)
    return (value - low) / (high - low)


def value_at(hp: HyperParameter, place: float) -> float:
    """The value at a position of a range; the opposite of `position`."""
    low, high = hp.min_value, hp.max_value
    if hp.sampling == "log":
        return low * (high / low) ** place
    if hp.sampling == "reverse_log":
        return high + low - low * (high / low) ** (1.0 - place)
    return low + place * (high - low)


def natural_end(hp: HyperParameter, end: str) -> bool:
    """Whether nothing lies beyond an end: 0, or 1 of a share; 0 or 1 of a count."""
    if is_scale(hp):
        return hp.values[0] == 0 and end == LOWER
    if hp.sampling == "reverse_log":
        return True  # Its ends are also its unit: another range is another scale.
    if end == LOWER:
        return hp.min_value == 0 or (isinstance(hp, Int) and hp.min_value == 1)
    share = isinstance(hp, Float) and hp.sampling == "linear" and hp.min_value >= 0
    return share and hp.max_value == 1


def between(hp: HyperParameter, low: float, high: float) -> HyperParameter:
    """The same hyperparameter from one position to another, on the same steps.

    Args:
        hp: A range.
        low: Position of the new lower end, < 0 to widen the range.
        high: Position of the new upper end, > 1 to widen the range.
    """
    ends = [value_at(hp, low), value_at(hp, high)]
    if hp.step is not None:
        ends = [on_step(hp, value) for value in ends]
    elif isinstance(hp, Int):
        ends = [math.floor(ends[0] + 1e-9), math.ceil(ends[1] - 1e-9)]
    if isinstance(hp, Int):
        ends = [int(end) for end in ends]
    # Only steps and whole numbers can have pushed an end out of its own range.
    if low >= 0:
        ends[0] = max(ends[0], hp.min_value)
    if high <= 1:
        ends[1] = min(ends[1], hp.max_value)
    config = hp.get_config() | {"min_value": ends[0], "max_value": ends[1]}
    config["default"] = min(max(hp.default, ends[0]), ends[1])
    return type(hp).from_config(config)


def on_step(hp: HyperParameter, value: float) -> float:
    """The nearest value of the grid that starts at the lower end."""
    if hp.sampling == "linear":
        return hp.min_value + round((value - hp.min_value) / hp.step) * hp.step
    if hp.sampling == "log":
        steps = round(math.log(value / hp.min_value) / math.log(hp.step))
        # Whole numbers can be divided by the step so often only, and never reach 0.
        while isinstance(hp, Int) and steps < 0 and hp.min_value % hp.step**-steps:
            steps += 1
        return hp.min_value * hp.step**steps
    # A reverse grid starts at the upper end, which therefore stays where it is.
    return value
