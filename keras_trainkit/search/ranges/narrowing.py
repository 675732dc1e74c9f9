"""From the trials of one stage to the ranges of the next."""

import math
from collections.abc import Sequence
from typing import Any

from keras_trainkit.search.engine.keras_tuner import (
    Choice,
    Fixed,
    HyperParameter,
    Trial,
)
from keras_trainkit.search.ranges.edges import count_best, crowd, places_of
from keras_trainkit.search.ranges.positions import (
    LOWER,
    UPPER,
    between,
    is_range,
    natural_end,
    options,
    position,
)
from keras_trainkit.search.ranges.widening import widened

_FEWEST = 3
_NARROWEST = 0.1
_CHANCE = 0.1


def narrow(hp: HyperParameter, ranked: Sequence[Trial], keep: float) -> HyperParameter:
    """The hyperparameter as the next stage draws it.

    A range becomes the interval of which the best `k` values look like a uniform
    sample: their span and one mean gap on either side (all in log space if it is
    sampled so), a tenth of the present range at least. A hyperparameter that does not
    matter so keeps nearly its whole range, one that does shrinks fast. Where the best
    trials crowd at an end that something lies beyond, the interval goes on past it by
    its own width. Of options, those go whose absence among the best is improbable.

    Args:
        hp: The hyperparameter as this stage drew it.
        ranked: Trials of this stage that ended, the best first.
        keep: Share of them that counts as the best.
    """
    ranked = [trial for trial in ranked if hp.name in trial.hyperparameters.values]
    completed = [trial for trial in ranked if trial.status == "COMPLETED"]
    best = completed[: max(_FEWEST, round(keep * len(ranked)))]
    if len(best) < _FEWEST:
        return hp
    if not is_range(hp):
        return _fewer_options(hp, ranked, len(best))
    places = places_of(hp, ranked)
    chosen = places[: len(best)]
    gap = (max(chosen) - min(chosen)) / (len(chosen) - 1)
    low, high = min(chosen) - gap, max(chosen) + gap
    spare = (_NARROWEST - (high - low)) / 2
    if spare > 0:
        low, high = low - spare, high + spare
    width = high - low
    low = max(low, 0.0)
    high = min(high, 1.0)
    if _at_end(hp, UPPER, places):
        high = min(1 + width, position(hp, widened(hp, UPPER)[1]))
    if _at_end(hp, LOWER, places):
        low = max(-width, position(hp, widened(hp, LOWER)[0]))
    return between(hp, low, high)


def share(hp: HyperParameter, first: HyperParameter) -> float:
    """How much of the first range is left: of its decades, width, or options."""
    if is_range(first):
        ends = (hp.min_value, hp.max_value) if is_range(hp) else (hp.min_value,) * 2
        low, high = (position(first, end) for end in ends)
        return high - low
    return len(options(hp)) / max(1, len(options(first)))


def change(hp: HyperParameter, before: HyperParameter) -> str:
    """What a stage did to a hyperparameter, in a word or two."""
    if not is_range(before):
        return "kept" if options(hp) == options(before) else "narrowed"
    if hp.max_value > before.max_value:
        return "widened upwards"
    if hp.min_value < before.min_value:
        return "widened downwards"
    same = (hp.min_value, hp.max_value) == (before.min_value, before.max_value)
    return "kept" if same else "narrowed"


def _at_end(hp: HyperParameter, end: str, places: Sequence[float]) -> bool:
    if natural_end(hp, end) or not count_best(len(places)):
        return False
    crowding = crowd(places, end)
    return crowding is not None and crowding.at_end and crowding.chance <= _CHANCE


def _fewer_options(
    hp: HyperParameter, ranked: Sequence[Trial], best: int
) -> HyperParameter:
    if isinstance(hp, Fixed) or not options(hp):
        return hp
    tried: list[Any] = [trial.hyperparameters.values[hp.name] for trial in ranked]
    ways = math.comb(len(tried), best)
    left = [
        value
        for value in options(hp)
        if value in tried[:best]
        or math.comb(len(tried) - tried.count(value), best) > _CHANCE * ways
    ]
    if left == options(hp):
        return hp
    default = hp.default if hp.default in left else left[0]
    return Choice(hp.name, left, default=default, conditions=hp.conditions)
